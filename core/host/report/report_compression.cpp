// What compression came to: searches (the fact "search" of an artifact), drawn and as tables, and stage.sensitivity.
#include <algorithm>

#include "host/base/number_format.h"
#include "host/report/charts.h"
#include "host/report/report.h"
#include "host/report/report_sections.h"

namespace retort::host {
namespace {

double number(const Json& object, const char* key) {
  const Json value = object.is_object() ? object.value(key, Json()) : Json();
  return value.is_number() ? value.get<double>() : 0.0;
}

/// Candidates whose answers were measured.
bool answered(const Json& candidate) {
  return candidate.is_object() && candidate.value("exact_match", Json()).is_number() &&
         number(candidate, "bytes") > 0 && number(candidate, "milliseconds") > 0;
}

std::string candidate_name(const Json& candidate) {
  const Json name = candidate.value("name", Json());
  return name.is_string() ? name.get<std::string>() : "";
}

std::string chart(const Json& search, bool bytes) {
  const char* key = bytes ? "bytes" : "milliseconds";
  std::vector<FrontPoint> points;
  for (const Json& candidate : search.value("candidates", Json::array())) {
    if (!answered(candidate)) continue;
    const bool best = candidate_name(candidate) == search.value("best", "");
    points.push_back({{candidate_name(candidate), number(candidate, key), number(candidate, "exact_match")},
                      best                              ? FrontPoint::Mark::best
                      : candidate.value("front", false) ? FrontPoint::Mark::front
                                                        : FrontPoint::Mark::other});
  }
  const Json teacher = search.value("teacher", Json()), limits = search.value("limits", Json());
  if (points.empty()) return "";
  if (number(teacher, key) > 0)
    points.push_back({{"teacher", number(teacher, key), number(teacher, "exact_match")}, FrontPoint::Mark::reference});
  const std::string drawn = front_chart(points, {bytes ? "bytes of weights" : "milliseconds of a call", bytes,
                                                 number(limits, key), number(limits, "exact_match")});
  return "<div class=\"card\"><h3>Exact match against " + std::string(bytes ? "size" : "latency") + "</h3>" + drawn +
         "</div>";
}

std::vector<std::string> row(const Json& candidate) {
  const Json rung = candidate.value("rung", Json()), dropped = candidate.value("dropped", Json());
  const std::string state = dropped.is_string()              ? dropped.get<std::string>()
                            : candidate.value("fits", false) ? "fits"
                                                             : "measured";
  return {escape_html(candidate_name(candidate)),
          format_bytes(candidate.value("bytes", Json())),
          format_ms(candidate.value("milliseconds", Json())),
          format_percent(candidate.value("exact_match", Json())),
          number(candidate, "loss") > 0 ? format_number(number(candidate, "loss")) : "–",
          rung.is_number() && rung.get<int>() > 0 ? rung.dump() : "–",
          escape_html(state)};
}

std::string table(const Json& search, bool front) {
  std::vector<Json> shown;
  for (const Json& candidate : search.value("candidates", Json::array()))
    if (candidate.is_object() && candidate.value("front", false) == front) shown.push_back(candidate);
  if (shown.empty()) return "";
  std::stable_sort(shown.begin(), shown.end(),
                   [](const Json& a, const Json& b) { return number(a, "bytes") < number(b, "bytes"); });
  std::vector<std::vector<std::string>> rows;
  int best = -1;
  for (const Json& candidate : shown) {
    if (candidate_name(candidate) == search.value("best", "")) best = static_cast<int>(rows.size());
    rows.push_back(row(candidate));
  }
  return html_table({"candidate", "size", "median", "exact match", "loss", "rung", "state"}, rows, 1, best);
}

std::string one_search(const ArtifactRecord& artifact, const Json& search) {
  const std::string failure = search.value("failure", ""), name = escape_html(artifact.manifest.stage);
  std::string html = "<h2>Search: " + name + "</h2>";
  html += failure.empty() ? "<p>The best within the limits is " + escape_html(search.value("best", "")) + ".</p>"
                          : "<p class=\"error\">" + escape_html(failure) + "</p>";
  html += "<div class=\"pair\">" + chart(search, true) + chart(search, false) + "</div>";
  html += "<h3>Pareto front</h3>" + table(search, true);
  const std::string others = table(search, false);
  if (!others.empty()) html += "<details><summary>All other candidates</summary>" + others + "</details>";
  return html +
         "<p class=\"source\">measured on this machine while searching, teacher and limits with it; dashed: the "
         "limits. artifacts/" +
         escape_html(artifact.folder.filename().string()) + "/manifest.json</p>";
}

std::string layer_table(const Json& report) {
  std::vector<std::vector<std::string>> rows;
  const auto row = [](const std::string& name, const Json& entry, const std::string& cost) {
    return std::vector<std::string>{escape_html(name),
                                    cost,
                                    format_number(number(entry, "perplexity")),
                                    format_percent(entry.value("exact_match", Json())),
                                    format_ms(entry.value("milliseconds", Json())),
                                    format_bytes(entry.value("bytes", Json())),
                                    format_bytes(entry.value("bytes_8_bits", Json()))};
  };
  Json whole = report;
  whole.erase("bytes");
  rows.push_back(row("none", whole, "–"));
  for (const Json& layer : report.at("layers"))
    rows.push_back(row(layer.at("layer").get<std::string>(), layer,
                       format_number(number(layer, "loss") - number(report, "loss"))));
  return html_table({"layer", "loss it costs", "perplexity", "exact match", "median", "its bytes", "in 8 bits"}, rows,
                    1);
}

}  // namespace

std::string sensitivity_section(const RunResults& results) {
  std::string html;
  for (const ArtifactRecord& artifact : results.artifacts) {
    const std::filesystem::path file = artifact.folder / "sensitivity.json";
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored)) continue;
    try {
      const Json report = read_json(file);
      html += "<h3>" + escape_html(artifact.manifest.stage) + "</h3>" + layer_table(report) +
              "<p class=\"source\">artifacts/" + escape_html(artifact.folder.filename().string()) +
              "/sensitivity.json; overrides chosen: " + escape_html(report.at("overrides").dump()) + "</p>";
    } catch (const std::exception&) {
      // Not a report of stage.sensitivity.
    }
  }
  return html.empty() ? "" : "<h2>Layers</h2><p>The float model, and each layer's codes alone.</p>" + html;
}

std::string search_section(const RunResults& results) {
  std::string html;
  for (const ArtifactRecord& artifact : results.artifacts)
    if (artifact.manifest.facts.is_object() && artifact.manifest.facts.contains("search")) {
      try {
        html += one_search(artifact, artifact.manifest.facts.at("search"));
      } catch (const Json::exception&) {
        // Another stage's fact of that name.
      }
    }
  return html;
}

}  // namespace retort::host
