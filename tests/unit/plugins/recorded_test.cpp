// Replaying recorded answers.
#include "recorded.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace retort::recorded {
namespace {

using nlohmann::json;

std::vector<json> items_of(const std::string& requests) {
  std::vector<json> items;
  complete(requests, [&](std::size_t index, const std::string& item) {
    EXPECT_EQ(index, items.size());
    items.push_back(json::parse(item));
  });
  return items;
}

TEST(Recorded, ReplaysWhatIsThereAndSaysWhatIsNot) {
  const json message = {{"role", "assistant"}, {"content", "hello"}};
  const json requests = {{{"messages", json::array()}, {"recorded", message}},
                         {{"messages", json::array()}},
                         {{"recorded", {{"role", "user"}, {"content", "hello"}}}},
                         "text"};
  const std::vector<json> answers = items_of(requests.dump());
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers[0]["choices"][0]["message"], message);
  EXPECT_EQ(answers[0]["choices"][0]["finish_reason"], "stop");
  for (std::size_t i = 1; i < 4; ++i) EXPECT_TRUE(answers[i]["error"].is_string()) << i;
}

TEST(Recorded, GivesAsManyChoicesAsAreAskedFor) {
  const json message = {{"role", "assistant"}, {"content", "hello"}};
  const json requests = {
      {{"recorded", message}, {"n", 3}}, {{"recorded", message}, {"n", 0}}, {{"recorded", message}, {"n", "two"}}};
  const std::vector<json> answers = items_of(requests.dump());
  ASSERT_EQ(answers[0]["choices"].size(), 3U);
  EXPECT_EQ(answers[0]["choices"][2]["message"], message);
  for (std::size_t i = 1; i < 3; ++i)
    EXPECT_EQ(answers[i]["error"], "\"n\": expected a number from 1 to 128") << answers[i];
}

TEST(Recorded, RefusesWhatIsNoList) {
  EXPECT_THROW(items_of("{\"messages\": []}"), std::invalid_argument);
}

}  // namespace
}  // namespace retort::recorded
