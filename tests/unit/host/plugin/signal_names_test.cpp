// Signals in words.
#include "host/plugin/signal_names.h"

#include <gtest/gtest.h>
#include <retort/abi/signals.h>

namespace retort::host {
namespace {

TEST(SignalNames, NamesBitsFromTheLowestOn) {
  EXPECT_EQ(signal_names(RETORT_SIGNAL_LABELS | RETORT_SIGNAL_TEACHER_LOGITS), "TEACHER_LOGITS, LABELS");
  EXPECT_EQ(signal_names(RETORT_SIGNAL_INPUT_HESSIAN), "INPUT_HESSIAN");
  EXPECT_EQ(signal_names(std::uint64_t{1} << 57 | RETORT_SIGNAL_VALUES), "VALUES, bit 57");
  EXPECT_EQ(signal_names(0), "none");
}

TEST(SignalNames, UnknownOnesAreThoseThatAnInterfaceDoesNotHave) {
  EXPECT_EQ(unknown_signals(RETORT_SIGNAL_LABELS, RETORT_SIGNAL_LABELS | RETORT_SIGNAL_VALUES), "");
  EXPECT_EQ(unknown_signals(RETORT_SIGNAL_LABELS | RETORT_SIGNAL_VALUES, RETORT_SIGNAL_LABELS), "VALUES");
  EXPECT_EQ(unknown_signals(std::uint64_t{1} << 63, 0), "bit 63");
}

}  // namespace
}  // namespace retort::host
