// See normalizer.h.
#include "text/normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace retort::text {

using host::JsonCursor;

namespace {

constexpr std::size_t greatest_growth = 64;  // far beyond any real one; replacements of replacements multiply

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string replace_literal(std::string_view text, const std::string& literal, const std::string& content) {
  std::string result;
  result.reserve(text.size() + text.size() / 2);
  std::size_t done = 0;
  for (std::size_t found = text.find(literal); found != std::string_view::npos; found = text.find(literal, done)) {
    result.append(text, done, found - done);
    result += content;
    done = found + literal.size();
  }
  return result.append(text, done);
}

std::string replace_matches(std::string_view text, const Regex& pattern, const std::string& content) {
  std::string result;
  std::size_t done = 0;
  Regex::Matches matches(pattern, text);
  while (const auto match = matches.next()) {  // at an empty one the content is put in
    result.append(text, done, match->begin - done);
    result += content;
    done = match->end;
  }
  return result.append(text, done);
}

std::string utf8proc_nfc(std::string_view text) {
  utf8proc_uint8_t* normalized = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &normalized, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (length < 0) throw std::runtime_error(std::string("NFC normalisation: ") + utf8proc_errmsg(length));
  std::string result(reinterpret_cast<const char*>(normalized), static_cast<std::size_t>(length));
  std::free(normalized);
  return result;
}

/// utf8proc 2.9 takes it for the final consonant of index 0 and swallows it behind a syllable without one. It composes
/// with nothing and is no combining mark, so that what stands before and behind it is normalised apart.
constexpr std::string_view before_first_final = "\xE1\x86\xA7";  // U+11A7

}  // namespace

std::string to_nfc(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  std::string result;
  for (;;) {
    const std::size_t found = text.find(before_first_final);
    result += utf8proc_nfc(text.substr(0, found));
    if (found == std::string_view::npos) return result;
    result += before_first_final;
    text.remove_prefix(found + before_first_final.size());
  }
}

Normalizer Normalizer::from_json(const JsonCursor& json) {
  Normalizer result;
  result.add_steps(json);
  return result;
}

void Normalizer::add_steps(const JsonCursor& json) {
  const std::string type = json.at("type").string();
  if (type == "Sequence") {
    const JsonCursor parts = json.at("normalizers").array();
    for (std::size_t i = 0; i < parts.size(); ++i) add_steps(parts.at(i));
  } else if (type == "NFC") {
    steps_.push_back({.kind = Kind::nfc});
  } else if (type == "Prepend") {
    steps_.push_back({.kind = Kind::prepend, .content = json.at("prepend").string()});
  } else if (type == "Replace") {
    add_replace(json);
  } else {
    json.at("type").refuse("\"NFC\", \"Prepend\", \"Replace\" or \"Sequence\" (others are not implemented)");
  }
}

void Normalizer::add_replace(const JsonCursor& json) {
  Step step{.kind = Kind::replace, .content = json.at("content").string()};
  const JsonCursor pattern = json.at("pattern").object();
  if (pattern.has("Regex")) {
    try {
      step.pattern.emplace_back(pattern.at("Regex").string());
    } catch (const std::invalid_argument& error) {
      pattern.refuse("a regular expression", error.what());
    }
  } else {
    step.literal = pattern.at("String").string();
    if (step.literal.empty()) pattern.at("String").refuse("a text that is not empty");
  }
  steps_.push_back(std::move(step));
}

std::string Normalizer::apply(std::string_view text) const {
  std::string result(text);
  for (const Step& step : steps_) {
    if (result.empty()) break;
    if (result.size() > greatest_growth * (text.size() + greatest_growth))
      throw std::runtime_error("normalizer: expected text to stay below " + std::to_string(greatest_growth) +
                               " times its size, found " + std::to_string(result.size()) + " bytes made of " +
                               std::to_string(text.size()));
    switch (step.kind) {
      case Kind::nfc:
        result = to_nfc(result);
        break;
      case Kind::prepend:
        result.insert(0, step.content);
        break;
      case Kind::replace:
        result = step.pattern.empty() ? replace_literal(result, step.literal, step.content)
                                      : replace_matches(result, step.pattern.front(), step.content);
        break;
    }
  }
  return result;
}

}  // namespace retort::text
