// The source text of the grammar: how people ask for each tool.
//
// One line a template. "+" belongs to training and validation, "-" to the test split only; "~" after it marks a clause
// that is not an imperative, so that "could you" does not fit before it. In the text, {slot} or {slot:kind} is a value
// (kinds: slots.h), (a|b) one of, [a] optional, and "=> {…}" gives arguments that the wording itself implies.
// "@ tool weight=2 slot=kind …" begins a tool, which training then sees that many times as often as others; "@ none"
// the utterances that no tool answers; "@ wrap", "@ pair" and "@ triple" the frames around one, two and three clauses,
// which stand as {a}, {b} and {c}. "@ follow first=TOOL second=TOOL require={…} share=ARGUMENT slot=kind …" begins
// clauses for the second tool that speak of "it" after one for the first tool which had the required arguments; the
// shared argument goes over from the first call.
#pragma once

#include <string_view>

namespace retort::home {

std::string_view device_templates();
std::string_view media_templates();
std::string_view planning_templates();
std::string_view other_templates();  ///< none and the frames

}  // namespace retort::home
