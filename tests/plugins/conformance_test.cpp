// The conformance checks pass right plugins and find wrong ones.
#include "host/plugin/conformance.h"

#include <gtest/gtest.h>

#include <fstream>

namespace retort::host {
namespace {

std::filesystem::path built(const std::string& name) {
  return std::filesystem::path(TEST_PLUGINS) / (name + ".so");
}

const ConformanceCheck* find(const ConformanceReport& report, const std::string& component, const std::string& name) {
  for (const ConformanceCheck& check : report.checks)
    if (check.component == component && check.name == name) return &check;
  return nullptr;
}

TEST(Conformance, APluginInCPasses) {
  const ConformanceReport report = check_plugin(built("good_c"));
  EXPECT_TRUE(report.passed()) << to_json(report).dump(2);
  for (const char* name : {"gradient equals central finite differences", "zero mask gives zero loss and gradient",
                           "sum over row chunks equals the whole"}) {
    const ConformanceCheck* check = find(report, "distill.good_c", name);
    ASSERT_NE(check, nullptr) << name;
    EXPECT_EQ(check->outcome, "passed");
  }
}

TEST(Conformance, AWrongGradientIsFound) {
  const ConformanceReport report = check_plugin(built("good_cpp"));
  EXPECT_FALSE(report.passed());
  const char* name = "gradient equals central finite differences";
  ASSERT_NE(find(report, "distill.good_mse", name), nullptr);
  EXPECT_EQ(find(report, "distill.good_mse", name)->outcome, "passed");
  const ConformanceCheck* wrong = find(report, "distill.wrong_gradient", name);
  ASSERT_NE(wrong, nullptr);
  EXPECT_EQ(wrong->outcome, "failed");
  EXPECT_NE(wrong->detail.find("finite difference"), std::string::npos) << wrong->detail;
}

TEST(Conformance, RequiredParametersAreSkippedVisibly) {
  const ConformanceReport report = check_plugin(built("good_cpp"));
  const ConformanceCheck* check = find(report, "stage.copier", "created and destroyed twice");
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->outcome, "skipped");
  EXPECT_NE(check->detail.find("required"), std::string::npos);
}

TEST(Conformance, RequiredSlotsHoldStandIns) {
  const ConformanceReport report = check_plugin(built("good_cpp"));
  const ConformanceCheck* check = find(report, "reward.judge", "created and destroyed twice");
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->outcome, "passed") << check->detail;
  check = find(report, "reward.judge", "declares its scores");
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->outcome, "passed") << check->detail;
}

TEST(Conformance, RequiredSlotsWithoutAStandInAreSkippedVisibly) {
  const ConformanceReport report = check_plugin(built("good_cpp"));
  const ConformanceCheck* check = find(report, "reward.in_a_world", "created and destroyed twice");
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->outcome, "skipped");
  EXPECT_NE(check->detail.find("slot \"world\" needs a component of retort.environment/1"), std::string::npos);
}

TEST(Conformance, AnErrorOfTheComponentIsAFailureWithItsMessage) {
  const ConformanceReport report = check_plugin(built("throwing"));
  EXPECT_FALSE(report.passed());
  const ConformanceCheck* check = find(report, "distill.throws_in_create", "created and destroyed twice");
  ASSERT_NE(check, nullptr);
  EXPECT_NE(check->detail.find("cannot open /nowhere/weights.bin"), std::string::npos) << check->detail;
}

TEST(Conformance, AConstantAnswerIsFound) {
  const ConformanceReport report = check_plugin(built("plain"));
  EXPECT_FALSE(report.passed());
  const ConformanceCheck* check = find(report, "reward.plain", "scores right, wrong and malformed responses");
  ASSERT_NE(check, nullptr);
  EXPECT_EQ(check->outcome, "failed");
}

TEST(Conformance, SignalsOfAnotherInterfaceAreRefusedByName) {
  const ConformanceReport report = check_plugin(built("greedy"));
  const std::pair<const char*, const char*> asked[] = {
      {"distill.greedy", "VALUES"},      {"rl.greedy", "TEACHER_TOP_K"},    {"preference.greedy", "ENTROPIES"},
      {"prune.greedy", "INPUT_HESSIAN"}, {"sparsify.greedy", "HEAD_NORMS"}, {"quantize.greedy", "bit 57"}};
  for (const auto& [id, signal] : asked) {
    const ConformanceCheck* check = find(report, id, "requirements are usable");
    ASSERT_NE(check, nullptr) << id;
    EXPECT_EQ(check->outcome, "failed") << id;
    EXPECT_NE(check->detail.find(signal), std::string::npos) << check->detail;
    EXPECT_NE(check->detail.find(id), std::string::npos) << check->detail;
  }
}

TEST(Conformance, ACrashIsAFailedCheck) {
  const ConformanceReport report = check_plugin(built("crash"));
  ASSERT_EQ(report.checks.size(), 1u);
  EXPECT_EQ(report.checks[0].name, "loads and describes its components");
  EXPECT_EQ(report.checks[0].outcome, "failed");
  EXPECT_NE(report.checks[0].detail.find("SIGSEGV"), std::string::npos) << report.checks[0].detail;
}

TEST(Conformance, AHangIsAFailedCheck) {
  const ConformanceReport report = check_plugin(built("hang"), 0.3);
  ASSERT_EQ(report.checks.size(), 1u);
  EXPECT_NE(report.checks[0].detail.find("did not finish within 0.3 s"), std::string::npos) << report.checks[0].detail;
}

TEST(Conformance, WhatIsNoPluginFails) {
  EXPECT_FALSE(check_plugin("/nowhere/absent.so").passed());
  EXPECT_FALSE(check_plugin(built("no_symbol")).passed());
}

}  // namespace
}  // namespace retort::host
