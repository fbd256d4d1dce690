#include "train/preference_data.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/json_cursor.h"

namespace retort::train {

using nlohmann::json;

namespace {

/// The prompt with `answer` behind it, as a row of calls.
task::Example answered(const json& row, const char* answer) {
  json whole = {{"messages", row.at("messages")}};
  whole["messages"].push_back(row.at(answer));
  return task::from_row(whole);
}

std::string number_text(double number) {
  std::ostringstream text;
  text << number;
  return text.str();
}

PreferenceRow read_row(const json& text, bool paired) {
  const host::JsonCursor row(text, "row");
  const host::JsonCursor messages = row.object().at("messages").array();
  if (messages.size() == 0) messages.refuse("the messages of a prompt");
  const host::JsonCursor last = messages.at(messages.size() - 1).object();
  if (last.at("role").string() != "user") last.at("role").refuse("\"user\": a prompt ends with what is answered");
  PreferenceRow read;
  const auto read_side = [&](const char* name, std::optional<std::vector<task::Call>>& calls) {
    if (!row.has(name) && !paired) return;
    const host::JsonCursor answer = row.at(name).object();
    if (answer.at("role").string() != "assistant") answer.at("role").refuse("\"assistant\"");
    const task::Example example = answered(text, name);
    read.prompt = example;
    calls = example.calls;
  };
  read_side("chosen", read.chosen);
  read_side("rejected", read.rejected);
  if (!read.chosen && !read.rejected) row.refuse("\"chosen\", \"rejected\" or both");
  if (read.chosen && read.rejected && task::exact_match(*read.chosen, *read.rejected))
    row.at("rejected").refuse("another answer than the chosen one");
  if (row.has("weight")) read.weight = row.at("weight").number();
  if (!(read.weight > 0)) row.at("weight").refuse("a number above 0");
  return read;
}

/// Adds `items` for one prompt's two sequences.
void add(PreferenceData& data, std::int64_t chosen, std::int64_t rejected, double weight, bool paired) {
  if (paired) {
    data.items.push_back({chosen, rejected, weight});
    return;
  }
  if (chosen >= 0) data.items.push_back({chosen, -1, weight});
  if (rejected >= 0) data.items.push_back({-1, rejected, weight});
}

}  // namespace

PreferenceRows read_preferences(const std::filesystem::path& file, bool paired, double max_rejected_share) {
  const std::string content = host::read_file(file);
  PreferenceRows read;
  std::int64_t line = 0;
  for (std::size_t begin = 0; begin < content.size(); ++line) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    const std::string text = content.substr(begin, end - begin);
    begin = end + 1;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      read.rows.push_back(read_row(host::parse_strict_json(text), paired));
    } catch (const std::invalid_argument& error) {
      read.rejected.push_back({line + 1, error.what(), text});
    }
  }
  const std::size_t all = read.rows.size() + read.rejected.size();
  const bool few = static_cast<double>(read.rejected.size()) <= max_rejected_share * static_cast<double>(all);
  if (!read.rows.empty() && few) return read;
  std::string message = "'" + file.string() + "': " + std::to_string(read.rejected.size()) + " of " +
                        std::to_string(all) + " rows cannot be used as preferences, expected at most a share of " +
                        number_text(max_rejected_share) + " (max_rejected_share)";
  if (all == 0) message = "'" + file.string() + "': expected rows of preferences, found none";
  for (std::size_t i = 0; i < std::min<std::size_t>(read.rejected.size(), 3); ++i)
    message += "; line " + std::to_string(read.rejected[i].line) + ": " + read.rejected[i].reason;
  throw std::runtime_error(message);
}

PreferenceData to_preferences(const PreferenceRows& rows, const task::PromptContract& contract,
                              const text::Tokenizer& tokenizer, std::int64_t max_length, bool paired) {
  std::vector<task::Example> examples;
  PreferenceData data;
  for (const PreferenceRow& row : rows.rows) {
    const auto place = [&](const std::optional<std::vector<task::Call>>& calls) {
      if (!calls) return std::int64_t{-1};
      task::Example& example = examples.emplace_back();
      static_cast<task::Conversation&>(example) = row.prompt;
      example.calls = calls;
      return static_cast<std::int64_t>(examples.size()) - 1;
    };
    const std::int64_t chosen = place(row.chosen), rejected = place(row.rejected);
    add(data, chosen, rejected, row.weight, paired);
  }
  data.sequences = to_sequences(examples, contract, tokenizer, max_length);
  return data;
}

PreferenceData best_against_worst(const std::vector<Sequence>& sequences, const std::vector<SampledAnswer>& answers,
                                  const std::vector<host::RewardItem>& verdicts, const std::vector<double>& weights,
                                  double margin, bool paired) {
  PreferenceData data;
  for (std::size_t begin = 0, end = 0; begin < answers.size(); begin = end) {
    std::optional<std::size_t> best, worst;
    const auto score = [&](std::size_t i) { return combined_score(verdicts[i].scores, weights); };
    for (end = begin; end < answers.size() && answers[end].prompt == answers[begin].prompt; ++end) {
      if (!verdicts[end].error.empty()) continue;
      if (!best || score(end) > score(*best)) best = end;
      if (!worst || score(end) < score(*worst)) worst = end;
    }
    if (!best || !(score(*best) - score(*worst) > margin)) continue;
    const auto first = static_cast<std::int64_t>(data.sequences.size());
    data.sequences.push_back(sequences[*best]);
    data.sequences.push_back(sequences[*worst]);
    add(data, first, first + 1, 1, paired);
  }
  return data;
}

void append(PreferenceData& data, const PreferenceData& more) {
  const auto offset = static_cast<std::int64_t>(data.sequences.size());
  for (PreferenceItem item : more.items) {
    if (item.chosen >= 0) item.chosen += offset;
    if (item.rejected >= 0) item.rejected += offset;
    data.items.push_back(item);
  }
  data.sequences.insert(data.sequences.end(), more.sequences.begin(), more.sequences.end());
}

json to_json(const PreferenceData& data) {
  json stored = {{"sequences", json::array()}, {"items", json::array()}};
  for (const Sequence& sequence : data.sequences) stored["sequences"].push_back(to_json(sequence));
  for (const PreferenceItem& item : data.items) stored["items"].push_back({item.chosen, item.rejected, item.weight});
  return stored;
}

PreferenceData preferences_from_json(const json& stored) {
  PreferenceData data;
  for (const json& one : stored.at("sequences")) data.sequences.push_back(sequence_from_json(one));
  for (const json& one : stored.at("items"))
    data.items.push_back({one.at(0).get<std::int64_t>(), one.at(1).get<std::int64_t>(), one.at(2).get<double>()});
  return data;
}

}  // namespace retort::train
