// The files of data/, as the build put them into this library: a plugin is one file.
//
// Simple speech. devices.json, media.json, planning.json: {"tools": [{"tool", "weight"?, "slots"?, "templates"}]}, how
// people ask for each tool; training sees a tool `weight` times as often as others. other.json: "none", the templates
// of what no tool answers; "frames", the text around one (wrap), two (pair) and three (triple) clauses, which stand as
// {a}, {b} and {c}; "follow_ups" [{"first", "second", "require"?, "share"?, "slots", "templates"}], clauses for the
// tool `second` that speak of "it" after one for `first` whose arguments have the required values; the shared argument
// goes over from there. vocabulary.json: word lists, see vocabulary.h.
//
// A template is {"say": text, "arguments"?: what the wording itself implies, "imperative"?: false for a clause that
// does not fit behind "could you", "test"?: true for the test split alone}. In the text, {slot} or {slot:kind} is a
// value ("slots" gives the kinds; slots.h has them), (a|b) one of, [a] optional. A template's place in its list is part
// of its id.
//
// Wide speech has all that, and data/wide beside it. There templates stand in groups: {"say": [text…], "test"?:
// [text…], "arguments"?, "imperative"?, "indirect"?: true for clauses that say what is the matter, "calls"?: the calls
// that the template means, with "{slot}" for values, in place of the tool's own}. A wording that begins with "~" does
// not fit behind "could you". A slot whose name begins with "_" is said and then taken back: it is no argument. <name>
// is a macro of macros.json. lights, climate, house, media, planning and people have the tools; none.json the groups of
// what no tool answers ("beside": it may stand beside a request that one does); several.json clauses that share words,
// more frames and follow-ups; phrases.json the templates of free text;
// *_names, goods and words lists of words, lines that ", " parts; spoken_names.json other names of closed values.
#pragma once

#include <string_view>

namespace retort::home {

std::string_view devices_data();
std::string_view media_data();
std::string_view planning_data();
std::string_view other_data();
std::string_view vocabulary_data();

std::string_view wide_climate_data();
std::string_view wide_goods_data();
std::string_view wide_house_data();
std::string_view wide_lights_data();
std::string_view wide_macros_data();
std::string_view wide_media_data();
std::string_view wide_music_names_data();
std::string_view wide_none_data();
std::string_view wide_people_data();
std::string_view wide_people_names_data();
std::string_view wide_phrases_data();
std::string_view wide_place_names_data();
std::string_view wide_planning_data();
std::string_view wide_follow_ups_data();
std::string_view wide_frames_data();
std::string_view wide_several_data();
std::string_view wide_spoken_names_data();
std::string_view wide_words_data();

}  // namespace retort::home
