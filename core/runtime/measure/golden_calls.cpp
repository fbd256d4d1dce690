// See golden_calls.h.
#include "runtime/measure/golden_calls.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/json_cursor.h"
#include "host/base/utf8.h"
#include "host/plugin/plugin_error.h"
#include "runtime/decoder/packed_weights.h"
#include "task/chat_row.h"

namespace retort::runtime {
namespace {

using Json = nlohmann::json;

/// Six decimals: far below any tolerance, and readable.
double rounded(float logit) {
  return std::round(static_cast<double>(logit) * 1e6) / 1e6;
}

std::string text_of(double number) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", number);
  return text;
}

/// What the model answers, in the words of retort.json.
void put_answer(const Answer& answer, Json& entry) {
  entry["response"] = host::replace_invalid_utf8(answer.text);
  if (const auto* malformed = std::get_if<task::Malformed>(&answer.parsed))
    entry["malformed"] = host::replace_invalid_utf8(malformed->reason);
  else
    entry["calls"] = task::calls_to_json(std::get<std::vector<task::Call>>(answer.parsed));
}

Answer answer_of(CallModel& model, const task::Conversation& conversation) {
  try {
    return model.answer(conversation);
  } catch (const std::invalid_argument& error) {
    Answer refused;
    refused.parsed = task::Malformed{error.what()};
    return refused;
  }
}

/// The first drift of one golden call, found in this order: a logit, then the calls.
class Comparison {
 public:
  Comparison(CallModel& model, const host::JsonCursor& golden, std::size_t index, double tolerance)
      : model_(model), golden_(golden), index_(index), tolerance_(tolerance) {
    if (golden.has("messages")) {
      task::ReadingNotes notes;
      const host::JsonCursor messages = golden.at("messages");
      conversation_.messages = task::messages_from_json(messages.json(), "retort.json", messages.pointer(), notes);
      if (golden.has("tools"))
        conversation_.tools = task::tool_set_from_json(golden.at("tools").json(), golden.at("tools").pointer(), notes);
    } else {
      conversation_ = task::conversation_of(golden.at("utterance").string());
    }
  }

  void run(GoldenVerdict& verdict) const {
    if (compare_logits(verdict)) compare_calls(verdict);
  }

 private:
  void drift(GoldenVerdict& verdict, const std::string& place, const std::string& expected,
             const std::string& found) const {
    verdict.drifts.push_back({index_, conversation_.utterance(), place, expected, found});
  }

  bool compare_logits(GoldenVerdict& verdict) const {
    if (!golden_.has("logits"))
      golden_.refuse("\"tokens\" with their \"logits\"; export the model again, with this version of Retort");
    const host::JsonCursor ids = golden_.at("tokens").array(), logits = golden_.at("logits").array();
    if (ids.size() != logits.size())
      logits.refuse(std::to_string(ids.size()) + " numbers, one a token", std::to_string(logits.size()));
    std::vector<TokenId> tokens;
    for (std::size_t i = 0; i < ids.size(); ++i)
      tokens.push_back(static_cast<TokenId>(ids.at(i).integer(0, model_.folder().config().vocabulary_size - 1)));
    if (tokens.empty()) return true;
    const std::vector<float> found = model_.logits_of(conversation_, tokens);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double expected = logits.at(i).number(), difference = std::fabs(static_cast<double>(found[i]) - expected);
      ++verdict.tokens;
      if (difference <= tolerance_) {
        verdict.greatest_difference = std::max(verdict.greatest_difference, difference);
        continue;
      }
      if (std::isfinite(difference)) verdict.greatest_difference = std::max(verdict.greatest_difference, difference);
      drift(verdict,
            "token " + std::to_string(i) + " (id " + std::to_string(tokens[i]) + ", \"" +
                host::replace_invalid_utf8(std::string(model_.tokenizer().token(tokens[i]))) + "\")",
            "a logit of " + text_of(expected) + " within " + text_of(tolerance_),
            text_of(static_cast<double>(found[i])));
      return false;
    }
    return true;
  }

  void compare_calls(GoldenVerdict& verdict) const {
    Json found = Json::object();
    put_answer(answer_of(model_, conversation_), found);
    const bool called = golden_.has("calls");
    const char* key = called ? "calls" : "malformed";
    if (!called && !found.contains("calls")) return;  // reasons are words for people
    const Json expected = golden_.at(key).json();
    if (called && found.value("calls", Json()) == expected) return;
    const Json& other = found.contains("calls") ? found["calls"] : found["malformed"];
    drift(verdict, "calls", called ? expected.dump() : "no well-formed call",
          found.contains("calls") ? other.dump() : "no well-formed call: " + other.get<std::string>());
  }

  CallModel& model_;
  host::JsonCursor golden_;
  std::size_t index_;
  double tolerance_;
  task::Conversation conversation_;
};

bool is_hashed(const std::filesystem::path& file) {
  return file != "retort.json" && file != "README.md" && file != "manifest.json" && !is_packed_file(file);
}

}  // namespace

Json golden_call(CallModel& model, const task::Example& example) {
  Json entry = {{"utterance", example.utterance()}};
  if (example.has_context()) {
    entry["messages"] = task::messages_to_json(example.messages);
    if (example.tools) entry["tools"] = task::tools_to_json(*example.tools);
  }
  const Answer answer = answer_of(model, example);
  put_answer(answer, entry);
  entry["tokens"] = answer.tokens;
  entry["logits"] = Json::array();
  if (answer.tokens.empty()) return entry;  // the question was refused
  for (const float logit : model.logits_of(example, answer.tokens)) entry["logits"].push_back(rounded(logit));
  return entry;
}

GoldenVerdict verify_golden_calls(CallModel& model, double tolerance) {
  const std::string origin = (model.folder().path() / "retort.json").string();
  const host::JsonCursor root(model.folder().retort(), origin);
  const bool any = root.has("golden") && root.at("golden").array().size() > 0;
  if (!any)
    throw std::invalid_argument(origin +
                                ": expected golden calls under \"golden\", found none; export the model with "
                                "stage.export and a dataset");
  const host::JsonCursor golden = root.at("golden");
  GoldenVerdict verdict;
  for (std::size_t i = 0; i < golden.size(); ++i) {
    if (host::stop_requested()) throw std::runtime_error("stopped");
    Comparison(model, golden.at(i), i, tolerance).run(verdict);
    ++verdict.calls;
  }
  return verdict;
}

Json hashes_of_files(const std::filesystem::path& folder) {
  Json hashes = Json::object();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::filesystem::path relative = entry.path().lexically_relative(folder);
    if (entry.is_regular_file() && is_hashed(relative)) hashes[relative.string()] = host::sha256_of_file(entry.path());
  }
  return hashes;
}

std::vector<std::string> changed_files(const std::filesystem::path& folder, const Json& description) {
  std::vector<std::string> changed;
  if (!description.contains("files")) return changed;
  for (const auto& [name, hash] : description.at("files").items()) {
    const std::filesystem::path relative = name;
    const bool inside = relative.is_relative() && !relative.lexically_normal().native().starts_with("..");
    const bool there = inside && std::filesystem::is_regular_file(folder / relative);
    const std::string expected = hash.is_string() ? hash.get<std::string>() : hash.dump();
    const std::string found = there ? host::sha256_of_file(folder / relative) : "none";
    if (found != expected) changed.push_back(name + ": expected sha256 " + expected + ", found " + found);
  }
  return changed;
}

}  // namespace retort::runtime
