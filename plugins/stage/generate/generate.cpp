// Checks on what an environment generated. Asking the environment is generate_plugin.cpp's business.
#include "generate.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <utility>

#include "data/text_hash.h"

namespace retort::stages {
namespace {

using task::Example;

[[noreturn]] void fail(const std::string& split, std::size_t row, const std::string& what) {
  throw std::runtime_error("environment: generate: " + split + " row " + std::to_string(row) + ": " + what +
                           "; this is a fault of the environment's component");
}

/// "Turn it on." and "turn it on" count as the same utterance.
std::string normalized(const std::string& utterance) {
  std::string result;
  for (const char c : utterance) result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  while (!result.empty() && std::string_view(".?! ").find(result.back()) != std::string_view::npos) result.pop_back();
  return result;
}

std::vector<std::string> parts_of(const Example& example) {
  const auto id = example.metadata.find("template");
  if (id == example.metadata.end() || !id->is_string()) return {};
  return template_parts(id->get_ref<const std::string&>());
}

}  // namespace

std::vector<std::string> template_parts(std::string_view id) {
  std::vector<std::string> parts(1);
  for (const char c : id) {
    if (c == '(' || c == ')' || c == '+') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  parts.erase(std::remove(parts.begin(), parts.end(), std::string()), parts.end());
  return parts;
}

Example read_generated(const std::string& split, std::size_t number, const nlohmann::json& row) {
  try {
    Example example = task::from_row(row);
    if (example.calls) return example;
  } catch (const std::invalid_argument& error) {
    fail(split, number, error.what());
  }
  fail(split, number, "expected an assistant message with the gold calls");
}

void SplitsApart::take(const std::string& split, std::size_t number, const Example& example) {
  const std::string& utterance = example.utterance();
  const std::uint64_t hash = data::text_hash(normalized(utterance));
  const auto expect_new = [&](const std::string& where) {
    fail(split, number, "expected a new utterance, found \"" + utterance + "\" of " + where);
  };
  for (const auto& [name, texts] : splits_)
    if (name != split && texts.normalized.contains(hash)) expect_new(name);
  Texts& own = splits_[split];
  const bool new_words = own.normalized.insert(hash), new_text = own.exact.insert(data::text_hash(utterance));
  if (!new_words && !new_text) expect_new(split);  // other marks or capitals alone are let pass within a split
  for (std::string& part : parts_of(example)) {
    if (split == "test")
      for (const auto& [name, texts] : splits_)
        if (name != split && texts.parts.count(part) != 0)
          fail(split, number, "template " + part + " was used in " + name + " too");
    own.parts.insert(std::move(part));
  }
}

Example without_labels(Example example) {
  example.calls.reset();
  example.text.clear();
  return example;
}

}  // namespace retort::stages
