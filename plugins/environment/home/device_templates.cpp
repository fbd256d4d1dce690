// Templates for lights, climate, blinds, doors, appliances and scenes. The notation is in templates.h.
#include "templates.h"

namespace retort::home {

std::string_view device_templates() {
  return R"(
@ light_switch room=room:light
+ (turn|switch) on the {room} (light|lights) => {"state":"on"}
+ (turn|switch) off the {room} (light|lights) => {"state":"off"}
+ (turn|switch) the {room} (light|lights) on => {"state":"on"}
+ (turn|switch) the {room} (light|lights) off => {"state":"off"}
+ (turn|switch|put) on the (light|lights) in the {room} => {"state":"on"}
+ (turn|switch) off the (light|lights) in the {room} => {"state":"off"}
+ (turn|switch|put) the (light|lights) in the {room} on => {"state":"on"}
+ shut off the (light|lights) in the {room} => {"state":"off"}
+ put out the {room} lights => {"state":"off"}
+~ i (want|need) the {room} (light|lights) on => {"state":"on"}
+~ i (want|need) some light in the {room} => {"state":"on"}
+~ it is too dark in the {room} => {"state":"on"}
+~ i do not need the (light|lights) in the {room} anymore => {"state":"off"}
+~ {room} lights on => {"state":"on"}
+~ {room} lights off => {"state":"off"}
+~ lights off in the {room} => {"state":"off"}
- (turn|switch) the (light|lights) in the {room} off => {"state":"off"}
- shut off the {room} (light|lights) => {"state":"off"}
- put the {room} (light|lights) on => {"state":"on"}
-~ i (want|need) the (light|lights) on in the {room} => {"state":"on"}
-~ lights on in the {room} => {"state":"on"}

@ light_dim room=room:light brightness=percent
+ dim the {room} (light|lights) to {brightness}
+ dim the (light|lights) in the {room} to {brightness}
+ set the {room} (light|lights) to {brightness}
+ set the (light|lights) in the {room} to {brightness} [brightness]
+ set the brightness in the {room} to {brightness}
+ set the {room} brightness to {brightness}
+ change the brightness of the {room} lights to {brightness}
+ bring the {room} lights (up|down) to {brightness}
+ turn the {room} lights (up|down) to {brightness}
+ turn (up|down) the lights in the {room} to {brightness}
+ make the {room} lights {brightness} bright
+~ i want the {room} lights at {brightness}
+~ {room} lights at {brightness}
+~ i would like {brightness} brightness in the {room}
- change the {room} (light|lights) to {brightness}
- turn the (light|lights) in the {room} (up|down) to {brightness}
- set the brightness of the {room} lights to {brightness}
-~ i want the lights in the {room} at {brightness}

@ light_color room=room:color color=color
+ make the {room} (light|lights) {color}
+ make the (light|lights) in the {room} {color}
+ turn the {room} (light|lights) {color}
+ set the {room} (light|lights) to {color}
+ set the (light|lights) in the {room} to {color}
+ change the {room} (light|lights) to {color}
+ change the color of the {room} lights to {color}
+ change the light color in the {room} to {color}
+ set the color of the {room} lights to {color}
+ give the {room} {color} (light|lights)
+ use {color} light in the {room}
+~ i want {color} light in the {room}
+~ i want the {room} lights {color}
+~ {room} lights {color}
- turn the (light|lights) in the {room} {color}
- change the (light|lights) in the {room} to {color}
- set the light color in the {room} to {color}
-~ i want the lights in the {room} {color}

@ thermostat_set temperature=celsius room=room:thermostat
+ set the temperature to {temperature}
+ set the temperature in the {room} to {temperature}
+ set the {room} temperature to {temperature}
+ set the thermostat to {temperature}
+ set the thermostat in the {room} to {temperature}
+ set the {room} thermostat to {temperature}
+ turn the (heat|heating) (up|down) to {temperature}
+ turn the (heat|heating) in the {room} (up|down) to {temperature}
+ heat the {room} to {temperature}
+ cool the {room} [down] to {temperature}
+ make it {temperature} in the {room}
+ change the temperature to {temperature}
+ change the temperature in the {room} to {temperature}
+ keep the {room} at {temperature}
+~ i want (it|the temperature) at {temperature} in the {room}
+~ i want the {room} at {temperature}
- change the {room} temperature to {temperature}
- turn the {room} (heat|heating) (up|down) to {temperature}
- change the thermostat to {temperature}
- keep the temperature in the {room} at {temperature}
-~ i want the temperature in the {room} at {temperature}

@ blinds_set room=room:blinds position=percent
+ open the blinds in the {room} => {"position":100}
+ close the blinds in the {room} => {"position":0}
+ open the {room} blinds => {"position":100}
+ close the {room} blinds => {"position":0}
+ open the {room} blinds halfway => {"position":50}
+ close the blinds in the {room} halfway => {"position":50}
+ (raise|lower) the {room} blinds to {position}
+ (raise|lower) the blinds in the {room} to {position}
+ set the blinds in the {room} to {position}
+ open the blinds in the {room} to {position}
+ move the {room} blinds to {position}
+ put the {room} blinds at {position}
+ pull the {room} blinds up => {"position":100}
+ pull the blinds in the {room} down => {"position":0}
+~ i want the {room} blinds open => {"position":100}
+~ i want the blinds in the {room} closed => {"position":0}
+~ {room} blinds to {position}
- set the {room} blinds to {position}
- open the {room} blinds to {position}
- close the {room} blinds halfway => {"position":50}
- pull the {room} blinds down => {"position":0}
-~ i want the {room} blinds closed => {"position":0}

@ fan_set room=room:fan speed=speed
+ set the {room} fan to {speed}
+ set the fan in the {room} to {speed} [speed]
+ turn the {room} fan to {speed}
+ turn off the {room} fan => {"speed":"off"}
+ (turn|switch) the fan in the {room} off => {"speed":"off"}
+ switch the {room} fan to {speed}
+ run the {room} fan on {speed}
+ run the fan in the {room} (at|on) {speed} [speed]
+ put the {room} fan on {speed}
+ change the fan speed in the {room} to {speed}
+ stop the fan in the {room} => {"speed":"off"}
+~ i want the {room} fan on {speed}
+~ {room} fan on {speed}
+~ {room} fan off => {"speed":"off"}
- put the fan in the {room} on {speed}
- stop the {room} fan => {"speed":"off"}
- turn the fan in the {room} to {speed} [speed]
- run the {room} fan at {speed} speed

@ door_lock door=door
+ lock the {door} door => {"locked":true}
+ unlock the {door} door => {"locked":false}
+ lock up the {door} door => {"locked":true}
+ make sure the {door} door is locked => {"locked":true}
+ make sure the {door} door is unlocked => {"locked":false}
+ make sure to lock the {door} door => {"locked":true}
+ put the lock on the {door} door => {"locked":true}
+ take the lock off the {door} door => {"locked":false}
+ keep the {door} door locked => {"locked":true}
+ leave the {door} door unlocked => {"locked":false}
+~ i want the {door} door locked => {"locked":true}
+~ i want the {door} door unlocked => {"locked":false}
+~ the {door} door should be locked => {"locked":true}
+~ someone is at the {door} door so unlock it => {"locked":false}
- leave the {door} door locked => {"locked":true}
- keep the {door} door unlocked => {"locked":false}
- make sure to unlock the {door} door => {"locked":false}
-~ the {door} door should be unlocked => {"locked":false}

@ appliance_switch appliance=appliance
+ (turn|switch) on the {appliance} => {"on":true}
+ (turn|switch) off the {appliance} => {"on":false}
+ (turn|switch) the {appliance} on => {"on":true}
+ turn the {appliance} off => {"on":false}
+ start the {appliance} => {"on":true}
+ stop the {appliance} => {"on":false}
+ shut off the {appliance} => {"on":false}
+ put the {appliance} on => {"on":true}
+ make sure the {appliance} is off => {"on":false}
+ run the {appliance} => {"on":true}
+~ i want the {appliance} on => {"on":true}
+~ i need the {appliance} on => {"on":true}
+~ i do not need the {appliance} anymore => {"on":false}
+~ {appliance} off => {"on":false}
- put on the {appliance} => {"on":true}
- switch the {appliance} off => {"on":false}
- make sure the {appliance} is on => {"on":true}
-~ {appliance} on => {"on":true}
-~ i want the {appliance} off => {"on":false}

@ oven_heat weight=3 temperature=oven minutes=minutes
+ heat the oven to {temperature}
+ preheat the oven to {temperature}
+ set the oven to {temperature}
+ set the oven to {temperature} for {minutes}
+ heat the oven to {temperature} for {minutes}
+ turn the oven to {temperature}
+ turn on the oven at {temperature}
+ turn on the oven at {temperature} for {minutes}
+ preheat the oven to {temperature} with convection => {"convection":true}
+ preheat the oven for {minutes} at {temperature}
+ preheat the oven at {temperature} for {minutes}
+ heat the oven to {temperature} without convection => {"convection":false}
+ run the oven at {temperature} for {minutes}
+ run the oven with convection at {temperature} => {"convection":true}
+~ i need the oven at {temperature}
+~ i want the oven at {temperature} for {minutes}
- run the oven at {temperature}
- turn the oven on at {temperature} for {minutes}
- preheat the oven to {temperature} for {minutes}
- set the oven to {temperature} with convection => {"convection":true}
-~ i want the oven at {temperature}

@ scene_activate scene=scene
+ activate the {scene} scene
+ start the {scene} scene
+ turn on the {scene} scene
+ set the {scene} scene
+ set the scene for {scene}
+ switch to the {scene} scene
+ switch to {scene} mode
+ start {scene} mode
+ activate {scene} mode
+ get the house ready for {scene}
+ change to the {scene} scene
+ use the {scene} scene
+~ i want the {scene} scene
+~ it is time for the {scene} scene
+~ {scene} mode
- turn on {scene} mode
- switch the house to {scene} mode
- set the house to the {scene} scene
-~ {scene} scene
-~ it is time for {scene} mode
)";
}

}  // namespace retort::home
