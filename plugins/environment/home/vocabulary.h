// The closed lists that the tools, the simulated home and the grammar share, and the open ones that the grammar draws
// free text from.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace retort::home {

using Words = std::vector<std::string>;

const Words& rooms();
const Words& colors();
const Words& scenes();
const Words& doors();
const Words& appliances();
const Words& days();  ///< today, tomorrow and the weekdays
/// The rooms that have the device: "light", "color", "thermostat", "blinds", "fan", "speaker", "television", "vacuum".
/// Throws std::out_of_range for another device.
const Words& rooms_with(std::string_view device);
const Words& initial_alarms();  ///< HH:MM, what is set in the fixed initial home

/// How people say a value of a closed list; the value itself where it has no other name.
const Words& spoken_names(const std::string& value);

const Words& people();
const Words& cities();
const Words& genres();
const Words& artists();
const Words& timer_labels();
const Words& shopping_items();  ///< what most lists hold; food_products() gives the rest
const Words& events();
const Words& fixed_messages();
const Words& fixed_errands();

/// Known words in combinations that only test utterances use.
const Words& unseen_music();
const Words& unseen_items();

/// Phrases whose product gives messages, errands and food: one of each list, joined by a space, empty ones left out.
using PhraseProduct = std::vector<Words>;
const std::vector<PhraseProduct>& message_products();
const std::vector<PhraseProduct>& errand_products();
const std::vector<PhraseProduct>& food_products();

/// Words put together at random, for training only: they can be copied but not recalled.
const std::vector<PhraseProduct>& mixed_items();
const std::vector<PhraseProduct>& mixed_music();

const Words& countries();
const Words& dishes();
const Words& topics();
const Words& sports();
const Words& animals();

}  // namespace retort::home
