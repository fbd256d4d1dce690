// The page around the sections, and the ones about the whole run. Results and misses: report_results.cpp.
#include "host/report/report.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "host/base/files.h"
#include "host/base/number_format.h"
#include "host/base/progress.h"
#include "host/report/charts.h"
#include "host/report/report_sections.h"
#include "host/report/report_style.h"
#include "host/run/metrics_log.h"

namespace retort::host {

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  return escaped;
}

std::string html_table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
                       std::size_t number_from, int emphasised) {
  const auto cell = [&](const char* tag, std::size_t column, const std::string& content) {
    return std::string("<") + tag + (column >= number_from ? " class=\"number\">" : ">") + content + "</" + tag + ">";
  };
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  for (std::size_t i = 0; i < head.size(); ++i) html += cell("th", i, head[i]);
  html += "</tr></thead><tbody>";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    html += static_cast<int>(r) == emphasised ? "<tr class=\"final\">" : "<tr>";
    for (std::size_t i = 0; i < rows[r].size(); ++i) html += cell("td", i, rows[r][i]);
    html += "</tr>";
  }
  return html + "</tbody></table></div>";
}

namespace {

std::string text_of(const Json& object, const char* key) {
  const Json value = object.is_object() ? object.value(key, Json()) : Json();
  return escape_html(value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump());
}

std::string tile(const std::string& figure, const std::string& caption) {
  return "<div class=\"tile\"><b>" + escape_html(figure) + "</b><span>" + escape_html(caption) + "</span></div>";
}

Json ratio(const Json& numerator, const Json& denominator) {
  if (!numerator.is_number() || !denominator.is_number() || denominator.get<double>() <= 0) return nullptr;
  return numerator.get<double>() / denominator.get<double>();
}

std::string headline(const RunResults& results) {
  const StageResult* last = final_model(results);
  if (last == nullptr) return "";
  std::string tiles = tile(format_percent(last->exact_match), "exact match of " + last->name);
  tiles += tile(format_bytes(last->bytes), format_count(last->parameters) + " parameters");
  tiles += tile(format_ms(last->p50_ms), "median of one call");
  if (results.teacher && results.stages[*results.teacher].name != last->name) {
    const StageResult& teacher = results.stages[*results.teacher];
    tiles += tile(format_ratio(ratio(teacher.bytes, last->bytes)) + " smaller",
                  "than " + teacher.name + ", " + format_bytes(teacher.bytes));
    if (teacher.p50_ms.is_number() && last->p50_ms.is_number())
      tiles += tile(format_ratio(ratio(teacher.p50_ms, last->p50_ms)) + " faster",
                    "than " + teacher.name + ", " + format_ms(teacher.p50_ms));
  }
  return "<div class=\"tiles\">" + tiles + "</div>";
}

std::size_t count_lines(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

std::string header_section(const RunFolder& folder, const RunResults& results) {
  const Json& record = results.record;
  const std::string state = escape_html(actual_state(folder, results));
  std::string html = "<h1>" + text_of(record, "name") + "</h1>";
  if (!record.value("description", "").empty()) html += "<p>" + text_of(record, "description") + "</p>";
  html += "<p class=\"soft\"><span class=\"state " + state + "\">" + state + "</span> · started " +
          text_of(record, "started");
  html += " · made in " + format_duration(making_seconds(results));
  html += " · " + text_of(record.value("machine", Json()), "cpu") + "</p>";
  if (record.contains("error")) html += "<p class=\"error\">" + text_of(record, "error") + "</p>";
  for (const Verdict& verdict : results.verdicts)
    html += std::string("<p class=\"") + (verdict.failed() ? "error" : "soft") + "\">" + escape_html(verdict.stage) +
            ": " + escape_html(verdict.text) + "</p>";
  return html + headline(results);
}

namespace {

using Curve = std::vector<std::pair<double, double>>;

/// What a person looks at first, in this order, with the numbers that follow such a name ("reward_1"). The other curves
/// of a stage stand behind a fold.
constexpr std::array<std::string_view, 19> first_curves = {"loss",
                                                           "reward",
                                                           "reward_spread",
                                                           "validation_exact_match",
                                                           "validation_loss",
                                                           "policy_entropy",
                                                           "entropy",
                                                           "reference_divergence",
                                                           "kl",
                                                           "ratio",
                                                           "clip_fraction",
                                                           "cross_entropy",
                                                           "teacher_top_mass",
                                                           "student_top_mass",
                                                           "top_overlap",
                                                           "accuracy",
                                                           "response_tokens",
                                                           "malformed",
                                                           "tokens_per_second"};

std::size_t rank(std::string_view name) {
  const auto found = std::find_if(first_curves.begin(), first_curves.end(), [&](std::string_view first) {
    if (!name.starts_with(first)) return false;
    const std::string_view rest = name.substr(first.size());
    return rest.empty() ||
           (rest.size() > 1 && rest[0] == '_' && rest.find_first_not_of("0123456789", 1) == std::string_view::npos);
  });
  return static_cast<std::size_t>(found - first_curves.begin());
}

std::string curve_card(const std::string& name, const Curve& curve) {
  const std::string chart = curve_chart(curve, name);
  if (chart.empty()) return "";
  return "<div class=\"card\"><h3>" + escape_html(name) + " <span class=\"soft\">last " +
         format_number(curve.back().second) + "</span></h3>" + chart + "</div>";
}

std::string cards(const std::string& all) {
  return all.empty() ? "" : "<div class=\"curves\">" + all + "</div>";
}

}  // namespace

std::string training_section(const std::vector<Json>& metrics) {
  // In order of first appearance, which is that of the run.
  std::vector<std::pair<std::string, std::vector<std::string>>> stages;
  std::map<std::pair<std::string, std::string>, Curve> curves;
  for (const Json& metric : metrics) {
    const std::string stage = metric["stage"], name = metric["name"];
    if (!metric["value"].is_number() || metric["step"].get<std::int64_t>() < 0) continue;
    if (stages.empty() || stages.back().first != stage) stages.emplace_back(stage, std::vector<std::string>());
    Curve& curve = curves[{stage, name}];
    if (curve.empty()) stages.back().second.push_back(name);
    curve.emplace_back(metric["step"].get<double>(), metric["value"].get<double>());
  }
  std::string html;
  for (auto& [stage, names] : stages) {
    std::stable_sort(names.begin(), names.end(),
                     [](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
    std::string shown, folded;
    std::size_t more = 0;
    for (const std::string& name : names) {
      Curve& curve = curves[{stage, name}];
      std::sort(curve.begin(), curve.end());
      const std::string card = curve_card(name, curve);
      const bool first = rank(name) < first_curves.size();
      (first ? shown : folded) += card;
      more += first || card.empty() ? 0 : 1;
    }
    constexpr std::size_t most_unfolded = 24;  // a search has a curve for each shape and rung
    if (shown.empty() && more <= most_unfolded) shown.swap(folded);
    if (!shown.empty() || !folded.empty()) html += "<h3>" + escape_html(stage) + "</h3>" + cards(shown);
    if (!folded.empty())
      html += "<details><summary>" + std::to_string(more) + " more of " + escape_html(stage) + "</summary>" +
              cards(folded) + "</details>";
  }
  return html.empty() ? "" : "<h2>Training</h2>" + html + "<p class=\"source\">metrics.jsonl; figures over steps</p>";
}

std::string rejected_section(const RunResults& results) {
  std::vector<std::vector<std::string>> rows;
  for (const ArtifactRecord& artifact : results.artifacts)
    for (const Json& file : artifact.manifest.files) {
      const std::filesystem::path path = artifact.folder / file["path"].get<std::string>();
      if (path.filename().string().find("rejected") == std::string::npos || path.extension() != ".jsonl") continue;
      std::error_code ignored;
      if (!std::filesystem::exists(path, ignored)) continue;
      rows.push_back(
          {escape_html(artifact.manifest.stage),
           "<code>" + escape_html(artifact.folder.filename().string() + "/" + path.filename().string()) + "</code>",
           std::to_string(count_lines(path))});
    }
  if (rows.empty()) return "";
  return "<h2>Rejected rows</h2><p>Rows that a stage could not use, each with its reason in the file.</p>" +
         html_table({"stage", "file", "rows"}, rows, 2);
}

/// What stands in the slots of a stage or component of run.json, inner ones as "reward.teacher".
std::string slots_html(const Json& component, const std::string& prefix = "") {
  std::string html;
  const Json slots = component.value("slots", Json::object());
  for (const auto& [name, filled] : slots.items())
    for (const Json& slot : filled.is_array() ? filled : Json::array({filled}))
      html += "<br><span class=\"soft\">" + escape_html(prefix + name) + ":</span> " + text_of(slot, "component") +
              " " + text_of(slot, "version") + slots_html(slot, prefix + name + ".");
  return html;
}

std::string lineage_section(const RunResults& results) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < results.stages.size(); ++i) {
    const Json& stage = results.record["stages"][i];
    std::string inputs;
    const Json stage_inputs = stage.value("inputs", Json::object());
    for (const auto& [name, sources] : stage_inputs.items())
      for (const Json& source : sources)
        inputs += (inputs.empty() ? "" : ", ") + escape_html(name) + ": " + escape_html(source.get<std::string>());
    const std::string components = text_of(stage, "component") + " " + text_of(stage, "version") + slots_html(stage);
    const Json seconds = stage.value("seconds", Json());
    rows.push_back({text_of(stage, "name"), components, inputs.empty() ? "–" : inputs,
                    "<code>" + text_of(stage, "artifact") + "</code>", text_of(stage, "state"),
                    seconds.is_number() ? format_duration(seconds.get<double>()) : "–"});
  }
  return "<h2>Lineage</h2>" + html_table({"stage", "component", "made from", "artifact", "state", "time"}, rows, 5) +
         "<p class=\"source\">run.json; hashes of all files: manifest.json of each artifact</p>";
}

std::string record_section(const RunResults& results) {
  const Json& record = results.record;
  std::vector<std::vector<std::string>> rows = {{"seed", text_of(record, "seed")},
                                                {"threads", text_of(record, "threads")}};
  for (const char* group : {"versions", "machine"}) {
    const Json members = record.value(group, Json::object());
    for (const auto& item : members.items())
      rows.push_back({escape_html(item.key()), text_of(members, item.key().c_str())});
  }
  return "<h2>Record</h2>" + html_table({"what", "value"}, rows) + "<details><summary>Resolved config</summary><pre>" +
         escape_html(record.value("config", Json()).dump(2)) + "</pre></details><p class=\"source\">run.json</p>";
}

std::string render_report(const RunFolder& folder, const RunResults& results, const std::vector<Json>& metrics) {
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width, initial-scale=1\"><title>" +
         text_of(results.record, "name") + " · Retort report</title><style>" + report_style +
         "</style></head><body><main>" + header_section(folder, results) + results_section(results) +
         search_section(results) + sensitivity_section(results) + tools_section(results) + groups_section(results) +
         losses_section(folder, results) + misses_section(results) + training_section(metrics) +
         rejected_section(results) + lineage_section(results) + record_section(results) + "</main></body></html>\n";
}

void write_report(const RunFolder& folder) {
  write_file_atomically(folder.report(), render_report(folder, read_results(folder), read_metrics(folder.metrics())));
}

}  // namespace retort::host
