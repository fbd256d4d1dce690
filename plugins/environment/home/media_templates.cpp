// Templates for music, volume, television, vacuum and messages. The notation is in templates.h.
#include "templates.h"

namespace retort::home {

std::string_view media_templates() {
  return R"(
@ music_play weight=2 query=music room=room:speaker
+ play {query}
+ play some {query:genre}
+ play {query} in the {room}
+ play some {query:genre} in the {room}
+ put on {query}
+ put on some {query:genre}
+ put on {query} in the {room}
+ start playing {query}
+ start playing {query} in the {room}
+ let me hear {query}
+ let me hear some {query:genre} in the {room}
+ play {query} on the speaker in the {room}
+ play {query} on the {room} speaker
+~ i want to hear {query}
+~ i want to hear {query} in the {room}
+~ i want to listen to {query}
+~ i want to listen to some {query:genre}
- start playing some {query:genre}
- put on some {query:genre} in the {room}
- let me hear {query} in the {room}
- put on {query} on the {room} speaker
-~ i want to listen to {query} in the {room}

@ music_control
+ pause the (music|song) => {"action":"pause"}
+ pause this song => {"action":"pause"}
+ stop the music => {"action":"stop"}
+ stop playing music => {"action":"stop"}
+ turn off the music => {"action":"stop"}
+ shut off the music => {"action":"stop"}
+ switch the music off => {"action":"stop"}
+ resume the (music|song) => {"action":"resume"}
+ continue the (music|song) => {"action":"resume"}
+ keep playing the music => {"action":"resume"}
+ continue playing => {"action":"resume"}
+ keep on playing => {"action":"resume"}
+ play the next (song|track) => {"action":"next"}
+ skip this (song|track) => {"action":"next"}
+ go to the next (song|track) => {"action":"next"}
+ skip to the next (song|track) => {"action":"next"}
+ play the previous (song|track) => {"action":"previous"}
+ go back to the previous (song|track) => {"action":"previous"}
+~ next (song|track) => {"action":"next"}
+~ i want to hear the previous (song|track) => {"action":"previous"}
+~ i do not like this song so skip it => {"action":"next"}
- turn the music off => {"action":"stop"}
- pause this track => {"action":"pause"}
- keep playing => {"action":"resume"}
- skip the song => {"action":"next"}
- go to the previous (song|track) => {"action":"previous"}
-~ i want to hear the next (song|track) => {"action":"next"}

@ volume_set level=percent device=sound
+ set the volume to {level}
+ set the volume of the {device} to {level}
+ set the {device} volume to {level}
+ turn the volume (up|down) to {level}
+ turn the {device} (up|down) to {level}
+ turn (up|down) the {device} to {level}
+ turn the volume of the {device} (up|down) to {level}
+ change the volume to {level}
+ change the {device} volume to {level}
+ put the volume at {level}
+ bring the volume (up|down) to {level}
+ mute the {device} => {"level":0}
+ mute the sound => {"level":0}
+~ i want the volume at {level}
+~ i want the {device} volume at {level}
+~ volume to {level}
- put the {device} volume at {level}
- change the volume of the {device} to {level}
- turn the {device} volume (up|down) to {level}
- bring the {device} volume (up|down) to {level}
-~ {device} volume to {level}

@ tv_channel weight=2 channel=channel room=room:television
+ switch to channel {channel}
+ switch the tv to channel {channel}
+ switch the tv in the {room} to channel {channel}
+ switch the {room} tv to channel {channel}
+ change the channel to {channel}
+ change the tv to channel {channel}
+ put the tv on channel {channel}
+ put on channel {channel}
+ put on channel {channel} in the {room}
+ go to channel {channel}
+ turn to channel {channel}
+ show me channel {channel}
+ set the {room} tv to channel {channel}
+~ i want to watch channel {channel}
+~ i want to see channel {channel} in the {room}
- change to channel {channel}
- put the {room} tv on channel {channel}
- show me channel {channel} in the {room}
- change the {room} tv to channel {channel}
-~ i want to watch channel {channel} in the {room}

@ vacuum_start weight=2 rooms=vacuum_rooms
+ vacuum {rooms}
+ clean {rooms} with the vacuum
+ start vacuuming {rooms}
+ start the vacuum in {rooms}
+ send the vacuum to {rooms}
+ run the vacuum in {rooms}
+ have the robot vacuum {rooms}
+ have the robot clean {rooms}
+ send the robot to {rooms}
+ let the robot clean {rooms}
+ let the vacuum clean {rooms}
+ use the vacuum in {rooms}
+~ i want {rooms} vacuumed
+~ {rooms} should be vacuumed
- let the robot vacuum {rooms}
- have the vacuum clean {rooms}
- send the robot vacuum to {rooms}
- start the robot in {rooms}

@ vacuum_dock
+ send the vacuum home
+ send the robot home
+ send the vacuum back to its (dock|base)
+ dock the (vacuum|robot)
+ dock the robot vacuum
+ stop vacuuming
+ stop the (vacuum|robot)
+ tell the (vacuum|robot) to go home
+ tell the robot to go back to its (dock|base)
+ bring the vacuum back to its (dock|base)
+ let the (vacuum|robot) go back to its (dock|base)
+~ the (vacuum|robot) can go home [now]
+~ i do not need the (vacuum|robot) anymore
- send the robot vacuum home
- send the robot back to its (dock|base)
- tell the vacuum to go back to its (dock|base)
-~ the robot vacuum can go home

@ message_send weight=2 person=person text=message
+ tell {person} that {text}
+ tell {person} {text}
+ message {person} that {text}
+ text {person} {text}
+ text {person} that {text}
+ let {person} know that {text}
+ send {person} a message saying {text}
+ send a message to {person} saying {text}
+ send {person} the message {text}
+ send a message to {person} that {text}
+ write {person} that {text}
+ make sure {person} knows {text}
+ write a message to {person} saying {text}
+ send a text to {person} saying {text}
+~ i want to tell {person} that {text}
+~ i need {person} to know that {text}
+~ i need {person} to know {text}
+~ i want {person} to know {text}
+ write to {person} that {text}
+ send {person} a text that {text}
- message {person} {text}
- let {person} know {text}
- send a text to {person} that {text}
- write {person} a message saying {text}
-~ i want to let {person} know that {text}
)";
}

}  // namespace retort::home
