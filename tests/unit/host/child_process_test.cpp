// A child that misbehaves in every way is ended and described.
#include "host/child_process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

namespace retort::host {
namespace {

ChildResult shell(const std::string& script, double seconds = 20) {
  return run_child("/bin/sh", {"-c", script}, seconds);
}

TEST(ChildProcess, TheResultComesFromItsOwnDescriptor) {
  const ChildResult result = shell("echo noise; echo complaint >&2; echo result >&3");
  EXPECT_TRUE(result.succeeded());
  EXPECT_EQ(result.output, "result\n");
  EXPECT_EQ(result.last_words, "complaint\n");
}

TEST(ChildProcess, LongResultsComeWhole) {
  const ChildResult result = shell("head -c 3000000 /dev/zero | tr '\\0' x >&3");
  EXPECT_TRUE(result.succeeded());
  EXPECT_EQ(result.output, std::string(3000000, 'x'));
}

TEST(ChildProcess, ASignalIsNamed) {
  const ChildResult result = shell("echo dying >&2; kill -ABRT $$");
  EXPECT_FALSE(result.succeeded());
  EXPECT_EQ(how_it_ended(result, 20), "crashed (SIGABRT); its last words: dying");
}

TEST(ChildProcess, AnExitCodeIsNamed) {
  EXPECT_EQ(how_it_ended(shell("exit 3"), 20), "ended with exit code 3");
}

TEST(ChildProcess, AHangIsEndedWithAllItStarted) {
  const ChildResult result = shell("sleep 1000 & echo $! >&3; wait", 0.3);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(how_it_ended(result, 0.3), "did not finish within 0.3 s");
  const pid_t grandchild = std::stoi(result.output);
  // The kernel reaps it in its own time; ending is certain, the moment is not.
  for (int i = 0; i < 1000 && ::kill(grandchild, 0) == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_NE(::kill(grandchild, 0), 0);
}

TEST(ChildProcess, AGrandchildThatHoldsThePipesDoesNotHoldUsUp) {
  const ChildResult result = shell("sleep 1000 & echo done >&3", 20);
  EXPECT_TRUE(result.succeeded());
  EXPECT_EQ(result.output, "done\n");
}

TEST(ChildProcess, AMissingProgramIsAnError) {
  EXPECT_THROW(run_child("/nowhere/program", {}, 1), std::runtime_error);
}

TEST(ChildProcess, LastWordsAreShortAndPrintable) {
  const ChildResult result = shell("head -c 100000 /dev/zero | tr '\\0' x >&2; printf 'a\\033b\\n' >&2; exit 1");
  EXPECT_EQ(result.last_words.size(), 400u);
  const std::string text = how_it_ended(result, 20);
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_EQ(text.substr(text.size() - 3), "a b");
}

}  // namespace
}  // namespace retort::host
