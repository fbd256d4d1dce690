// What stands around the sessions of worlds elsewhere: caches that ask for nothing twice, failures that are results,
// and limits.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "fixtures.h"
#include "remote_session.h"

namespace retort::environments {
namespace {

using tests::contains;
using tests::error_of;

/// A world that counts: each call adds its name's length. Goes wrong at the name "crash".
class CountingSession final : public RemoteSession {
 public:
  explicit CountingSession(int& executed) : executed_(executed) {}
  Json execute(const Json& calls) override {
    Json results = Json::array();
    for (const Json& call : calls) {
      ++executed_;
      if (call["name"] == "crash") throw std::runtime_error("the world ended");
      sum_ += call["name"].get<std::string>().size();
      results.push_back({{"ok", true}, {"content", std::to_string(sum_)}});
    }
    return {{"ok", true}, {"error", nullptr}, {"results", results}, {"state", std::to_string(sum_)}};
  }
  Json state() override { return sum_; }

 private:
  int& executed_;
  std::size_t sum_ = 0;
};

struct Counting {
  int started = 0, executed = 0;
  SessionSurroundings surroundings;
  explicit Counting(std::size_t entries = 0, const std::string& file = "", std::int64_t failures = 1)
      : surroundings{"counting", OutcomeCache(entries, file), Failures(failures)} {}
  GuardedSession session(const std::string& start = "{}") {
    return {surroundings, start, [this] {
              ++started;
              return std::make_unique<CountingSession>(executed);
            }};
  }
};

constexpr const char* ab = R"([{"name": "ab"}])";
constexpr const char* xyz = R"([{"name": "xyz"}])";
constexpr const char* crash = R"([{"name": "crash", "id": "c1"}, {"name": "ab"}])";

std::string state_of(const std::string& outcome) {
  return Json::parse(outcome)["state"];
}

TEST(ResultCache, KnownBeginningsAreExecutedOnlyWhereSomethingNewFollows) {
  Counting world(100);
  GuardedSession first = world.session();
  EXPECT_EQ(state_of(first.execute(ab)), "2");
  EXPECT_EQ(state_of(first.execute(xyz)), "5");
  EXPECT_EQ(world.executed, 2);
  GuardedSession again = world.session();
  EXPECT_EQ(state_of(again.execute(ab)), "2");
  EXPECT_EQ(state_of(again.execute(xyz)), "5");
  EXPECT_EQ(world.executed, 2);
  EXPECT_EQ(world.started, 1);
  EXPECT_EQ(state_of(again.execute(ab)), "7");  // the world is brought to where the session is
  EXPECT_EQ(world.executed, 5);
  GuardedSession other = world.session();
  EXPECT_EQ(state_of(other.execute(xyz)), "3");  // the same calls from another beginning are others
  EXPECT_EQ(state_of(world.session(R"({"seed": 1})").execute(ab)), "2");
  EXPECT_EQ(world.started, 4);
  EXPECT_EQ(other.state(), "3");
}

TEST(ResultCache, FileOutlivesTheRunAndAHalfLastLine) {
  const tests::TemporaryFolder folder;
  const std::string file = folder / "results.jsonl";
  {
    Counting world(100, file);
    GuardedSession session = world.session();
    session.execute(ab);
    session.execute(xyz);
  }
  std::ofstream(file, std::ios::app) << R"({"key": "0123)";
  Counting world(100, file);
  EXPECT_EQ(world.surroundings.cache.size(), 2U);
  GuardedSession session = world.session();
  EXPECT_EQ(state_of(session.execute(ab)), "2");
  EXPECT_EQ(world.executed, 0);
  EXPECT_EQ(state_of(session.execute(ab)), "4");
  EXPECT_EQ(Counting(100, file).surroundings.cache.size(), 3U);
  EXPECT_EQ(Counting(1, file).surroundings.cache.size(), 1U);
  std::ofstream(folder / "notes.txt") << "milk\n";
  EXPECT_TRUE(contains(error_of([&] { OutcomeCache(1, (folder / "notes.txt").string()); }),
                       "line 1: expected {\"key\": text, \"outcome\": object}, found \"milk\""));
}

TEST(GuardedSessions, AFailureIsAResultAndTheRestGoesOn) {
  Counting world;
  GuardedSession session = world.session();
  session.execute(ab);
  const Json outcome = Json::parse(session.execute(crash));
  EXPECT_EQ(outcome["ok"], false);
  EXPECT_EQ(outcome["error"], "the world ended");
  EXPECT_EQ(outcome["state"], "2");
  ASSERT_EQ(outcome["results"].size(), 2U);
  EXPECT_EQ(outcome["results"][0], (Json{{"ok", false}, {"content", "the world ended"}, {"id", "c1"}}));
  EXPECT_TRUE(contains(session.execute(ab), "the session was lost: the world ended"));
  EXPECT_EQ(state_of(world.session().execute(ab)), "2");  // which also ends the row of failures
  world.session().execute(crash);
  EXPECT_TRUE(contains(error_of([&] { world.session().execute(crash); }),
                       "the world ended (failure 2 in a row; \"most_failures\" allows 1)"));
}

TEST(GuardedSessions, AWorldThatDoesNotStartIsAFailureToo) {
  SessionSurroundings surroundings{"none", OutcomeCache(0, ""), Failures(1)};
  const auto start = []() -> std::unique_ptr<RemoteSession> { throw std::runtime_error("no such world"); };
  GuardedSession session(surroundings, "{}", start);
  EXPECT_TRUE(contains(session.execute(ab), "no such world"));
  EXPECT_THROW(GuardedSession(surroundings, "{}", start), std::runtime_error);
}

TEST(GuardedSessions, TextsThatAreNoCallsAreRefused) {
  Counting world;
  GuardedSession session = world.session();
  for (const char* text : {"[{", "{}", "7", "\xFF"}) EXPECT_THROW(session.execute(text), std::invalid_argument);
  EXPECT_THROW(world.session("["), std::invalid_argument);
  EXPECT_THROW(world.session("[]"), std::invalid_argument);
  EXPECT_EQ(session.execute("[]").find("lost"), std::string::npos);
}

}  // namespace
}  // namespace retort::environments
