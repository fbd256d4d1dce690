// What the models came to: table, charts, tools, misses.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "host/base/number_format.h"
#include "host/report/charts.h"
#include "host/report/lost_rows.h"
#include "host/report/report.h"
#include "host/report/report_sections.h"

namespace retort::host {
namespace {

constexpr std::size_t misses_shown = 50, changes_shown = 200;

/// "12.3× smaller" as a figure relative to the teacher; "" where either is not known.
std::string compared(const Json& teacher, const Json& own) {
  if (!teacher.is_number() || !own.is_number() || own.get<double>() <= 0) return "–";
  return format_ratio(teacher.get<double>() / own.get<double>());
}

std::string difference(const Json& teacher, const Json& own) {
  if (!teacher.is_number() || !own.is_number()) return "–";
  const double points = std::round((own.get<double>() - teacher.get<double>()) * 1000) / 10 + 0.0;  // no "-0.0"
  char text[32];
  std::snprintf(text, sizeof text, "%+.1f pt", points);
  return text;
}

std::string evaluation_source(const RunResults& results) {
  std::string files;
  for (const std::string& file : results.evaluations) files += (files.empty() ? "" : ", ") + escape_html(file);
  return "<p class=\"source\">" + (files.empty() ? "no evaluation in this run" : files) +
         "; parameters and bytes: manifest.json of each artifact</p>";
}

std::string results_rows(const RunResults& results) {
  const StageResult unknown;
  const StageResult& teacher = results.teacher ? results.stages[*results.teacher] : unknown;
  std::vector<std::vector<std::string>> rows;
  for (const std::size_t index : results.rows) {
    const StageResult& stage = results.stages[index];
    rows.push_back({escape_html(stage.name), format_percent(stage.exact_match),
                    difference(teacher.exact_match, stage.exact_match), format_percent(stage.malformed),
                    stage.perplexity.is_number() ? format_number(stage.perplexity.get<double>()) : "–",
                    format_count(stage.parameters), format_bytes(stage.bytes), compared(teacher.bytes, stage.bytes),
                    format_ms(stage.p50_ms), format_ms(stage.p90_ms), compared(teacher.p50_ms, stage.p50_ms)});
  }
  int emphasised = -1;
  for (std::size_t i = 0; i < results.rows.size(); ++i)
    if (&results.stages[results.rows[i]] == final_model(results)) emphasised = static_cast<int>(i);
  const std::string reference = escape_html(teacher.name);
  return html_table({"model", "exact match", "against " + reference, "malformed", "perplexity", "parameters", "size",
                     "smaller", "median", "90 %", "faster"},
                    rows, 1, emphasised) +
         "<p class=\"source\">“against”, “smaller” and “faster” compare with " + reference + "</p>";
}

std::string charts(const RunResults& results) {
  std::vector<ChartPoint> points;
  std::vector<ChartBar> bars;
  for (const std::size_t index : results.rows) {
    const StageResult& stage = results.stages[index];
    if (stage.bytes.is_number() && stage.bytes.get<double>() > 0 && stage.exact_match.is_number())
      points.push_back({stage.name, stage.bytes.get<double>(), stage.exact_match.get<double>()});
    if (stage.p50_ms.is_number())
      bars.push_back(
          {stage.name, stage.p50_ms.get<double>(), stage.p90_ms.is_number() ? stage.p90_ms.get<double>() : 0});
  }
  std::string html;
  if (const std::string chart = accuracy_chart(points); !chart.empty())
    html += "<div class=\"card\"><h3>Accuracy against size</h3>" + chart + "</div>";
  if (const std::string chart = latency_chart(bars); !chart.empty())
    html += "<div class=\"card\"><h3>Latency of one call</h3>" + chart + "</div>";
  return html.empty() ? "" : "<div class=\"pair\" style=\"margin-top:18px\">" + html + "</div>";
}

/// One tool's or group's figure: {"utterances", "exact"} or a share.
Json score_share(const Json& scores, const std::string& name) {
  Json score = scores.is_object() ? scores.value(name, Json()) : Json();
  if (score.is_number()) return score;
  if (!score.is_object()) return nullptr;
  const Json all = score.value("utterances", Json()), exact = score.value("exact", Json());
  if (!all.is_number() || !exact.is_number() || all.get<double>() <= 0) return nullptr;
  return exact.get<double>() / all.get<double>();
}

std::string score_count(const Json& scores, const std::string& name) {
  const Json score = scores.is_object() ? scores.value(name, Json()) : Json();
  const Json all = score.is_object() ? score.value("utterances", Json()) : Json();
  return all.is_number() ? all.dump() : "–";
}

Json evaluated(const StageResult& stage, const char* key) {
  return stage.evaluation.is_object() ? stage.evaluation.value(key, Json()) : Json();
}

/// Calls as they would be written, whatever shape the evaluation gave them.
std::string as_text(const Json& value) {
  return value.is_null() ? "–" : value.is_string() ? escape_html(value.get<std::string>()) : escape_html(value.dump());
}

}  // namespace

const StageResult* final_model(const RunResults& results) {
  const StageResult* last = nullptr;
  for (const std::size_t row : results.rows) {
    const StageResult& stage = results.stages[row];
    if (stage.kind == "model" && (last == nullptr || last->exact_match.is_null() || !stage.exact_match.is_null()))
      last = &stage;
  }
  return last;
}

std::string results_section(const RunResults& results) {
  if (results.rows.empty()) return "";
  return "<h2>Models</h2>" + results_rows(results) + charts(results) + evaluation_source(results);
}

namespace {

/// The exact match of the teacher and the final model by the names under `key` of their evaluations.
std::string scores_table(const RunResults& results, const char* key, const char* what) {
  const StageResult* last = final_model(results);
  if (last == nullptr || !results.teacher) return "";
  const StageResult& teacher = results.stages[*results.teacher];
  const Json teacher_scores = evaluated(teacher, key), final_scores = evaluated(*last, key);
  std::set<std::string> names;
  for (const Json* scores : {&teacher_scores, &final_scores})
    if (scores->is_object())
      for (const auto& item : scores->items()) names.insert(item.key());
  if (names.empty()) return "";
  std::vector<std::vector<std::string>> rows;
  for (const std::string& name : names) {
    const Json before = score_share(teacher_scores, name), after = score_share(final_scores, name);
    rows.push_back({escape_html(name), score_count(final_scores.contains(name) ? final_scores : teacher_scores, name),
                    format_percent(before), format_percent(after), difference(before, after)});
  }
  return html_table({what, "utterances", escape_html(teacher.name), escape_html(last->name), "difference"}, rows, 1) +
         evaluation_source(results);
}

}  // namespace

std::string tools_section(const RunResults& results) {
  const std::string table = scores_table(results, "tools", "tool");
  if (table.empty()) return "";
  return "<h2>Tools</h2><p>Exact match of the utterances whose expected calls name the tool.</p>" + table;
}

std::string groups_section(const RunResults& results) {
  const std::string table = scores_table(results, "groups", "rows");
  if (table.empty()) return "";
  return "<h2>Groups of rows</h2><p>Exact match by the rows' kind, where their metadata says one, by the number of "
         "calls, "
         "and by whether the data set's training split holds the values that they say.</p>" +
         table;
}

namespace {

/// Rows of one kind of change, of a step that lost_rows() describes.
void add_changes(const Json& step, const char* change, std::vector<std::vector<std::string>>& rows) {
  for (const Json& row : step.at(change)) {
    if (rows.size() == changes_shown) return;
    rows.push_back({change, as_text(row.at("utterance")), "<code>" + as_text(row.at("before")) + "</code>",
                    "<code>" + as_text(row.at("after")) + "</code>", as_text(row.at("reason"))});
  }
}

/// What each step answers otherwise than the model that it was made from, with both answers.
std::string steps_html(const RunFolder& folder, const RunResults& results) {
  std::vector<Json> evaluations;
  for (const std::string& file : results.evaluations) evaluations.push_back(read_json(folder.path() / file));
  std::string html;
  for (const std::size_t index : results.rows) {
    const std::string& stage = results.stages[index].name;
    Json step;
    try {
      step = lost_rows(results.record, evaluations, stage);
    } catch (const std::exception&) {
      continue;  // nothing before it was measured: no step
    }
    const std::size_t lost = step.at("lost").size(), gained = step.at("gained").size();
    if (lost + gained == 0) continue;
    std::vector<std::vector<std::string>> rows;
    add_changes(step, "lost", rows);
    add_changes(step, "gained", rows);
    html += "<details><summary>" + escape_html(stage) + " after " + as_text(step.at("before")) + ": " +
            std::to_string(lost) + " lost, " + std::to_string(gained) + " gained</summary>" +
            html_table({"change", "utterance", "before", "after", "reason"}, rows);
    if (rows.size() < lost + gained)
      html += "<p class=\"source\">" + std::to_string(rows.size()) + " of " + std::to_string(lost + gained) +
              "; all: retort show RUN --lost " + escape_html(stage) + "</p>";
    html += "</details>";
  }
  return html;
}

}  // namespace

std::string losses_section(const RunFolder& folder, const RunResults& results) {
  std::vector<std::pair<std::string, std::int64_t>> steps;  // in order of first appearance: that of the models
  for (const Json& lost : results.attribution) {
    if (!lost.is_object()) continue;
    const std::string step = as_text(lost.value("kept_by", Json())) + " → " + as_text(lost.value("lost_at", Json()));
    const auto known = std::find_if(steps.begin(), steps.end(), [&](const auto& entry) { return entry.first == step; });
    if (known == steps.end())
      steps.emplace_back(step, 1);
    else
      ++known->second;
  }
  if (steps.empty()) {
    const std::string html = steps_html(folder, results);
    return html.empty() ? "" : "<h2>Where calls were lost</h2>" + html + evaluation_source(results);
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [step, count] : steps) rows.push_back({step, std::to_string(count)});
  return "<h2>Where calls were lost</h2><p>Utterances that a model answers right and the next one does not.</p>" +
         html_table({"from → to", "utterances"}, rows, 1) + steps_html(folder, results) + evaluation_source(results);
}

std::string misses_section(const RunResults& results) {
  std::string html;
  const StageResult* last = final_model(results);
  for (const std::size_t index : results.rows) {
    const StageResult& stage = results.stages[index];
    const Json misses = evaluated(stage, "misses");
    if (!misses.is_array() || misses.empty()) continue;
    std::vector<std::vector<std::string>> rows;
    for (const Json& miss : misses) {
      if (rows.size() == misses_shown || !miss.is_object()) break;
      rows.push_back(
          {as_text(miss.value("utterance", Json())), "<code>" + as_text(miss.value("expected", Json())) + "</code>",
           "<code>" + as_text(miss.value("found", Json())) + "</code>", as_text(miss.value("reason", Json()))});
    }
    html += std::string("<details") + (&stage == last ? " open" : "") + "><summary>" + escape_html(stage.name) + ": " +
            std::to_string(rows.size()) + " of " + std::to_string(misses.size()) + "</summary>" +
            html_table({"utterance", "expected", "found", "reason"}, rows) + "</details>";
  }
  return html.empty() ? "" : "<h2>Misses</h2>" + html + evaluation_source(results);
}

}  // namespace retort::host
