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
#include <utility>

#include "data/seen_texts.h"
#include "data/source_lines.h"
#include "data/text_hash.h"
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

using ListSlots = std::map<std::string, std::set<std::string>>;  // by tool

ListSlots list_slots(const std::vector<task::Tool>& tools) {
  ListSlots lists;
  for (const task::Tool& tool : tools)
    for (const auto& property : tool.parameters.at("properties").items())
      if (property.value().at("type") == "array") lists[tool.name].insert(property.key());
  return lists;
}

/// Single values of arguments that the tools take as lists become lists of one.
void make_lists(task::Call& call, const ListSlots& lists) {
  const auto known = lists.find(call.name);
  if (known == lists.end()) return;
  for (auto& [slot, value] : call.arguments.items())
    if (value.is_string() && known->second.count(slot) != 0) value = nlohmann::json::array({value});
}

class BioImport {
 public:
  BioImport(const std::filesystem::path& folder, const BioOptions& options, const BioRows& rows)
      : folder_(folder), options_(options), rows_(rows) {}

  BioReport run() {
    BioTools tools;
    std::size_t train = 0;
    for_each_example("train", [&](const Example& example) {
      tools.take(example.calls->front());
      ++train;
    });
    for_each_example("valid", [&](const Example& example) { tools.take(example.calls->front()); });
    report_.tools = tools.tools();
    lists_ = list_slots(report_.tools);
    labelled_ = labelled_rows(train, options_.labelled_share, options_.seed);
    report_.labelled = std::count(labelled_.begin(), labelled_.end(), true);
    for (const auto& [from, split] : {std::pair("train", "train"), {"valid", "validation"}, {"test", "test"}})
      pass_on(from, split);
    if (report_.tally.exceeds(options_.max_rejected_share))
      throw std::runtime_error("'" + folder_.string() + "': expected at most a share of " +
                               nlohmann::json(options_.max_rejected_share).dump() + " bad rows, found " +
                               std::to_string(report_.tally.rejected()) + "; the first: " + first_rejected_);
    return std::move(report_);
  }

 private:
  void for_each_example(const std::string& from, const std::function<void(Example&)>& take,
                        const std::function<void(const BioLine&, const std::string&)>& refuse = {}) const {
    for_each_bio_line(folder_ / from, [&](const BioLine& line) {
      host::throw_if_stop_requested();
      Example example;
      try {
        example = to_example(line.tokens, line.tags, line.label);
      } catch (const std::invalid_argument& error) {
        if (refuse) refuse(line, error.what());
        return;
      }
      take(example);
    });
  }

  void pass_on(const std::string& from, const std::string& split) {
    std::int64_t& count = report_.splits[split];
    const auto refuse = [&](const BioLine& line, const std::string& why) {
      report_.tally.reject(from + ": " + why);
      if (first_rejected_.empty()) first_rejected_ = from + ": " + why;
      rows_.reject({line.number, from + ": " + why, line.text()});
    };
    const auto take = [&](Example& example) {
      report_.tally.keep();
      make_lists(example.calls->front(), lists_);
      const std::uint64_t words = text_hash(example.utterance());
      if (split == "train") utterances_.insert(words);
      if (split == "test") {
        report_.test_utterances_in_train += utterances_.contains(words) ? 1 : 0;
        report_.test_without_tool += task::invalid_reason(example.calls->front(), report_.tools) ? 1 : 0;
      }
      if (split == "train" && !labelled_[static_cast<std::size_t>(count)]) example.calls.reset();
      ++count;
      rows_.keep(split, example);
    };
    for_each_example(from, take, refuse);
  }

  const std::filesystem::path& folder_;
  const BioOptions& options_;
  const BioRows& rows_;
  BioReport report_;
  ListSlots lists_;
  std::vector<bool> labelled_;  ///< of train
  SeenTexts utterances_;        ///< of train
  std::string first_rejected_;
};

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

void for_each_bio_line(const std::filesystem::path& folder, const std::function<void(const BioLine& line)>& take) {
  SourceLines tokens(folder / "seq.in"), tags(folder / "seq.out"), labels(folder / "label");
  const auto refuse = [&](const std::string& found) {
    throw std::runtime_error("'" + folder.string() + "': expected as many lines in seq.in, seq.out and label, found " +
                             found + ": the rows would not belong together");
  };
  for (BioLine line; tokens.next(line.tokens);) {
    line.number = tokens.line();
    if (!tags.next(line.tags) || !labels.next(line.label))
      refuse(std::to_string(line.number) + " or more in seq.in and fewer beside it");
    take(line);
  }
  if (std::string more; tags.next(more) || labels.next(more))
    refuse(std::to_string(tokens.line()) + " in seq.in and more beside it");
}

void BioTools::take(const task::Call& call) {
  std::map<std::string, bool>& repeats = slots_[call.name];
  for (const auto& argument : call.arguments.items()) repeats[argument.key()] |= argument.value().is_array();
}

std::vector<task::Tool> BioTools::tools() const {
  std::vector<task::Tool> tools;
  const nlohmann::json text = {{"type", "string"}}, list = {{"type", "array"}, {"items", text}};
  for (const auto& [intent, repeats] : slots_) {
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

std::vector<bool> labelled_rows(std::size_t count, double share, std::uint64_t seed) {
  if (!(share >= 0 && share <= 1))
    throw std::invalid_argument("labelled_share: expected 0 to 1, found " + nlohmann::json(share).dump());
  auto kept = static_cast<std::size_t>(std::llround(share * static_cast<double>(count)));
  if (share > 0) kept = std::max<std::size_t>(kept, count == 0 ? 0 : 1);
  std::vector<bool> labelled(count, kept == count);
  if (kept == count) return labelled;
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < kept; ++i) {
    std::swap(order[i], order[i + random() % (count - i)]);
    labelled[order[i]] = true;
  }
  return labelled;
}

BioReport import_bio(const std::filesystem::path& folder, const BioOptions& options, const BioRows& rows) {
  return BioImport(folder, options, rows).run();
}

}  // namespace retort::data
