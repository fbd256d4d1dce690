// Behaviour of a tokenizer on a small vocabulary whose right answers are evident; refusals by JSON pointer.
#include "text/tokenizer.h"

#include <algorithm>
#include <random>
#include <thread>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "text/bpe_merges.h"
#include "text/byte_alphabet.h"

namespace retort::text {
namespace {

using tests::contains;
using tests::error_of;
using Json = nlohmann::json;
using Ids = std::vector<TokenId>;

/// 256 bytes (id = byte), then "ab", "abc" from merges, "xyz" without merges, and added tokens.
Json small_json() {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) vocabulary[alphabet_character(static_cast<unsigned char>(byte))] = byte;
  vocabulary["ab"] = 256;
  vocabulary["abc"] = 257;
  vocabulary["xyz"] = 258;
  return {{"added_tokens",
           {{{"id", 259}, {"content", "<|end|>"}, {"special", true}, {"normalized", false}},
            {{"id", 260}, {"content", "<|end|>>"}, {"special", true}, {"normalized", false}},
            {{"id", 261}, {"content", "né"}, {"special", false}, {"normalized", true}},
            {{"id", 262}, {"content", "word"}, {"special", false}, {"normalized", false}, {"single_word", true}},
            {{"id", 263}, {"content", "[M]"}, {"special", false}, {"lstrip", true}, {"rstrip", true}}}},
          {"normalizer", {{"type", "NFC"}}},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model",
           {{"type", "BPE"},
            {"vocab", vocabulary},
            {"merges", Json::array({Json::array({"a", "b"}), Json::array({"ab", "c"})})}}}};
}

Tokenizer tokenizer_of(const Json& json) {
  return Tokenizer::parse(json.dump(), "t.json");
}

TEST(Tokenizer, AppliesMergesByRank) {
  const Tokenizer tokenizer = tokenizer_of(small_json());
  EXPECT_EQ(tokenizer.encode("abcab"), (Ids{257, 256}));
  EXPECT_EQ(tokenizer.encode("xyz"), (Ids{'x', 'y', 'z'}));
  EXPECT_EQ(tokenizer.encode(""), Ids{});
}

TEST(Tokenizer, LeavesOutBytesThatTheVocabularyLacks) {
  Json json = small_json();
  json["model"]["vocab"].erase(alphabet_character(4));
  json["model"]["vocab"].erase(alphabet_character(0xF1));
  const Tokenizer tokenizer = tokenizer_of(json);
  EXPECT_EQ(tokenizer.encode("x\x04y\xF1\x80\x80\x80"), (Ids{'x', 'y', 0x80, 0x80, 0x80}));
  EXPECT_EQ(tokenizer.encode("\x04"), Ids{});
  json["model"]["vocab"].erase("q");
  EXPECT_TRUE(
      contains(error_of([&] { tokenizer_of(json); }), "/model/vocab: expected a token for each printable byte"));
}

TEST(Tokenizer, BothSpellingsOfMergesAndIgnoreMerges) {
  Json json = small_json();
  json["model"]["merges"] = {"a b", "ab c"};
  EXPECT_EQ(tokenizer_of(json).encode("abc"), Ids{257});
  json["model"]["ignore_merges"] = true;
  EXPECT_EQ(tokenizer_of(json).encode("xyz xyzx"), (Ids{258, ' ', 'x', 'y', 'z', 'x'}));
}

TEST(Tokenizer, SpecialTokensOnlyWhereAsked) {
  const Tokenizer tokenizer = tokenizer_of(small_json());
  EXPECT_EQ(tokenizer.encode("a<|end|>>b<|end|>", Tokenizer::Special::parse), (Ids{'a', 260, 'b', 259}));
  const Ids as_text = tokenizer.encode("<|end|>");
  EXPECT_EQ(as_text.size(), 7U);
  EXPECT_EQ(tokenizer.decode(as_text), "<|end|>");
  EXPECT_EQ(tokenizer.decode({'a', 259, 'b'}), "ab");
  EXPECT_EQ(tokenizer.decode({'a', 259, 'b'}, true), "a<|end|>b");
  EXPECT_TRUE(tokenizer.is_special(259));
  EXPECT_FALSE(tokenizer.is_special(261));
}

TEST(Tokenizer, AddedTokenRules) {
  const Tokenizer tokenizer = tokenizer_of(small_json());
  EXPECT_EQ(tokenizer.encode("ne\u0301"), Ids{261});  // found after NFC
  EXPECT_EQ(tokenizer.encode("a word."), (Ids{'a', ' ', 262, '.'}));
  EXPECT_EQ(tokenizer.encode("words").size(), 5U);
  EXPECT_EQ(tokenizer.encode("a \u3000[M] \nb"), (Ids{'a', 263, 'b'}));
}

TEST(Tokenizer, NormalisesToNfc) {
  const Tokenizer tokenizer = tokenizer_of(small_json());
  EXPECT_EQ(tokenizer.encode("o\u0308"), (Ids{0xC3, 0xB6}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("\u1100\u1161")), "\uAC00");
}

TEST(Tokenizer, LooksUpTokens) {
  const Tokenizer tokenizer = tokenizer_of(small_json());
  EXPECT_EQ(tokenizer.vocabulary_size(), 264);
  EXPECT_EQ(tokenizer.find("abc"), 257);
  EXPECT_EQ(tokenizer.find("<|end|>"), 259);
  EXPECT_EQ(tokenizer.find("Ġ"), ' ');
  EXPECT_EQ(tokenizer.find("zz"), std::nullopt);
  EXPECT_EQ(tokenizer.token(' '), "Ġ");
  EXPECT_EQ(tokenizer.token_bytes(' '), " ");
  EXPECT_EQ(tokenizer.token(-1), "");
  EXPECT_EQ(tokenizer.token_bytes(1000), "");
  EXPECT_EQ(tokenizer.decode({-5, 1 << 30, 'a'}), "a");
}

TEST(Tokenizer, SaysWhatStandsBeforeAText) {
  Json json = small_json();
  EXPECT_EQ(tokenizer_of(json).begin_token(), std::nullopt);
  const Json sequence = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {{{"SpecialToken", {{"id", "<|end|>"}, {"type_id", 0}}}}, sequence}},
      {"special_tokens", {{"<|end|>", {{"id", "<|end|>"}, {"ids", {259}}, {"tokens", {"<|end|>"}}}}}}};
  EXPECT_EQ(tokenizer_of(json).begin_token(), 259);
  EXPECT_EQ(tokenizer_of(json).encode("a"), Ids{'a'});  // encode() leaves it to the caller
  json["post_processor"] = {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, json["post_processor"]}}};
  EXPECT_EQ(tokenizer_of(json).begin_token(), 259);
  json["post_processor"]["processors"][1]["single"].erase(0);
  EXPECT_EQ(tokenizer_of(json).begin_token(), std::nullopt);
}

TEST(Tokenizer, InvalidUtf8BecomesReplacementCharacters) {
  const Tokenizer tokenizer = tokenizer_of(small_json());
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a\xFFz\xE2\x82")), "a\uFFFDz\uFFFD");
  EXPECT_EQ(tokenizer.decode({0xE2, 0x82, 'a'}), "\uFFFDa");
}

TEST(Tokenizer, BytesThatTheVocabularyLacksMayHaveAToken) {
  Json json = small_json();
  json["model"]["vocab"].erase(alphabet_character(4));
  json["model"]["unk_token"] = "xyz";
  EXPECT_EQ(tokenizer_of(json).encode("a\x04z"), (Ids{'a', 258, 'z'}));
}

TEST(Tokenizer, WholePiecesOnlyWhereMergesBuildThem) {
  const Tokenizer tokenizer = tokenizer_of(small_json());
  for (int time = 0; time < 3; ++time) {  // the first time nothing is known of the token yet
    EXPECT_EQ(tokenizer.encode("abc"), Ids{257});
    EXPECT_EQ(tokenizer.encode("xyz"), (Ids{'x', 'y', 'z'}));
  }
}

TEST(Tokenizer, KeepsItsText) {
  const std::string text = small_json().dump();
  EXPECT_EQ(Tokenizer::parse(text, "t.json").to_json(), text);
  const tests::TemporaryFolder folder;
  host::write_file_atomically(folder / "tokenizer.json", text);
  EXPECT_EQ(Tokenizer::load(folder.path()).to_json(), text);
  EXPECT_TRUE(contains(error_of([&] { Tokenizer::load(folder / "none"); }), "none"));
}

TEST(Tokenizer, MayBeSharedBetweenThreads) {
  const Tokenizer tokenizer = tokenizer_of(small_json());
  const Ids expected = tokenizer.encode("abc ab word né xyz");
  std::vector<Ids> found(4);
  std::vector<std::thread> threads;
  for (Ids& ids : found)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) ids = tokenizer.encode("abc ab word né xyz");
    });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& ids : found) EXPECT_EQ(ids, expected);
}

TEST(Tokenizer, RefusesByPointer) {
  struct Case {
    const char* place;
    Json value;
    const char* named;  ///< what the error must name; nullptr: the place
  };
  const Case cases[] = {{"/model/type", "Unigram", nullptr},
                        {"/model/continuing_subword_prefix", "##", nullptr},
                        {"/model/dropout", 0.1, nullptr},
                        {"/model/vocab/ab", -1, nullptr},
                        {"/model/vocab/ab", 1e9, nullptr},
                        {"/model/vocab/ab", 257, "an id of its own"},
                        {"/model/merges", {"a b", "ab"}, "/model/merges/1: "},
                        {"/model/merges", {"a b c"}, "/model/merges/0: "},
                        {"/model/merges", Json::array({Json::array({"a"})}), "/model/merges/0: "},
                        {"/model/merges", {"a zz"}, "\"zz\", which is not in it"},
                        {"/model/merges", {"b a"}, "\"ba\", which is not in it"},
                        {"/normalizer/type", "Lowercase", nullptr},
                        {"/decoder/type", "Metaspace", nullptr},
                        {"/pre_tokenizer/type", "Whitespace", nullptr},
                        {"/pre_tokenizer", {{"type", "Digits"}}, "expected a ByteLevel pre-tokenizer with a ByteLevel"},
                        {"/post_processor", {{"type", "TemplateProcessing"}, {"single", 3}}, "/post_processor/single"},
                        {"/added_tokens/0/id", 5, "/added_tokens/0: expected an id of its own"},
                        {"/added_tokens/0/content", "", nullptr},
                        {"/added_tokens/1/content", "<|end|>", "/added_tokens/1: expected each content once"}};
  for (const auto& [place, value, named] : cases) {
    Json json = small_json();
    json[Json::json_pointer(place)] = value;
    const std::string error = error_of([&] { tokenizer_of(json); });
    EXPECT_TRUE(contains(error, "t.json: ") && contains(error, ", found ")) << place << ": " << error;
    EXPECT_TRUE(contains(error, named == nullptr ? place : named)) << place << ": " << error;
  }
  Json no_byte = small_json();
  no_byte["model"]["vocab"].erase("Ġ");
  EXPECT_TRUE(contains(error_of([&] { tokenizer_of(no_byte); }), "none for byte 32"));
  EXPECT_TRUE(contains(error_of([] { Tokenizer::parse("{", "t.json"); }), "t.json:1"));
  EXPECT_TRUE(contains(error_of([] { Tokenizer::parse("[]", "t.json"); }), "expected an object"));
}

/// The slow, obvious algorithm: scan all pairs, merge the first of the lowest rank, start again.
Ids reference_merge(Ids ids, const std::vector<std::array<TokenId, 3>>& merges) {
  for (;;) {
    std::size_t best = merges.size();
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i)
      for (std::size_t rank = 0; rank < best; ++rank)
        if (merges[rank][0] == ids[i] && merges[rank][1] == ids[i + 1]) {
          best = rank;
          place = i;
        }
    if (best == merges.size()) return ids;
    ids[place] = merges[best][2];
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

TEST(BpeMerges, AgreesWithTheReferenceAlgorithm) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    BpeMerges merges;
    std::vector<std::array<TokenId, 3>> table;
    for (TokenId merged = 3; merged < 12; ++merged) {
      const std::array<TokenId, 3> merge = {static_cast<TokenId>(random() % static_cast<unsigned>(merged)),
                                            static_cast<TokenId>(random() % static_cast<unsigned>(merged)), merged};
      const bool known = std::any_of(table.begin(), table.end(),
                                     [&](const auto& other) { return other[0] == merge[0] && other[1] == merge[1]; });
      if (known) continue;
      merges.add(merge[0], merge[1], static_cast<std::int32_t>(table.size()), merged);
      table.push_back(merge);
    }
    Ids ids(random() % 80);  // both ways to apply: few symbols and many
    for (TokenId& id : ids) id = static_cast<TokenId>(random() % 3);
    Ids fast = ids;
    merges.apply(fast);
    EXPECT_EQ(fast, reference_merge(ids, table)) << "round " << round;
  }
}

}  // namespace
}  // namespace retort::text
