// Calibration data with rows that the model cannot read: left out and said, or refused by their share.
#include "train/calibration_set.h"

#include <gtest/gtest.h>

#include <fstream>

#include "policy_fixture.h"

namespace retort::train {
namespace {

class CalibrationData : public ::testing::Test {
 protected:
  CalibrationData() {
    std::ofstream rows(place_.dataset() / "train.jsonl", std::ios::app);
    rows << R"({"messages":[{"role":"user","content":"dim )" << std::string(400, 'x') << "\"}]}\n"
         << R"({"messages":[{"role":"user","content":"an utterance without an answer"}]})" << "\n"
         << "no JSON\n";
  }
  std::vector<Sequence> sequences(double share) {
    RunHooks hooks{[](std::string_view, std::int64_t, double) {},
                   [](std::string_view, std::int64_t, std::int64_t, std::string_view) {}, [] {},
                   [this](std::string_view line) { log_ += std::string(line) + "\n"; }};
    const TaskFiles task = load_task_files(place_.policy());
    return calibration_sequences(place_.dataset(), task, {.max_length = 64, .max_rejected_share = share}, "awq", hooks);
  }

  const testing::Workplace place_;
  std::string log_;
};

TEST_F(CalibrationData, RowsThatCannotBeReadAreLeftOutAndSaid) {
  const std::vector<Sequence> found = sequences(0.1);
  ASSERT_EQ(found.size(), 21U);  // 20 labelled rows and one without an answer
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].example, i);
  EXPECT_NE(log_.find("21 rows kept, 2 rejected"), std::string::npos) << log_;
  EXPECT_NE(log_.find("raise max_positions"), std::string::npos) << log_;
}

TEST_F(CalibrationData, MoreOfThemThanMayBeAreRefused) {
  try {
    sequences(0.05);
    FAIL() << "expected an error";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("2 of 23 rows cannot be used, more than max_rejected_share 0.05"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace retort::train
