// The steps of a pre-tokenizer, run depth first over the pieces of the step before.
#include "text/pre_tokenizer.h"

#include <stdexcept>

#include "text/shared_patterns.h"

namespace retort::text {

using host::JsonCursor;

namespace {

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
    // Rust's char::is_numeric, no pattern of the file.
    steps_.push_back({.pattern = {Regex(flag_or(json, "individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)",
                                        Regex::Engine::pcre2)}});
  } else if (type == "Metaspace") {
    add_metaspace(json);
  } else {
    json.at("type").refuse(R"("Sequence", "ByteLevel", "Split", "Digits" or "Metaspace" (others are not implemented))");
  }
}

/// Two spellings: prepend_scheme, and before it add_prefix_space (true: always, false: never).
void PreTokenizer::add_metaspace(const JsonCursor& json) {
  Step step;
  step.space = step.prefix_text = json.at("replacement").string();
  if (step.space.empty()) json.at("replacement").refuse("a character");
  const std::string scheme = json.has("prepend_scheme")                ? json.at("prepend_scheme").string()
                             : flag_or(json, "add_prefix_space", true) ? "always"
                                                                       : "never";
  if (scheme != "always" && scheme != "first" && scheme != "never")
    json.at("prepend_scheme").refuse("\"always\", \"first\" or \"never\"");
  step.prefix = scheme == "always" ? Prefix::always : scheme == "first" ? Prefix::first : Prefix::never;
  if (flag_or(json, "split", true)) {
    step.pattern.emplace_back(quoted_for_regex(step.space));
    step.merge_with_next = true;
  }
  steps_.push_back(std::move(step));
}

void PreTokenizer::add_byte_level(const JsonCursor& json) {
  if (byte_level_) json.refuse("ByteLevel once");
  byte_level_ = true;
  Step step;
  step.prefix_text = " ";
  step.prefix = flag_or(json, "add_prefix_space", true) ? Prefix::always : Prefix::never;
  if (flag_or(json, "use_regex", true)) step.pattern.emplace_back(gpt2_pattern);
  steps_.push_back(std::move(step));
}

void PreTokenizer::add_split(const JsonCursor& json) {
  const JsonCursor pattern = json.at("pattern");
  const bool is_regex = pattern.has("Regex");
  std::string regex = is_regex ? pattern.at("Regex").string() : quoted_for_regex(pattern.at("String").string());
  const std::string behavior = json.at("behavior").string();
  const bool invert = flag_or(json, "invert", false);
  const bool with_next = behavior == "MergedWithNext" && !invert;
  // Cuts behind every match; a text, unlike a pattern, can always be looked back for.
  const bool with_previous = behavior == "MergedWithPrevious" && !invert && !is_regex;
  if (behavior != "Isolated" && behavior != "Removed" && !with_next && !with_previous)
    json.at("behavior")
        .refuse(
            R"("Isolated", "Removed", or without invert "MergedWithNext" or, of a String, "MergedWithPrevious" (others are not implemented))");
  if (with_previous) regex = "(?<=" + regex + ")";
  Step step;
  try {
    step.pattern.emplace_back(regex);
  } catch (const std::invalid_argument& error) {
    pattern.refuse("a regular expression", error.what());
  }
  step.merge_with_next = with_next;
  step.drop_matches = behavior == "Removed" && !invert;
  step.drop_gaps = behavior == "Removed" && invert;
  steps_.push_back(std::move(step));
}

void PreTokenizer::split(std::string_view text, const PieceFunction& piece, Place place) const {
  if (!text.empty()) run(0, text, place, piece);
}

void PreTokenizer::run(std::size_t index, std::string_view text, Place place, const PieceFunction& piece) const {
  if (index == steps_.size()) {
    piece(text);
    return;
  }
  const Step& step = steps_[index];
  std::string changed;
  if (!step.space.empty()) {
    for (const char c : text)
      if (c == ' ')
        changed += step.space;
      else
        changed += c;
    text = changed;
  }
  const bool prefixed = step.prefix == Prefix::always || (step.prefix == Prefix::first && place == Place::first);
  if (prefixed && !text.starts_with(step.prefix_text)) {
    changed = step.prefix_text + std::string(text);
    text = changed;
  }
  if (step.pattern.empty())
    run(index + 1, text, place, piece);
  else
    cut(index, text, place, piece);
}

void PreTokenizer::cut(std::size_t index, std::string_view text, Place place, const PieceFunction& piece) const {
  const Step& step = steps_[index];
  std::size_t done = 0;  // everything before it is handed on
  const auto hand_on = [&](std::size_t end, bool dropped) {
    if (end > done && !dropped) run(index + 1, text.substr(done, end - done), done == 0 ? place : Place::later, piece);
    done = end;
  };
  Regex::Matches matches(step.pattern.front(), text);
  while (const auto match = matches.next()) {  // an empty one cuts as well
    hand_on(match->begin, step.drop_gaps);
    if (!step.merge_with_next) hand_on(match->end, step.drop_matches);
  }
  hand_on(text.size(), step.drop_gaps);
}

}  // namespace retort::text
