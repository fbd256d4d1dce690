// A child that misbehaves in every way is ended and described.
#include "host/base/child_process.h"

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <fstream>
#include <string>
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

TEST(ChildProcess, AHangIsEnded) {
  const ChildResult result = shell("sleep 1000", 0.3);
  EXPECT_TRUE(result.timed_out);
  EXPECT_FALSE(result.succeeded());
  EXPECT_EQ(how_it_ended(result, 0.3), "did not finish within 0.3 s");
}

/// Gone, or a zombie that nobody has collected yet.
bool has_ended(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return true;
  return line.substr(line.rfind(')') + 2, 1) == "Z";
}

TEST(ChildProcess, WhatAChildLeavesBehindIsEndedAndDoesNotHoldUsUp) {
  const ChildResult result = shell("sleep 1000 & echo $! >&3");
  ASSERT_TRUE(result.succeeded());
  const pid_t grandchild = std::stoi(result.output);
  while (!has_ended(grandchild)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
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
