#include "train/preference_data.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/json_cursor.h"
#include "train/corpus.h"

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
  const auto read_side = [&](const char* name, std::optional<task::Example>& side) {
    if (!row.has(name) && !paired) return;
    const host::JsonCursor answer = row.at(name).object();
    if (answer.at("role").string() != "assistant") answer.at("role").refuse("\"assistant\"");
    side = answered(text, name);
  };
  read_side("chosen", read.chosen);
  read_side("rejected", read.rejected);
  if (!read.chosen && !read.rejected) row.refuse("\"chosen\", \"rejected\" or both");
  if (read.chosen && read.rejected && read.chosen->text == read.rejected->text &&
      task::exact_match(read.chosen->calls.value(), read.rejected->calls.value()))
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

/// "; line 3: …; line 9: …", the first three.
std::string first_reasons(const PreferenceRows& read) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(read.rejected.size(), 3); ++i)
    text += "; line " + std::to_string(read.rejected[i].line) + ": " + read.rejected[i].reason;
  return text;
}

/// Throws std::runtime_error where no row is left, or more than `max_rejected_share` of all cannot be used.
void expect_enough(const PreferenceRows& read, double max_rejected_share) {
  const std::size_t all = read.rows.size() + read.rejected.size();
  const bool few = static_cast<double>(read.rejected.size()) <= max_rejected_share * static_cast<double>(all);
  if (!read.rows.empty() && few) return;
  const std::string file = "'" + read.file.string() + "': ";
  if (all == 0) throw std::runtime_error(file + "expected rows of preferences, found none");
  throw std::runtime_error(file + std::to_string(read.rejected.size()) + " of " + std::to_string(all) +
                           " rows cannot be used as preferences, expected at most a share of " +
                           number_text(max_rejected_share) + " (max_rejected_share)" + first_reasons(read));
}

}  // namespace

PreferenceRows read_preferences(const std::filesystem::path& file, bool paired, double max_rejected_share) {
  const std::string content = host::read_file(file);
  PreferenceRows read{file, {}, {}};
  std::int64_t line = 0;
  for (std::size_t begin = 0; begin < content.size(); ++line) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    const std::string text = content.substr(begin, end - begin);
    begin = end + 1;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      read.rows.push_back(read_row(host::parse_strict_json(text), paired));
      read.rows.back().line = line + 1;
    } catch (const std::invalid_argument& error) {
      read.rejected.push_back({line + 1, error.what(), text});
    }
  }
  expect_enough(read, max_rejected_share);
  return read;
}

PreferenceData to_preferences(PreferenceRows& rows, const task::PromptContract& contract,
                              const text::Tokenizer& tokenizer, std::int64_t max_length, bool paired,
                              double max_rejected_share) {
  PreferenceData data;
  std::vector<PreferenceRow> usable;
  for (PreferenceRow& row : rows.rows) {
    std::vector<Sequence> sides;
    try {
      for (const auto* side : {&row.chosen, &row.rejected}) {
        if (!*side) continue;
        sides.push_back(to_sequence(**side, contract, tokenizer));
        expect_length(sides.back(), max_length);
      }
      if (sides.size() == 2 && sides[0].response == sides[1].response)
        throw std::invalid_argument("the model writes both answers alike");
    } catch (const std::invalid_argument& error) {
      rows.rejected.push_back({row.line, error.what(), ""});
      continue;
    }
    const auto first = static_cast<std::int64_t>(data.sequences.size());
    for (Sequence& side : sides) {
      side.example = data.sequences.size();
      data.sequences.push_back(std::move(side));
    }
    add(data, row.chosen ? first : -1, row.rejected ? first + (row.chosen ? 1 : 0) : -1, row.weight, paired);
    usable.push_back(std::move(row));
  }
  rows.rows = std::move(usable);
  expect_enough(rows, max_rejected_share);
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
