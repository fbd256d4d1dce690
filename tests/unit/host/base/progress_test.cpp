// Progress lines: their text, and how often they come where there is no terminal.
#include "host/base/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

namespace retort::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// What a progress writes to a stream that is not a terminal.
class PlainProgress : public ::testing::Test {
 protected:
  std::string written() {
    std::rewind(file_.get());
    std::string text(100000, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file_.get()));
    return text;
  }
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{std::tmpfile(), std::fclose};
  Terminal terminal_{file_.get()};
  Progress::Clock::time_point start_ = Progress::Clock::time_point(seconds(1000));
};

TEST_F(PlainProgress, LinesAtIntervalsAndAtTheEnd) {
  Progress progress(terminal_, false, seconds(10));
  for (int i = 1; i <= 250; ++i) progress.update("sft", i, 250, "steps", start_ + milliseconds(100 * i));
  const std::string text = written();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
  EXPECT_NE(text.find("sft 100%  250/250 steps  10.0 steps/s"), std::string::npos) << text;
  EXPECT_NE(text.find("left"), std::string::npos) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST_F(PlainProgress, RateLeavesOutWhatWasDoneBefore) {
  Progress progress(terminal_, false, seconds(1));
  progress.update("sft", 900, 1000, "steps", start_);
  progress.update("sft", 910, 1000, "steps", start_ + seconds(10));
  EXPECT_NE(written().find("1.00 steps/s  1:30 left"), std::string::npos) << written();
}

TEST_F(PlainProgress, QuietSaysNothing) {
  Progress progress(terminal_, true, seconds(0));
  progress.update("sft", 1, 1, "steps", start_);
  EXPECT_EQ(written(), "");
}

TEST(FormatProgress, Cases) {
  EXPECT_EQ(format_progress("a", 3, 0, "rows", 0, true), "a  3 rows");
  EXPECT_EQ(format_progress("a", 0, 10, "rows", 0, false), "a 0%  0/10 rows");
  EXPECT_EQ(format_progress("a", 20, 10, "rows", 5, false), "a 100%  20/10 rows  5.00 rows/s");
  EXPECT_NE(format_progress("a", 12, 24, "rows", 1, true).find("############············"), std::string::npos);
}

TEST(FormatDuration, Cases) {
  EXPECT_EQ(format_duration(0), "0:00");
  EXPECT_EQ(format_duration(59.6), "1:00");
  EXPECT_EQ(format_duration(3725), "1:02:05");
  EXPECT_EQ(format_duration(-1), "0:00");
}

}  // namespace
}  // namespace retort::host
