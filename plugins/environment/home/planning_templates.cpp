// Templates for timers, alarms, reminders, shopping and weather. The notation is in templates.h.
#include "templates.h"

namespace retort::home {

std::string_view planning_templates() {
  return R"(
@ timer_start weight=2 minutes=minutes label=label
+ set a timer for {minutes}
+ set a timer for {minutes} for the {label}
+ set a {label} timer for {minutes}
+ start a timer for {minutes}
+ start a {label} timer for {minutes}
+ start a {label} timer of {minutes}
+ start the timer for {minutes}
+ set the timer to {minutes}
+ give me a timer for {minutes}
+ give me a {label} timer of {minutes}
+ count down {minutes}
+ count down {minutes} for the {label}
+ time the {label} for {minutes}
+~ i need a timer for {minutes}
+~ i need a {label} timer for {minutes}
+~ timer for {minutes}
- start a timer of {minutes}
- give me a {label} timer for {minutes}
- set the {label} timer to {minutes}
-~ i need a timer of {minutes}
-~ {label} timer for {minutes}

@ alarm_set time=time day=day
+ set an alarm for {time}
+ set an alarm for {time} {day:on_day}
+ set an alarm at {time}
+ set the alarm to {time}
+ set my alarm for {time}
+ wake me [up] at {time}
+ wake me up at {time} {day:on_day}
+ wake me up {day:on_day} at {time}
+ set an alarm {day:on_day} at {time}
+ get me up at {time}
+ get me out of bed at {time} {day:on_day}
+ make an alarm for {time}
+~ i need an alarm at {time}
+~ i need to wake up at {time}
+~ i need to be up at {time} {day:on_day}
+~ alarm at {time}
- set my alarm to {time}
- get me up {day:on_day} at {time}
- make an alarm for {time} {day:on_day}
- set the alarm for {time}
-~ i need an alarm {day:on_day} at {time}

@ alarm_cancel time=alarm
+ cancel the alarm at {time}
+ cancel the alarm for {time}
+ cancel my {time:alarm_short} alarm
+ turn off the alarm at {time}
+ turn off my alarm for {time}
+ delete the alarm at {time}
+ delete my {time:alarm_short} alarm
+ remove the alarm for {time}
+ remove my alarm at {time}
+ switch off the {time:alarm_short} alarm
+ get rid of the alarm at {time}
+ forget the alarm for {time}
+~ i do not need the alarm at {time} anymore
+~ i do not need to wake up at {time} anymore
- delete my alarm for {time}
- remove the {time:alarm_short} alarm
- get rid of my {time:alarm_short} alarm
-~ i do not need my {time:alarm_short} alarm anymore

@ reminder_add weight=2 text=errand time=time day=day
+ remind me to {text} at {time}
+ remind me at {time} to {text}
+ remind me to {text} {day:on_day} at {time}
+ remind me {day:on_day} at {time} to {text}
+ remind me about {text:event} at {time}
+ remind me about {text:event} {day:on_day} at {time}
+ set a reminder to {text} at {time}
+ set a reminder at {time} to {text}
+ set a reminder for {text:event} at {time}
+ add a reminder to {text} {day:on_day} at {time}
+ add a reminder for {time} to {text}
+ make a reminder at {time} to {text}
+~ do not let me forget to {text} at {time}
+ tell me at {time} to {text}
+~ i need to {text} at {time} so remind me
+~ i want to be reminded to {text} at {time}
- add a reminder to {text} at {time}
- make a reminder to {text} {day:on_day} at {time}
- set a reminder {day:on_day} at {time} to {text}
-~ do not let me forget about {text:event} at {time}
-~ i want to be reminded about {text:event} at {time}

@ shopping_add weight=4 items=items
+ add {items} to the shopping list
+ add {items} to my (shopping|grocery) list
+ put {items} on the shopping list
+ put {items} on my list
+ write {items} on the shopping list
+ add {items} to the groceries
+~ shopping list add {items}
+ add to the shopping list {items}
+~ we need {items}
+~ we are out of {items}
+~ i need to buy {items}
+~ we need to buy {items} so put it on the list
+~ we have no more {items}
+~ i want {items} on the shopping list
+~ there is no more {items}
+ add {items} to my list
+ write {items} on my list
+ put {items} on the grocery list
+ note {items} on the shopping list
+~ i want to buy {items}
+~ i need {items} from the store
+~ we need to get {items}
+~ we still need {items}
+~ i want {items} on my list
+~ do not forget to buy {items}
+~ there is no {items} left
- add {items} to the list
- put {items} on my (shopping|grocery) list
- write {items} on my shopping list
-~ i need {items} on the shopping list
-~ we need to buy {items}
- note {items} on my grocery list
-~ i want to buy {items} so put it on the list

@ weather_get weight=2 city=city day=day
+~ what is the weather [like] in {city} {day:on_day}
+~ what is the weather [like] in {city}
+~ what is the weather [like] {day:on_day}
+~ how is the weather in {city}
+~ how is the weather {day:on_day}
+ tell me the weather in {city}
+ tell me the weather in {city} for {day}
+ give me the weather for {city}
+ give me the weather {day:on_day}
+ show me the weather in {city} {day:on_day}
+ check the weather in {city}
+ check the weather for {day}
+~ will it rain in {city} {day:on_day}
+~ will it rain {day:on_day}
+~ is it going to rain in {city} {day:on_day}
+~ is it cold in {city}
+~ what will the weather be [like] {day:on_day}
-~ how is the weather in {city} {day:on_day}
- give me the weather in {city} for {day}
- check the weather in {city} {day:on_day}
- tell me the weather for {day}
-~ what will the weather be [like] in {city} {day:on_day}
-~ is it going to rain {day:on_day}
)";
}

}  // namespace retort::home
