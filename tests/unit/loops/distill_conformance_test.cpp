// `retort plugins check` on distillation losses of the test, right ones and wrong ones.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>

#include "distill_fixture.h"
#include "host/base/json.h"
#include "host/plugin/conformance_checks.h"

namespace retort::train {
namespace {

using testing::FakeDistill;
using Names = std::set<std::string>;

/// The names of the checks that did not pass.
Names failures(FakeDistill& loss) {
  std::FILE* file = std::tmpfile();
  host::CheckLog log(fileno(file));
  host::check_distill(log, {"distill.tested", loss.plugin().instance, &FakeDistill::table()});
  std::rewind(file);
  Names failed;
  std::string line;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    const nlohmann::json entry = nlohmann::json::parse(line);
    if (entry.at("outcome") == "failed") failed.insert(entry.at("check"));
    line.clear();
  }
  std::fclose(file);
  return failed;
}

void declare_projection(FakeDistill& loss) {
  loss.signals |= RETORT_SIGNAL_HIDDEN_STATES;
  loss.student_layers = {0, -1};
  loss.teacher_layers = {1, -1};
  loss.projection = true;
  loss.flags = RETORT_DISTILL_SEVERAL_TEACHERS;
}

const Names gradient_alone = {"gradient equals central finite differences"};

}  // namespace

TEST(DistillConformance, PassesARightLoss) {
  FakeDistill simple, with_everything;
  EXPECT_EQ(failures(simple), Names{});
  declare_projection(with_everything);
  EXPECT_EQ(failures(with_everything), Names{});
}

TEST(DistillConformance, StopsAGradientOfTheWrongScale) {
  for (const double scale : {1.9, 1 / 1.9, 1.03, 0.97, -1.0, 0.0}) {
    FakeDistill logits, parameter;
    logits.logits_scale = scale;
    EXPECT_EQ(failures(logits), gradient_alone) << scale;
    declare_projection(parameter);
    parameter.parameter_scale = scale;
    EXPECT_EQ(failures(parameter), gradient_alone) << scale;
  }
}

TEST(DistillConformance, StopsAMeanOverTheRowsOfACall) {
  FakeDistill loss;
  loss.mean_instead_of_sum = true;
  EXPECT_TRUE(failures(loss).contains("sum over row chunks equals the whole"));
}

TEST(DistillConformance, StopsWhatIsLeftUnwritten) {
  FakeDistill loss;
  loss.leaves_unwritten = true;
  EXPECT_TRUE(failures(loss).contains("gradient equals central finite differences"));
}

TEST(DistillConformance, StopsASecondTeacherThatDoesNotCount) {
  FakeDistill loss;
  loss.flags = RETORT_DISTILL_SEVERAL_TEACHERS;
  loss.ignores_second_teacher = true;
  EXPECT_EQ(failures(loss), Names{"a second teacher counts"});
}

TEST(DistillConformance, AStoppedGradientOnlyHasToLeadDownwards) {
  FakeDistill scaled, reversed, none;
  scaled.flags = reversed.flags = none.flags = RETORT_DISTILL_STOPPED_GRADIENT;
  scaled.logits_scale = 0.5;
  EXPECT_EQ(failures(scaled), Names{});
  reversed.logits_scale = -1;
  EXPECT_EQ(failures(reversed), gradient_alone);
  none.logits_scale = 0;
  EXPECT_EQ(failures(none), gradient_alone);
}

TEST(DistillConformance, StopsSignalsOfAnotherInterface) {
  FakeDistill loss;
  loss.signals |= RETORT_SIGNAL_VALUES;
  EXPECT_EQ(failures(loss), Names{"requirements are usable"});
}

}  // namespace retort::train
