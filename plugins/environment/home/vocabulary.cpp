// Word lists only; what is done with them is in tools.cpp, home.cpp and slots.cpp.
#include "vocabulary.h"

#include <functional>
#include <map>
#include <stdexcept>

namespace retort::home {

const Words& rooms() {
  static const Words list = {"kitchen", "living room", "bedroom",     "bathroom", "hallway",
                             "office",  "garage",      "dining room", "nursery",  "guest room"};
  return list;
}

const Words& colors() {
  static const Words list = {"red",    "blue",   "green", "yellow",     "orange",
                             "purple", "violet", "pink",  "warm white", "cool white"};
  return list;
}

const Words& scenes() {
  static const Words list = {"movie night", "dinner",  "bedtime",  "good morning",
                             "party",       "reading", "vacation", "cleaning"};
  return list;
}

const Words& doors() {
  static const Words list = {"front", "back", "garage", "patio", "side"};
  return list;
}

const Words& appliances() {
  static const Words list = {"coffee machine", "dishwasher",   "washing machine", "dryer",           "kettle",
                             "television",     "air purifier", "lawn sprinkler",  "electric blanket"};
  return list;
}

const Words& days() {
  static const Words list = {"today",    "tomorrow", "monday",   "tuesday", "wednesday",
                             "thursday", "friday",   "saturday", "sunday"};
  return list;
}

const Words& rooms_with(std::string_view device) {
  static const std::map<std::string, Words, std::less<>> list = {
      {"light", rooms()},
      {"color", {"living room", "bedroom", "office", "dining room", "nursery", "guest room"}},
      {"thermostat",
       {"kitchen", "living room", "bedroom", "bathroom", "office", "dining room", "nursery", "guest room"}},
      {"blinds", {"kitchen", "living room", "bedroom", "office", "dining room", "nursery", "guest room"}},
      {"fan", {"living room", "bedroom", "bathroom", "office", "nursery", "guest room"}},
      {"speaker", {"kitchen", "living room", "bedroom", "bathroom", "office", "dining room"}},
      {"television", {"living room", "bedroom", "guest room"}},
      {"vacuum", {"kitchen", "living room", "bedroom", "bathroom", "hallway", "office", "dining room", "guest room"}}};
  const auto found = list.find(device);
  if (found == list.end()) throw std::out_of_range("rooms_with: no device \"" + std::string(device) + "\"");
  return found->second;
}

const Words& initial_alarms() {
  static const Words list = {"05:30", "06:00", "06:15", "06:30", "06:45", "07:00", "07:15", "07:30", "08:00", "08:30",
                             "09:00", "10:00", "13:30", "15:00", "16:30", "18:00", "19:45", "21:00", "22:30"};
  return list;
}

const Words& spoken_names(const std::string& value) {
  static const std::map<std::string, Words> list = {{"living room", {"living room", "living room", "lounge"}},
                                                    {"office", {"office", "office", "study"}},
                                                    {"hallway", {"hallway", "hallway", "hall"}},
                                                    {"television", {"television", "tv", "tv"}},
                                                    {"coffee machine", {"coffee machine", "coffee maker"}}};
  static std::map<std::string, Words> own = [] {
    std::map<std::string, Words> names;
    for (const Words* words : {&rooms(), &colors(), &scenes(), &doors(), &appliances(), &days()}) {
      for (const std::string& word : *words) names[word] = {word};
    }
    return names;
  }();
  const auto found = list.find(value);
  return found != list.end() ? found->second : own.at(value);
}

const Words& people() {
  static const Words list = {"anna",  "tom",   "maria",   "john",   "sarah",   "david", "emma",
                             "lucas", "julia", "peter",   "laura",  "ben",     "alice", "james",
                             "mom",   "dad",   "grandma", "sophie", "michael", "nina"};
  return list;
}

const Words& cities() {
  static const Words list = {"london", "paris",   "berlin", "madrid",    "rome",        "new york",  "san francisco",
                             "tokyo",  "chicago", "boston", "amsterdam", "vienna",      "prague",    "sydney",
                             "oslo",   "lisbon",  "dublin", "seattle",   "los angeles", "barcelona", "hong kong",
                             "athens", "zurich",  "munich", "toronto"};
  return list;
}

const Words& genres() {
  static const Words list = {
      "jazz",          "rock",           "blues",           "classical music", "piano music",
      "country music", "hip hop",        "reggae",          "techno",          "folk songs",
      "lullabies",     "love songs",     "christmas songs", "ambient music",   "dance music",
      "summer hits",   "relaxing music", "workout music",   "opera",           "movie soundtracks"};
  return list;
}

const Words& artists() {
  static const Words list = {"the beatles", "miles davis",        "adele",         "daft punk",     "mozart",
                             "bob dylan",   "nina simone",        "queen",         "abba",          "johnny cash",
                             "david bowie", "ella fitzgerald",    "pink floyd",    "radiohead",     "taylor swift",
                             "beethoven",   "louis armstrong",    "coldplay",      "elton john",    "frank sinatra",
                             "madonna",     "the rolling stones", "stevie wonder", "billie eilish", "leonard cohen"};
  return list;
}

const Words& timer_labels() {
  static const Words list = {"pasta", "tea",     "egg",    "pizza",    "rice", "laundry",
                             "bread", "workout", "coffee", "homework", "cake", "soup"};
  return list;
}

const Words& shopping_items() {
  static const Words list = {
      "milk",        "eggs",         "bread",       "butter",          "cheese",        "apples",       "bananas",
      "oranges",     "tomatoes",     "potatoes",    "onions",          "carrots",       "rice",         "pasta",
      "flour",       "sugar",        "salt",        "coffee",          "tea",           "orange juice", "oat milk",
      "olive oil",   "toilet paper", "dish soap",   "cat food",        "dog food",      "yogurt",       "chicken",
      "ground beef", "salmon",       "spinach",     "cucumbers",       "garlic",        "lemons",       "strawberries",
      "chocolate",   "cookies",      "ice cream",   "sparkling water", "red wine",      "beer",         "honey",
      "cereal",      "batteries",    "light bulbs", "paper towels",    "peanut butter", "trash bags"};
  return list;
}

const Words& events() {
  static const Words list = {"the meeting",        "the dentist appointment", "the yoga class",
                             "the birthday party", "the phone call",          "the football game",
                             "the piano lesson",   "the parent meeting",      "the dinner party",
                             "the job interview",  "the train ticket",        "the doctor appointment"};
  return list;
}

const Words& fixed_messages() {
  static const Words list = {"i love you",        "happy birthday",     "good night",     "see you soon",
                             "thank you so much", "good luck",          "i am on my way", "i am stuck in traffic",
                             "i miss you",        "we are out of milk", "call me back",   "the kids are asleep",
                             "i found the keys"};
  return list;
}

const Words& fixed_errands() {
  static const Words list = {"take out the trash",
                             "water the plants",
                             "feed the cat",
                             "walk the dog",
                             "pay the rent",
                             "pay the bills",
                             "take my medicine",
                             "do the laundry",
                             "charge the phone",
                             "go for a run",
                             "send the report",
                             "take the cake out of the oven",
                             "stretch",
                             "do my homework"};
  return list;
}

const Words& unseen_music() {
  static const Words list = {"country rock",      "relaxing jazz", "jazz piano music",
                             "summer love songs", "techno music",  "dance hits"};
  return list;
}

const Words& unseen_items() {
  static const Words list = {"chocolate milk",   "garlic bread",   "garlic butter",
                             "coffee ice cream", "orange cookies", "rice milk"};
  return list;
}

const std::vector<PhraseProduct>& message_products() {
  static const std::vector<PhraseProduct> list = {
      {{"i will be", "we will be", "i am going to be", "the kids will be"},
       {"late", "home soon", "at the office", "at the station", "back", "home"},
       {"", "tonight", "tomorrow", "after work", "in ten minutes", "this evening"}},
      {{"do not forget to", "you need to", "remember to", "you have to"},
       {"call me back", "bring the keys", "feed the cat", "pick up the kids", "buy some milk", "close the windows",
        "water the plants", "walk the dog"}},
      {{"dinner", "lunch", "breakfast", "the cake", "the car", "the package", "the meeting", "the train"},
       {"is ready", "is late", "is here", "is almost done", "was great"}}};
  return list;
}

const std::vector<PhraseProduct>& errand_products() {
  static const std::vector<PhraseProduct> list = {
      {{"call", "visit", "write to", "pick up"},
       {"the dentist", "mom", "the bank", "the kids", "the neighbors", "the plumber", "grandma", "anna"}},
      {{"buy", "order", "return"},
       {"flowers", "a gift", "the books", "the shoes", "some milk", "the tickets", "cat food"}},
      {{"clean", "fix", "check"},
       {"the car", "the bike", "the sink", "the windows", "the garage", "the coffee machine"}}};
  return list;
}

const std::vector<PhraseProduct>& food_products() {
  static const std::vector<PhraseProduct> list = {
      {{"fresh", "frozen", "organic", "canned", "dried"},
       {"tomatoes", "apples", "carrots", "onions", "spinach", "strawberries", "salmon", "chicken", "lemons", "peas",
        "beans", "mushrooms", "peaches", "corn", "herbs"}},
      {{"brown", "white"}, {"bread", "rice", "sugar", "flour", "onions", "beans"}},
      {{"almond", "coconut", "soy"}, {"milk", "yogurt", "flour", "oil", "cookies"}},
      {{"apple", "tomato", "carrot", "lemon"}, {"juice", "soup", "cake", "sauce"}},
      {{"garlic", "onion", "chocolate", "coffee", "orange", "honey", "rice", "potato"},
       {"sauce", "powder", "crackers", "syrup", "salad"}},
      {{"green", "black", "mint", "ginger"}, {"tea", "soap"}},
      {{"vanilla", "strawberry", "caramel"}, {"ice cream", "yogurt", "cookies", "cake"}},
      {{"goat", "cream", "cottage"}, {"cheese"}}};
  return list;
}

const std::vector<PhraseProduct>& mixed_items() {
  static const std::vector<PhraseProduct> list = {
      {{"apple", "banana", "cashew", "cherry", "corn",    "garlic", "ginger", "hazelnut", "herb",    "honey",  "lemon",
        "mint",  "olive",  "onion",  "pepper", "pumpkin", "raisin", "rice",   "tomato",   "vanilla", "walnut", "wheat"},
       {"bread", "butter", "cereal", "cheese", "chips", "cookies", "cream", "flour", "jam", "milk", "noodles", "oil",
        "pasta", "rolls", "sauce", "soup", "tea", "vinegar"}}};
  return list;
}

const std::vector<PhraseProduct>& mixed_music() {
  static const std::vector<PhraseProduct> list = {
      {{"classic", "modern", "live", "acoustic", "slow", "happy", "german", "irish", "country", "relaxing", "summer"},
       {"jazz", "rock", "blues", "reggae", "techno", "hits", "music", "songs", "ballads", "opera"}},
      {{"jazz", "blues", "rock", "techno", "folk", "dance", "piano", "guitar", "party"},
       {"music", "hits", "songs", "classics", "duets"}}};
  return list;
}

const Words& countries() {
  static const Words list = {"france", "spain",  "italy", "japan", "brazil",
                             "canada", "norway", "egypt", "india", "poland"};
  return list;
}

const Words& dishes() {
  static const Words list = {"pizza", "sushi", "burgers", "tacos", "noodles", "pancakes", "salad", "curry", "lasagna"};
  return list;
}

const Words& topics() {
  static const Words list = {"history",    "politics",         "space",     "dinosaurs",       "black holes", "chess",
                             "philosophy", "the stock market", "the ocean", "the roman empire"};
  return list;
}

const Words& sports() {
  static const Words list = {"football", "basketball", "tennis", "hockey", "baseball", "volleyball"};
  return list;
}

const Words& animals() {
  static const Words list = {"cat", "dog", "horse", "parrot", "rabbit", "hamster"};
  return list;
}

}  // namespace retort::home
