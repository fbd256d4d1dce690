// The steps of a pre-tokenizer, run depth first over the pieces of the step before.
#include "text/pre_tokenizer.h"

#include <stdexcept>

namespace retort::text {

using model::JsonCursor;

const char gpt2_pattern[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

std::string quoted_for_regex(const std::string& literal) {
  std::string pattern;
  for (const char c : literal) {
    if (std::string_view("\\^$.[|()?*+{}-]#").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

bool flag_or(const JsonCursor& json, const char* key, bool absent) {
  return json.has(key) ? json.at(key).boolean() : absent;
}

}  // namespace

PreTokenizer PreTokenizer::gpt2() {
  PreTokenizer result;
  result.byte_level_ = true;
  result.steps_.push_back({.pattern = {Regex(gpt2_pattern)}});
  return result;
}

PreTokenizer PreTokenizer::from_json(const JsonCursor& json) {
  PreTokenizer result;
  result.add_steps(json);
  if (!result.byte_level_) json.refuse("a ByteLevel pre-tokenizer (others are not implemented)");
  return result;
}

void PreTokenizer::add_steps(const JsonCursor& json) {
  const std::string type = json.at("type").string();
  if (type == "Sequence") {
    const JsonCursor parts = json.at("pretokenizers").array();
    for (std::size_t i = 0; i < parts.size(); ++i) add_steps(parts.at(i));
  } else if (type == "ByteLevel") {
    add_byte_level(json);
  } else if (byte_level_) {
    json.refuse("ByteLevel as the last step");  // later steps would see its alphabet, not the text
  } else if (type == "Split") {
    add_split(json);
  } else if (type == "Digits") {
    steps_.push_back({.pattern = {Regex(flag_or(json, "individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)")}});
  } else {
    json.at("type").refuse("\"Sequence\", \"ByteLevel\", \"Split\" or \"Digits\" (others are not implemented)");
  }
}

void PreTokenizer::add_byte_level(const JsonCursor& json) {
  if (byte_level_) json.refuse("ByteLevel once");
  byte_level_ = true;
  Step step;
  step.add_prefix_space = flag_or(json, "add_prefix_space", true);
  if (flag_or(json, "use_regex", true)) step.pattern.emplace_back(gpt2_pattern);
  steps_.push_back(std::move(step));
}

void PreTokenizer::add_split(const JsonCursor& json) {
  const JsonCursor pattern = json.at("pattern");
  const std::string regex =
      pattern.has("Regex") ? pattern.at("Regex").string() : quoted_for_regex(pattern.at("String").string());
  const std::string behavior = json.at("behavior").string();
  const bool invert = flag_or(json, "invert", false);
  if (behavior != "Isolated" && behavior != "Removed")
    json.at("behavior").refuse("\"Isolated\" or \"Removed\" (others are not implemented)");
  Step step;
  try {
    step.pattern.emplace_back(regex);
  } catch (const std::invalid_argument& error) {
    pattern.refuse("a regular expression", error.what());
  }
  step.drop_matches = behavior == "Removed" && !invert;
  step.drop_gaps = behavior == "Removed" && invert;
  steps_.push_back(std::move(step));
}

void PreTokenizer::split(std::string_view text, const std::function<void(std::string_view)>& piece) const {
  if (!text.empty()) run(0, text, piece);
}

void PreTokenizer::run(std::size_t index, std::string_view text,
                       const std::function<void(std::string_view)>& piece) const {
  if (index == steps_.size()) {
    piece(text);
    return;
  }
  const Step& step = steps_[index];
  std::string prefixed;
  if (step.add_prefix_space && text.front() != ' ') {
    prefixed.reserve(text.size() + 1);
    prefixed += ' ';
    prefixed += text;
    text = prefixed;
  }
  if (step.pattern.empty()) {
    run(index + 1, text, piece);
    return;
  }
  std::size_t done = 0;  // everything before it is handed on
  std::size_t from = 0;
  while (from < text.size()) {
    const auto match = step.pattern.front().find(text, from);
    if (!match) break;
    if (match->end == match->begin) {  // an empty match cuts nothing: go on at the next character
      from = match->end + 1;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0U) == 0x80U) ++from;
      continue;
    }
    if (match->begin > done && !step.drop_gaps) run(index + 1, text.substr(done, match->begin - done), piece);
    if (!step.drop_matches) run(index + 1, text.substr(match->begin, match->end - match->begin), piece);
    done = from = match->end;
  }
  if (done < text.size() && !step.drop_gaps) run(index + 1, text.substr(done), piece);
}

}  // namespace retort::text
