// Lists as people say them, there and back.
#include "task/spoken_list.h"

#include <gtest/gtest.h>

namespace retort::task {
namespace {

using Items = std::vector<std::string>;

TEST(SpokenList, ReadsEveryWayOfSayingIt) {
  EXPECT_EQ(split_spoken_list("milk", "and"), (Items{"milk"}));
  EXPECT_EQ(split_spoken_list("red wine and bread", "and"), (Items{"red wine", "bread"}));
  for (const char* text : {"a, b and c", "a and b and c", "a, b, c", "a, b, and c"})
    EXPECT_EQ(split_spoken_list(text, "and"), (Items{"a", "b", "c"})) << text;
  EXPECT_EQ(split_spoken_list("Brot und Butter", "und"), (Items{"Brot", "Butter"}));
  EXPECT_EQ(split_spoken_list("candy and sand", "and"), (Items{"candy", "sand"}));
  EXPECT_EQ(split_spoken_list("a, ", "and"), (Items{"a", ""}));
  EXPECT_EQ(split_spoken_list("", "and"), (Items{""}));
}

TEST(SpokenList, JoinsWhatIsReadBack) {
  EXPECT_EQ(join_spoken_list({"a"}, "and"), "a");
  EXPECT_EQ(join_spoken_list({"a", "b"}, "and"), "a and b");
  EXPECT_EQ(join_spoken_list({"a", "b c", "d"}, "and"), "a, b c and d");
  EXPECT_EQ(join_spoken_list({"a", "b"}, "und"), "a und b");
}

TEST(SpokenList, RefusesWhatWouldBeReadOtherwise) {
  for (const Items& items : {Items{}, Items{""}, Items{"a", ""}, Items{"bread and butter"}, Items{"a, b", "c"},
                             Items{"a", "and b", "c"}, Items{"a", "and ", "c"}})
    EXPECT_EQ(join_spoken_list(items, "and"), std::nullopt) << items.size();
  EXPECT_EQ(join_spoken_list({"a", "b"}, ""), std::nullopt);
}

}  // namespace
}  // namespace retort::task
