// The lists of data/vocabulary.json; what is done with them is in tools.cpp, home.cpp and slots.cpp.
#include "vocabulary.h"

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "data.h"

namespace retort::home {
namespace {

using nlohmann::json;

const json& data() {
  static const json parsed = json::parse(vocabulary_data());
  return parsed;
}

Words words(const char* name) {
  return data().at(name).get<Words>();
}

std::vector<PhraseProduct> products(const char* name) {
  return data().at(name).get<std::vector<PhraseProduct>>();
}

using WordsByName = std::map<std::string, Words, std::less<>>;

}  // namespace

const Words& rooms_with(std::string_view device) {
  static const auto list = data().at("rooms_with").get<WordsByName>();
  const auto found = list.find(device);
  if (found == list.end()) throw std::out_of_range("rooms_with: no device \"" + std::string(device) + "\"");
  return found->second;
}

const Words& spoken_names(const std::string& value) {
  static const WordsByName names = [] {
    auto list = data().at("spoken_names").get<WordsByName>();
    for (const Words* values : {&rooms(), &colors(), &scenes(), &doors(), &appliances(), &days()}) {
      for (const std::string& word : *values) list.try_emplace(word, Words{word});
    }
    return list;
  }();
  return names.at(value);
}

const Words& rooms() {
  static const Words list = words("rooms");
  return list;
}
const Words& colors() {
  static const Words list = words("colors");
  return list;
}
const Words& scenes() {
  static const Words list = words("scenes");
  return list;
}
const Words& doors() {
  static const Words list = words("doors");
  return list;
}
const Words& appliances() {
  static const Words list = words("appliances");
  return list;
}
const Words& days() {
  static const Words list = words("days");
  return list;
}
const Words& initial_alarms() {
  static const Words list = words("initial_alarms");
  return list;
}
const Words& people() {
  static const Words list = words("people");
  return list;
}
const Words& cities() {
  static const Words list = words("cities");
  return list;
}
const Words& genres() {
  static const Words list = words("genres");
  return list;
}
const Words& artists() {
  static const Words list = words("artists");
  return list;
}
const Words& timer_labels() {
  static const Words list = words("timer_labels");
  return list;
}
const Words& shopping_items() {
  static const Words list = words("shopping_items");
  return list;
}
const Words& events() {
  static const Words list = words("events");
  return list;
}
const Words& fixed_messages() {
  static const Words list = words("fixed_messages");
  return list;
}
const Words& fixed_errands() {
  static const Words list = words("fixed_errands");
  return list;
}
const Words& unseen_music() {
  static const Words list = words("unseen_music");
  return list;
}
const Words& unseen_items() {
  static const Words list = words("unseen_items");
  return list;
}
const std::vector<PhraseProduct>& message_products() {
  static const std::vector<PhraseProduct> list = products("message_products");
  return list;
}
const std::vector<PhraseProduct>& errand_products() {
  static const std::vector<PhraseProduct> list = products("errand_products");
  return list;
}
const std::vector<PhraseProduct>& food_products() {
  static const std::vector<PhraseProduct> list = products("food_products");
  return list;
}
const std::vector<PhraseProduct>& mixed_items() {
  static const std::vector<PhraseProduct> list = products("mixed_items");
  return list;
}
const std::vector<PhraseProduct>& mixed_music() {
  static const std::vector<PhraseProduct> list = products("mixed_music");
  return list;
}
const Words& countries() {
  static const Words list = words("countries");
  return list;
}
const Words& dishes() {
  static const Words list = words("dishes");
  return list;
}
const Words& topics() {
  static const Words list = words("topics");
  return list;
}
const Words& sports() {
  static const Words list = words("sports");
  return list;
}
const Words& animals() {
  static const Words list = words("animals");
  return list;
}

}  // namespace retort::home
