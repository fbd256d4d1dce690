// From tags to arguments. Nothing is guessed: a row that is not plain BIO is rejected with its reason.
#include "data/bio_corpus.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>

#include "host/base/files.h"
#include "host/plugin/stop_request.h"

namespace retort::data {
namespace {

using task::Example;

std::vector<std::string> split_at_spaces(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::istringstream stream(host::read_file(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool names_a_tool(const std::string& label) {
  return !label.empty() && label.size() <= 64 && std::all_of(label.begin(), label.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  });
}

/// Appends the token to the argument that its tag names. `open` is the slot that an I- tag may continue.
void add_token(nlohmann::json& arguments, const std::string& token, const std::string& tag, std::string& open) {
  if (tag == "O") {
    open.clear();
    return;
  }
  const bool begins = tag.starts_with("B-");
  if ((!begins && tag.rfind("I-", 0) != 0) || tag.size() == 2) {
    throw std::invalid_argument("tag: expected O, B-slot or I-slot, found \"" + tag + "\"");
  }
  const std::string slot = tag.substr(2);
  if (!begins && slot != open) {
    throw std::invalid_argument("tag: expected \"" + tag + "\" to continue a " + slot + " value, found it at \"" +
                                token + "\"");
  }
  nlohmann::json& value = arguments[slot];
  if (!begins) {
    nlohmann::json& last = value.is_array() ? value.back() : value;
    last = last.get<std::string>() + " " + token;
  } else if (value.is_null()) {
    value = token;
  } else {
    if (!value.is_array()) value = nlohmann::json::array({value});
    value.push_back(token);
  }
  open = slot;
}

void append_rejected(const std::string& split, const std::vector<task::RejectedRow>& rows,
                     std::vector<task::RejectedRow>& all) {
  for (const task::RejectedRow& row : rows) all.push_back({row.line, split + ": " + row.reason, row.text});
}

}  // namespace

Example to_example(std::string_view tokens, std::string_view tags, std::string_view label) {
  const std::vector<std::string> words = split_at_spaces(tokens);
  const std::vector<std::string> marks = split_at_spaces(tags);
  const std::vector<std::string> intents = split_at_spaces(label);
  if (words.empty()) throw std::invalid_argument("seq.in: expected tokens, found an empty line");
  if (words.size() != marks.size()) {
    throw std::invalid_argument("expected one tag for each token, found " + std::to_string(words.size()) +
                                " tokens and " + std::to_string(marks.size()) + " tags");
  }
  if (intents.size() != 1 || !names_a_tool(intents.front())) {
    throw std::invalid_argument("label: expected one name of letters, digits, '_', '-' or '.', found \"" +
                                std::string(label) + "\"");
  }
  std::string utterance;
  task::Call call{intents.front(), nlohmann::json::object()};
  std::string open;
  for (std::size_t i = 0; i < words.size(); ++i) {
    utterance += (i == 0 ? "" : " ") + words[i];
    add_token(call.arguments, words[i], marks[i], open);
  }
  return {std::move(utterance), std::vector<task::Call>{std::move(call)}};
}

task::Split read_bio(const std::filesystem::path& folder) {
  const std::vector<std::string> tokens = lines_of(folder / "seq.in");
  const std::vector<std::string> tags = lines_of(folder / "seq.out");
  const std::vector<std::string> labels = lines_of(folder / "label");
  if (tokens.size() != tags.size() || tokens.size() != labels.size()) {
    throw std::runtime_error("'" + folder.string() + "': expected as many lines in seq.in, seq.out and label, found " +
                             std::to_string(tokens.size()) + ", " + std::to_string(tags.size()) + " and " +
                             std::to_string(labels.size()) + ": the rows would not belong together");
  }
  task::Split split;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    host::throw_if_stop_requested();
    try {
      split.examples.push_back(to_example(tokens[i], tags[i], labels[i]));
    } catch (const std::invalid_argument& error) {
      split.rejected.push_back(
          {static_cast<std::int64_t>(i + 1), error.what(), tokens[i] + "\t" + tags[i] + "\t" + labels[i]});
    }
  }
  return split;
}

std::vector<task::Tool> derive_tools(const std::vector<Example>& examples) {
  std::map<std::string, std::map<std::string, bool>> slots;  // by intent: whether a row has the slot more than once
  for (const Example& example : examples) {
    for (const task::Call& call : *example.calls) {
      std::map<std::string, bool>& repeats = slots[call.name];
      for (const auto& argument : call.arguments.items()) repeats[argument.key()] |= argument.value().is_array();
    }
  }
  std::vector<task::Tool> tools;
  const nlohmann::json text = {{"type", "string"}}, list = {{"type", "array"}, {"items", text}};
  for (const auto& [intent, repeats] : slots) {
    nlohmann::json properties = nlohmann::json::object();
    for (const auto& [name, repeated] : repeats) properties[name] = repeated ? list : text;
    tools.push_back({intent,
                     "",
                     {{"type", "object"},
                      {"properties", std::move(properties)},
                      {"required", nlohmann::json::array()},
                      {"additionalProperties", false}}});
  }
  return tools;
}

void make_lists(std::vector<Example>& examples, const std::vector<task::Tool>& tools) {
  std::map<std::string, const nlohmann::json*> properties;
  for (const task::Tool& tool : tools) properties[tool.name] = &tool.parameters.at("properties");
  for (Example& example : examples) {
    for (task::Call& call : *example.calls) {
      const auto known = properties.find(call.name);
      if (known == properties.end()) continue;
      for (auto& [slot, value] : call.arguments.items())
        if (value.is_string() && known->second->contains(slot) && known->second->at(slot).at("type") == "array")
          value = nlohmann::json::array({value});
    }
  }
}

std::size_t hide_labels(std::vector<Example>& examples, double share, std::uint64_t seed) {
  if (!(share >= 0 && share <= 1))
    throw std::invalid_argument("labelled_share: expected 0 to 1, found " + nlohmann::json(share).dump());
  auto kept = static_cast<std::size_t>(std::llround(share * static_cast<double>(examples.size())));
  if (share > 0) kept = std::max<std::size_t>(kept, examples.empty() ? 0 : 1);
  std::vector<std::size_t> order(examples.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < kept; ++i) std::swap(order[i], order[i + random() % (order.size() - i)]);
  for (std::size_t i = kept; i < order.size(); ++i) {
    examples[order[i]].calls.reset();
    examples[order[i]].text.clear();
  }
  return kept;
}

ImportedCorpus import_bio(const std::filesystem::path& folder, double max_rejected_share) {
  task::Split train = read_bio(folder / "train");
  task::Split validation = read_bio(folder / "valid");
  task::Split test = read_bio(folder / "test");
  ImportedCorpus corpus;
  append_rejected("train", train.rejected, corpus.rejected);
  append_rejected("valid", validation.rejected, corpus.rejected);
  append_rejected("test", test.rejected, corpus.rejected);
  std::vector<Example> seen = train.examples;
  seen.insert(seen.end(), validation.examples.begin(), validation.examples.end());
  corpus.tools = derive_tools(seen);
  corpus.train = std::move(train.examples);
  corpus.validation = std::move(validation.examples);
  corpus.test = std::move(test.examples);
  for (auto* examples : {&corpus.train, &corpus.validation, &corpus.test}) make_lists(*examples, corpus.tools);
  for (const Example& example : corpus.test)
    corpus.test_without_tool += task::invalid_reason(example.calls->front(), corpus.tools).has_value() ? 1 : 0;

  const std::size_t kept = corpus.train.size() + corpus.validation.size() + corpus.test.size();
  const auto rows = static_cast<double>(kept + corpus.rejected.size());
  if (static_cast<double>(corpus.rejected.size()) > max_rejected_share * rows) {
    throw std::runtime_error("'" + folder.string() + "': expected at most a share of " +
                             nlohmann::json(max_rejected_share).dump() + " bad rows, found " +
                             std::to_string(corpus.rejected.size()) + "; the first: " + corpus.rejected.front().reason);
  }
  std::set<std::string> utterances;
  for (const Example& example : corpus.train) utterances.insert(example.utterance());
  for (const Example& example : corpus.test)
    corpus.test_utterances_in_train += utterances.count(example.utterance()) != 0;
  return corpus;
}

}  // namespace retort::data
