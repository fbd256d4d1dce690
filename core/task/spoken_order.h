// The order in which an utterance says the arguments of a call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace retort::task {

/// One argument's name and the text under which its value would stand in an utterance.
struct SpokenArgument {
  std::string name;
  std::string text;
};

/// The names in the order in which `utterance` says their texts, each at its first place that begins and ends at a
/// word's bounds. What it does not say (a number in words, a value from elsewhere) comes last. Arguments said at the
/// same place, and those not said, keep the order in which they are given.
std::vector<std::string> spoken_order(std::string_view utterance, const std::vector<SpokenArgument>& arguments);

}  // namespace retort::task
