// Checks on what an environment generated. Asking the environment is generate_plugin.cpp's business.
#include "generate.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <stdexcept>
#include <utility>

#include "host/plugin/stop_request.h"

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

class DistinctUtterances {
 public:
  void add(const std::string& split, const std::vector<Example>& examples) {
    for (std::size_t i = 0; i < examples.size(); ++i) {
      host::throw_if_stop_requested();
      const auto [place, added] = seen_.emplace(normalized(examples[i].utterance()), split);
      const bool punctuation_only = !added && place->second == split && exact_.count(examples[i].utterance()) == 0;
      if (!added && !punctuation_only) {
        fail(split, i + 1, "expected a new utterance, found \"" + examples[i].utterance() + "\" of " + place->second);
      }
      exact_.insert(examples[i].utterance());
    }
  }

 private:
  std::map<std::string, std::string> seen_;  ///< utterance, its split
  std::set<std::string> exact_;
};

std::set<std::string> parts_of(const std::vector<Example>& examples) {
  std::set<std::string> parts;
  for (const Example& example : examples) {
    host::throw_if_stop_requested();
    const auto id = example.metadata.find("template");
    if (id == example.metadata.end() || !id->is_string()) continue;
    for (std::string& part : template_parts(id->get_ref<const std::string&>())) parts.insert(std::move(part));
  }
  return parts;
}

void require_apart(const std::string& split, const std::set<std::string>& parts, const std::vector<Example>& test) {
  for (std::size_t i = 0; i < test.size(); ++i) {
    host::throw_if_stop_requested();
    for (const std::string& part : parts_of({test[i]})) {
      if (parts.count(part) != 0) fail("test", i + 1, "template " + part + " was used in " + split + " too");
    }
  }
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

GeneratedDataset assemble(std::vector<Example> train, std::vector<Example> validation, std::vector<Example> test,
                          TrainLabels labels) {
  GeneratedDataset dataset{std::move(train), std::move(validation), std::move(test)};
  DistinctUtterances utterances;
  utterances.add("train", dataset.train);
  utterances.add("validation", dataset.validation);
  utterances.add("test", dataset.test);
  require_apart("train", parts_of(dataset.train), dataset.test);
  require_apart("validation", parts_of(dataset.validation), dataset.test);
  if (labels == TrainLabels::kept) return dataset;
  for (Example& example : dataset.train) {
    example.calls.reset();
    example.text.clear();
  }
  return dataset;
}

}  // namespace retort::stages
