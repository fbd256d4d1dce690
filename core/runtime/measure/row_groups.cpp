#include "runtime/measure/row_groups.h"

#include <algorithm>
#include <cctype>

#include "task/free_strings.h"
#include "task/row_file.h"

namespace retort::runtime {
namespace {

std::string folded(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return text;
}

}  // namespace

std::optional<TrainingValues> TrainingValues::read(const std::filesystem::path& folder) {
  const auto file = folder / "train.jsonl", tools_file = folder / "tools.json";
  if (!std::filesystem::exists(file) || !std::filesystem::exists(tools_file)) return std::nullopt;
  std::vector<task::Tool> tools = task::read_tools(tools_file);
  std::set<std::string> values;
  bool labelled = false;
  task::RowFile rows(file);
  for (std::string text; rows.next(text);) {
    try {
      const task::Example example = task::from_row(task::parse_row(text));
      if (!example.calls) continue;
      labelled = true;
      for (const std::string& value : task::free_strings(*example.calls, tools)) values.insert(folded(value));
    } catch (const std::invalid_argument&) {
      continue;  // whoever trains on this file counts and names such rows
    }
  }
  if (!labelled) return std::nullopt;
  return TrainingValues(std::move(tools), std::move(values));
}

bool TrainingValues::has_values(const std::vector<task::Call>& calls) const {
  return !task::free_strings(calls, tools_).empty();
}

bool TrainingValues::holds_all(const std::vector<task::Call>& calls) const {
  const std::vector<std::string> found = task::free_strings(calls, tools_);
  return std::all_of(found.begin(), found.end(),
                     [this](const std::string& value) { return values_.contains(folded(value)); });
}

std::vector<std::string> groups_of(const task::Example& example, const std::optional<TrainingValues>& training) {
  std::vector<std::string> groups;
  const auto kind = example.metadata.find("kind");
  if (kind != example.metadata.end() && kind->is_string()) groups.push_back("kind: " + kind->get<std::string>());
  if (!example.calls) return groups;
  const std::size_t calls = example.calls->size();
  groups.emplace_back(calls == 0 ? "calls: none" : calls == 1 ? "calls: one" : "calls: several");
  if (example.messages.size() > 1) groups.emplace_back("turns: several");
  if (training)
    groups.emplace_back(!training->has_values(*example.calls) ? "values: none"
                        : training->holds_all(*example.calls) ? "values: all seen in training"
                                                              : "values: one or more unseen");
  return groups;
}

}  // namespace retort::runtime
