// Replaying recorded answers.
#include "recorded.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace retort::recorded {
namespace {

using nlohmann::json;

TEST(Recorded, ReplaysWhatIsThereAndSaysWhatIsNot) {
  const json message = {{"role", "assistant"}, {"content", "hello"}};
  const json requests = {{{"messages", json::array()}, {"recorded", message}},
                         {{"messages", json::array()}},
                         {{"recorded", {{"role", "user"}, {"content", "hello"}}}},
                         "text"};
  const json responses = json::parse(complete(requests.dump()));
  ASSERT_EQ(responses.size(), 4U);
  EXPECT_EQ(responses[0]["message"], message);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_TRUE(responses[i]["error"].is_string()) << i;
}

TEST(Recorded, RefusesWhatIsNoList) {
  EXPECT_THROW(complete("{\"messages\": []}"), std::invalid_argument);
}

}  // namespace
}  // namespace retort::recorded
