#include "host/report/lost_rows.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "host/base/diagnostic.h"
#include "host/base/printable.h"
#include "host/report/run_results.h"
#include "host/run/run_folder.h"

namespace retort::host {
namespace {

const Json* stage_of(const Json& record, const std::string& name) {
  for (const Json& stage : record.at("stages"))
    if (stage.value("name", "") == name) return &stage;
  return nullptr;
}

/// The stage that made the model which this one changes; "" where none did.
std::string model_before(const Json& stage) {
  const Json inputs = stage.value("inputs", Json::object());
  for (const char* input : {"model", "student", "teacher"})
    if (inputs.contains(input) && inputs.at(input).is_array() && !inputs.at(input).empty())
      return inputs.at(input).front().get<std::string>();
  return "";
}

const Json* model_in(const Json& evaluation, const std::string& name) {
  if (!evaluation.contains("models")) return nullptr;
  for (const Json& model : evaluation.at("models"))
    if (model.value("name", "") == name) return &model;
  return nullptr;
}

std::string key_of(const Json& row) {
  return row.at("utterance").get<std::string>() + '\n' + row.at("expected").dump();
}

/// Rows that `wrong` missed and `right` did not. Equal rows have equal answers, since decoding is greedy.
Json missed_by_one(const Json& wrong, const Json& right, bool lost) {
  std::set<std::string> missed;
  for (const Json& row : right.at("misses")) missed.insert(key_of(row));
  Json rows = Json::array();
  for (const Json& row : wrong.at("misses"))
    if (!missed.contains(key_of(row)))
      rows.push_back({{"utterance", row.at("utterance")},
                      {"expected", row.at("expected")},
                      {"before", lost ? row.at("expected") : row.at("found")},
                      {"after", lost ? row.at("found") : row.at("expected")},
                      {"reason", row.at("reason")}});
  return rows;
}

std::string answer_text(const Json& answer) {
  return printable(answer.is_string() ? answer.get<std::string>() : answer.dump());
}

}  // namespace

Json lost_rows(const Json& record, const std::vector<Json>& evaluations, const std::string& stage) {
  std::vector<std::string> names;
  for (const Json& known : record.at("stages")) names.push_back(known.value("name", ""));
  const Json* found = stage_of(record, stage);
  if (found == nullptr) {
    const std::string nearest = nearest_name(stage, names);
    throw std::invalid_argument("the run has no stage '" + stage + "'" +
                                (nearest.empty() ? "" : "; the nearest is '" + nearest + "'"));
  }
  std::set<std::string> seen{stage};
  for (std::string before = model_before(*found); !before.empty();) {
    for (auto evaluation = evaluations.rbegin(); evaluation != evaluations.rend(); ++evaluation) {
      const Json *now = model_in(*evaluation, stage), *then = model_in(*evaluation, before);
      if (now == nullptr || then == nullptr) continue;
      return {{"stage", stage},
              {"before", before},
              {"dataset", evaluation->value("dataset", "")},
              {"split", evaluation->value("split", "")},
              {"utterances", evaluation->value("utterances", 0)},
              {"lost", missed_by_one(*now, *then, true)},
              {"gained", missed_by_one(*then, *now, false)}};
    }
    const Json* earlier = seen.insert(before).second ? stage_of(record, before) : nullptr;
    before = earlier == nullptr ? "" : model_before(*earlier);
  }
  throw std::invalid_argument("stage '" + stage +
                              "': expected its model and one that it was made from in the evaluation of one report, "
                              "found none; name both in the models of stage.evaluate");
}

Json lost_rows(const std::filesystem::path& run, const std::string& stage) {
  const RunFolder folder(run);
  const RunResults results = read_results(folder);
  std::vector<Json> evaluations;
  for (const std::string& file : results.evaluations) evaluations.push_back(read_json(run / file));
  return lost_rows(results.record, evaluations, stage);
}

std::string lost_rows_text(const Json& rows) {
  const auto count = [&](const char* which) { return std::to_string(rows.at(which).size()); };
  std::string text = rows.at("stage").get<std::string>() + " after " + rows.at("before").get<std::string>() + ": " +
                     count("lost") + " lost, " + count("gained") + " gained of " +
                     std::to_string(rows.at("utterances").get<std::int64_t>()) + " utterances (" +
                     rows.at("dataset").get<std::string>() + ", " + rows.at("split").get<std::string>() + ")";
  for (const char* which : {"lost", "gained"})
    for (const Json& row : rows.at(which))
      text += std::string("\n\n") + which + ": " + printable(row.at("utterance").get<std::string>()) + "\n  before  " +
              answer_text(row.at("before")) + "\n  after   " + answer_text(row.at("after")) + "\n  reason  " +
              printable(row.at("reason").get<std::string>());
  return text;
}

}  // namespace retort::host
