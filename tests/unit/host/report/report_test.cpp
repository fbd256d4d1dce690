// report.html: self-contained, escaped, and every figure from the run directory.
#include "host/report/report.h"

#include <regex>

#include "host/base/number_format.h"
#include "host/report/charts.h"
#include "pipeline_fixture.h"

namespace retort::host {
namespace {

class ReportTest : public PipelineTest {
 protected:
  std::string report(const Json& json) const {
    run(json);
    return read_file(run_folder().report());
  }
};

TEST_F(ReportTest, LoadsNothing) {
  const std::string html = report(chain());
  for (const char* reference : {"http:", "https:", "//", "src=", "@import", "url(", "<link", "<script"})
    EXPECT_EQ(html.find(reference), std::string::npos) << reference;
  EXPECT_TRUE(html.starts_with("<!doctype html>"));
  EXPECT_NE(html.find("prefers-color-scheme: dark"), std::string::npos);
}

TEST_F(ReportTest, EscapesWhatModelsAndConfigsSay) {
  Json json = chain();
  json["description"] = "<img onerror='x'> & \"more\"";
  const std::string html = report(json);
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_NE(html.find("&lt;img onerror=&#39;x&#39;&gt; &amp; &quot;more&quot;"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"), std::string::npos) << "the missed utterance";
}

TEST_F(ReportTest, HasAllPartsWithFiguresOfTheFiles) {
  Json json = chain();
  json["stages"][1]["steps"] = 12;
  const std::string html = report(json);
  for (const char* part :
       {"<h2>Models</h2>", "<h2>Tools</h2>", "<h2>Where calls were lost</h2>", "count → quick", "<h2>Misses</h2>",
        "<h2>Training</h2>", "<h2>Rejected rows</h2>", "<h2>Lineage</h2>", "<h2>Record</h2>", "Resolved config"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
  for (const char* figure : {"75.0%", "12.5%", "48.0 kB", "8.00 kB", "1.50 ms", "6.0× smaller", "light_set", "(none)"})
    EXPECT_NE(html.find(figure), std::string::npos) << figure;
}

/// One card a curve of a training stage, the telling ones first, the rest behind a fold; every curve ends at its file's
/// last value.
TEST_F(ReportTest, TrainingStagesHaveCurvesTheTellingOnesFirst) {
  run(chain());
  std::vector<Json> metrics;
  const auto add = [&](const char* name, std::int64_t step, double value) {
    metrics.push_back({{"stage", "policy"}, {"name", name}, {"step", step}, {"value", value}});
  };
  for (std::int64_t step = 2; step >= 0; --step) {  // a file that was joined need not be in order
    for (const char* name : {"gradient_norm", "kl", "loss", "policy_entropy", "reward", "reward_1", "reward_spread",
                             "trained_rows", "validation_exact_match"})
      add(name, step, static_cast<double>(step) + .25);
    metrics.push_back({{"stage", "policy"}, {"name", "held"}, {"step", step}, {"value", nullptr}});
  }
  add("examples", -1, 20);  // a fact, and a single point: nothing to draw
  add("once", 4, 1);
  const RunFolder folder = run_folder();
  const std::string html = render_report(folder, read_results(folder), metrics);
  std::size_t at = html.find("<h3>policy</h3>");
  ASSERT_NE(at, std::string::npos);
  for (const char* name :
       {"loss", "reward", "reward_1", "reward_spread", "validation_exact_match", "policy_entropy", "kl"}) {
    const std::size_t card = html.find("<h3>" + std::string(name) + " <span class=\"soft\">last 2.25</span></h3>", at);
    ASSERT_NE(card, std::string::npos) << name;
    EXPECT_NE(html.find("aria-label=\"" + std::string(name) + " over steps\"", card), std::string::npos);
    EXPECT_EQ(html.find("</details>", at) < card, false) << name << " is folded away";
    at = card;
  }
  const std::size_t fold = html.find("<details><summary>2 more of policy</summary>", at);
  ASSERT_NE(fold, std::string::npos);
  EXPECT_GT(html.find("<h3>gradient_norm"), fold);
  EXPECT_GT(html.find("<h3>trained_rows"), fold);
  for (const char* name : {"<h3>held", "<h3>examples", "<h3>once"}) EXPECT_EQ(html.find(name), std::string::npos);
}

TEST_F(ReportTest, TagsAreBalanced) {
  const std::string html = report(chain());
  std::vector<std::string> open;
  const std::regex tag("<(/?)([a-z][a-z0-9]*)([^>]*)>");
  for (std::sregex_iterator match(html.begin(), html.end(), tag), end; match != end; ++match) {
    const std::string name = (*match)[2];
    if (name == "meta" || name == "br" || (*match)[3].str().ends_with("/")) continue;
    if ((*match)[1].str().empty()) {
      open.push_back(name);
    } else {
      ASSERT_FALSE(open.empty());
      ASSERT_EQ(open.back(), name) << "at " << match->position();
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty());
}

TEST_F(ReportTest, FailedRunHasAReportToo) {
  EXPECT_ANY_THROW(run(chain(), {"count.fail_at=2"}));
  const std::string html = read_file(run_folder().report());
  EXPECT_NE(html.find("step 2 failed as told"), std::string::npos);
  EXPECT_NE(html.find("failed"), std::string::npos);
}

TEST_F(ReportTest, SurvivesForeignEvaluations) {
  run(chain());
  const RunFolder folder = run_folder();
  RunResults results = read_results(folder);
  for (StageResult& stage : results.stages)
    stage.evaluation = Json::parse(
        R"({"tools": {"a": 5, "b": null, "c": {"utterances": 0, "exact": 0}, "d": []}, "misses": [1, {}]})");
  EXPECT_NE(render_report(folder, results, {}).find("</html>"), std::string::npos);
  for (StageResult& stage : results.stages) {
    stage.evaluation = 7;
    stage.exact_match = "high";
    stage.bytes = -5;
    stage.p50_ms = 0;
  }
  EXPECT_NE(render_report(folder, results, {}).find("</html>"), std::string::npos);
}

TEST(Charts, LinearTicksAreRoundAndCover) {
  EXPECT_EQ(linear_ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(linear_ticks(3, 3, 5), (std::vector<double>{3}));
  const auto ticks = linear_ticks(-0.37, 1.91, 4);
  EXPECT_LE(ticks.front(), -0.37);
  EXPECT_GE(ticks.back(), 1.91);
  EXPECT_LE(ticks.size(), 8u);
}

TEST(Charts, LogarithmicTicksStayInside) {
  EXPECT_EQ(logarithmic_ticks(80, 1200), (std::vector<double>{100, 200, 500, 1000}));
  EXPECT_EQ(logarithmic_ticks(1, 1e4), (std::vector<double>{1, 10, 100, 1000, 10000}));
}

TEST(Charts, NothingToDrawIsEmpty) {
  EXPECT_EQ(accuracy_chart({}), "");
  EXPECT_EQ(latency_chart({}), "");
  EXPECT_EQ(curve_chart({{1, 1}}), "");
}

TEST(Charts, DegenerateDataDrawsNoNan) {
  const std::string charts = accuracy_chart({{"a", 100, 1}, {"b", 100, 1}, {"c", 1, 0}}) +
                             latency_chart({{"a", 0, 0}}) + curve_chart({{1, 5}, {1, 5}}) +
                             curve_chart({{1, 0}, {2, 0}});
  EXPECT_EQ(charts.find("nan"), std::string::npos) << charts;
  EXPECT_EQ(charts.find("inf"), std::string::npos) << charts;
}

TEST(Charts, LargeValuesHaveShortLabels) {
  const std::string chart = curve_chart({{0, 0}, {1, 12000}}, "tokens_per_second");
  EXPECT_EQ(chart.find("e+"), std::string::npos) << chart;
  EXPECT_NE(chart.find(">12.0k<"), std::string::npos) << chart;
}

TEST(Charts, LongCurvesKeepTheirSpikes) {
  std::vector<std::pair<double, double>> points;
  for (int i = 0; i < 100000; ++i) points.emplace_back(i, i == 54321 ? 1000 : 1);
  const std::string chart = curve_chart(points);
  EXPECT_LT(chart.size(), 20000u);
  EXPECT_NE(chart.find(",10.0 "), std::string::npos) << "a point at the top of the plot";
}

TEST(NumberFormat, ForPeople) {
  EXPECT_EQ(format_bytes(812), "812 B");
  EXPECT_EQ(format_bytes(1240000), "1.24 MB");
  EXPECT_EQ(format_bytes(999999), "1.00 MB");
  EXPECT_EQ(format_count(24100000), "24.1M");
  EXPECT_EQ(format_percent(0.973), "97.3%");
  EXPECT_EQ(format_ms(1.837), "1.84 ms");
  EXPECT_EQ(format_ratio(31.2), "31×");
  EXPECT_EQ(format_percent(nullptr), "–");
  EXPECT_EQ(format_bytes("x"), "–");
}

}  // namespace
}  // namespace retort::host
