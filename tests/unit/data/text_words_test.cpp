// Words as two texts are compared by them.
#include "data/text_words.h"

#include <gtest/gtest.h>

namespace retort::data {
namespace {

using Words = std::vector<std::string>;

TEST(TextWords, AreFoldedAndWithoutPunctuation) {
  EXPECT_EQ(words_of("What's  the TIME, in Köln?"), (Words{"whats", "the", "time", "in", "köln"}));
  EXPECT_EQ(words_of("Straße 7pm – 10%"), (Words{"strasse", "7pm", "10"}));
  EXPECT_EQ(words_of("ｆｕｌｌ ﬁle"), (Words{"full", "file"}));
  EXPECT_EQ(words_of(" \t\n"), Words());
}

TEST(TextWords, IdeographsStandAlone) {
  EXPECT_EQ(words_of("开灯 ok"), (Words{"开", "灯", "ok"}));
}

TEST(TextWords, BytesThatAreNotUtf8SeparateWords) {
  EXPECT_EQ(words_of("Turn\xFFOn 7"), (Words{"turn", "on", "7"}));
}

TEST(TextWords, OfAConversationAreTheUsers) {
  task::Conversation conversation = task::conversation_of("play jazz");
  conversation.messages.insert(conversation.messages.begin(), {task::Role::system, "be brief", {}, {}, {}, true});
  conversation.messages.push_back({task::Role::user, "louder", {}, {}, {}, true});
  EXPECT_EQ(words_of(conversation), (Words{"play", "jazz", "louder"}));
}

TEST(TextWords, JaccardCountsWordsAndPairs) {
  const auto a = shingles_of({"turn", "on", "light"}), b = shingles_of({"turn", "on", "lamp"});
  ASSERT_EQ(a.size(), 5U);  // three words, two pairs
  // common: turn, on, turn+on; all: these and light, on+light, lamp, on+lamp
  EXPECT_DOUBLE_EQ(jaccard(a.data(), a.size(), b.data(), b.size()), 3.0 / 7.0);
  EXPECT_DOUBLE_EQ(jaccard(a.data(), 0, b.data(), 0), 1.0);
}

}  // namespace
}  // namespace retort::data
