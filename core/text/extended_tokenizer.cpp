#include "text/extended_tokenizer.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace retort::text {

Tokenizer with_special_tokens(const Tokenizer& tokenizer, const std::vector<std::string>& tokens) {
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(tokenizer.to_json());
  nlohmann::ordered_json& added = json["added_tokens"];
  if (added.is_null()) added = nlohmann::ordered_json::array();
  std::int64_t next = tokenizer.vocabulary_size();
  for (const std::string& token : tokens) {
    if (const auto id = tokenizer.find(token)) {
      if (tokenizer.is_special(*id)) continue;
      throw std::invalid_argument("the tokenizer has '" + token + "' as an ordinary token (id " + std::to_string(*id) +
                                  "), expected a special one or none: rename the tool or argument behind it, or use "
                                  "call_format json");
    }
    added.push_back({{"id", next++},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  return Tokenizer::parse(json.dump(), "the tokenizer with the task's special tokens");
}

}  // namespace retort::text
