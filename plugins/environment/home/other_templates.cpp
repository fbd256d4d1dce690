// Utterances that no tool answers, and the frames around clauses. The notation is in templates.h.
#include "templates.h"

namespace retort::home {

std::string_view other_templates() {
  return R"(
@ none
+~ how are you [today]
+~ what is your name
+~ who are you
+~ how old are you
+~ are you a robot
+~ do you like {topic}
+~ do you like {sport}
+~ do you know a good joke
+~ do you have a {animal}
+ tell me a joke
+ tell me a joke about {topic}
+ tell me a story about a {animal}
+ tell me something about {topic}
+ tell me something about {country}
+~ what do you know about {topic}
+~ what do you think about {topic}
+~ what do you think about {country}
+~ what is the capital of {country}
+~ what is the population of {country}
+~ how many people live in {country}
+~ how far is it to {country}
+~ who is the president of {country}
+~ who won the {sport} game
+~ who won the {sport} game yesterday
+~ when is the next {sport} game
+~ how do you make {dish}
+~ how do i cook {dish}
+ give me a recipe for {dish}
+ order {dish} from the restaurant
+ order some {dish} for dinner
+ order a taxi to the airport
+ book a table at a restaurant
+ book a flight to {country}
+ book a hotel in {city}
+ buy a ticket to {city}
+~ how much is a flight to {city}
+~ how long is the flight to {country}
+ call {person}
+ call {person} on the phone
+ sing a song
+ sing me a song about {topic}
+ translate this to the language of {country}
+~ what is the meaning of life
+~ can you speak the language of {country}
+~ can you ride a {animal}
+~ thank you
+~ thank you for your help
+~ good job
+~ i am tired
+~ i am bored
+~ i am hungry
+~ i like {dish}
+~ i like {topic}
+~ my {animal} is sick
+~ my {animal} likes {dish}
+~ {person} is my friend
+~ how old is {person}
+~ have you met {person}
+~ do you know who {person} is
+~ do you know where {person} lives
+~ do you remember {person}
+~ do you like {person}
+~ do you know the president of {country}
+~ do you know {country}
+~ do you know {topic}
+~ do you know a restaurant in {city}
+~ {person} likes {sport}
+~ is {dish} healthy
+~ is {person} a good name for a {animal}
+ walk the {animal}
+ wash the {animal}
+ feed the {animal}
+ read me a book about {topic}
+ read me the news about {country}
+ show me pictures of a {animal}
+ show me the news about {sport}
+ find my phone
+ find a restaurant in {city}
-~ what do you know about {country}
-~ what do you think about {sport}
-~ who is {person}
-~ do you know {person}
-~ do you like {dish}
-~ i like {sport}
-~ my {animal} likes {topic}
-~ how far is it to {city}
-~ how do you cook {dish}
- tell me something about {sport}
- tell me a joke about a {animal}
- tell me a story about {topic}
- order some {dish} from the restaurant
- book a flight to {city}
- buy a ticket to {country}
- show me pictures of {country}
- read me the news about {topic}
- find a hotel in {city}
- give me a good joke

@ wrap
+ please {a}
+ {a} please
+ can you {a}
+ could you {a}
+ could you please {a}
+ would you {a}
+ would you please {a}
+ i want you to {a}
+ i would like you to {a}
+~ hey {a}
+~ okay {a}
+ hey can you {a}
+ okay could you {a}
+ can you {a} for me
+ could you {a} now
+ please {a} now
- can you please {a}
- hey could you {a}
- okay can you {a}
- would you {a} for me
- hey please {a}
- can you {a} now

@ pair
+ {a} and {b}
+ {a} and then {b}
+ {a} then {b}
+ {a} and also {b}
+ {a}, also {b}
+ {a}, {b}
+ first {a} and then {b}
+ first {a}, then {b}
+ {a} and after that {b}
+ {a}, after that {b}
+ {a}, and {b}
+ {a}, and then {b}
+ {a}, and after that {b}
- {a}, then {b}
- first {a} then {b}
- {a}, and also {b}
- first {a} and after that {b}

@ triple
+ {a}, {b} and {c}
+ {a} and {b} and {c}
+ {a}, {b} and then {c}
+ {a} then {b} and then {c}
+ first {a}, then {b} and {c}
+ {a} and {b} and then {c}
+ {a}, {b} and also {c}
+ {a}, {b}, {c}
+ {a}, and then {b} and {c}
+ {a}, then {b}, then {c}
+ first {a} and then {b} and {c}
- {a}, then {b} and {c}
- first {a} then {b} and then {c}
- {a} and then {b} and {c}
- {a} and {b} and also {c}

@ follow first=light_switch second=light_dim require={"state":"on"} share=room brightness=percent
+ set it to {brightness}
+ set it to {brightness} brightness
+ dim it to {brightness}
+ turn it (up|down) to {brightness}
+ make it {brightness} bright
- bring it (up|down) to {brightness}
- change it to {brightness}

@ follow first=light_switch second=light_color require={"state":"on"} share=room color=color
+ make it {color}
+ turn it {color}
+ set it to {color}
- change it to {color}

@ follow first=music_play second=volume_set level=percent
+ turn it (up|down) to {level} => {"device":"music"}
+ set it to {level} => {"device":"music"}
+ put it at {level} => {"device":"music"}
- bring it (up|down) to {level} => {"device":"music"}

@ follow first=appliance_switch second=tv_channel require={"appliance":"television","on":true} channel=channel
+ switch it to channel {channel}
+ put it on channel {channel}
+ set it to channel {channel}
- change it to channel {channel}
)";
}

}  // namespace retort::home
