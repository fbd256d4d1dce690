// The table of tokens by their text, and what is learnt about them.
#include "text/whole_pieces.h"

#include <gtest/gtest.h>

#include <string>

namespace retort::text {
namespace {

TEST(WholePieces, FindsEveryTextAndNothingElse) {
  std::vector<std::string> texts(5000);
  for (std::size_t id = 0; id < texts.size(); ++id)
    if (id % 3 != 0) texts[id] = "token " + std::to_string(id);
  WholePieces pieces;
  EXPECT_EQ(pieces.find("token 1"), -1);
  pieces.fill({texts.begin(), texts.end()});
  for (std::size_t id = 0; id < texts.size(); ++id)
    EXPECT_EQ(pieces.find("token " + std::to_string(id)), id % 3 != 0 ? static_cast<TokenId>(id) : -1);
  EXPECT_EQ(pieces.find(""), -1);
  EXPECT_EQ(pieces.find("token"), -1);
}

TEST(WholePieces, OfEqualTextsTheFirstCounts) {
  WholePieces pieces;
  pieces.fill({"", "a", "b", "a"});
  EXPECT_EQ(pieces.find("a"), 1);
}

TEST(WholePieces, RemembersByToken) {
  WholePieces pieces;
  pieces.fill({"a", "b"});
  EXPECT_EQ(pieces.built(0), WholePieces::Built::unknown);
  pieces.remember(0, WholePieces::Built::no);
  EXPECT_EQ(pieces.built(0), WholePieces::Built::no);
  EXPECT_EQ(pieces.built(1), WholePieces::Built::unknown);
}

}  // namespace
}  // namespace retort::text
