// The files of data/, as the build put them into this library: a plugin is one file.
//
// devices.json, media.json, planning.json: {"tools": [{"tool", "weight"?, "slots"?, "templates"}]}, how people ask for each
// tool; training sees a tool `weight` times as often as others. other.json: "none", the templates of what no tool answers;
// "frames", the text around one (wrap), two (pair) and three (triple) clauses, which stand as {a}, {b} and {c};
// "follow_ups" [{"first", "second", "require"?, "share"?, "slots", "templates"}], clauses for the tool `second` that speak
// of "it" after one for `first` whose arguments have the required values; the shared argument goes over from there.
// vocabulary.json: word lists, see vocabulary.h.
//
// A template is {"say": text, "arguments"?: what the wording itself implies, "imperative"?: false for a clause that does not
// fit behind "could you", "test"?: true for the test split alone}. In the text, {slot} or {slot:kind} is a value ("slots"
// gives the kinds; slots.h has them), (a|b) one of, [a] optional. A template's place in its list is part of its id.
#pragma once

#include <string_view>

namespace retort::home {

std::string_view devices_data();
std::string_view media_data();
std::string_view planning_data();
std::string_view other_data();
std::string_view vocabulary_data();

}  // namespace retort::home
