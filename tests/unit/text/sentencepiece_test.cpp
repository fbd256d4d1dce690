// SentencePiece-style BPE: byte fallback, the space before the text, merges from scores. Golden ids come from the
// sentencepiece library (llama2_vectors.json), everything else is compared with greedy merging by score.
#include "text/sentencepiece.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/utf8.h"
#include "text/llama2c_tokenizer.h"
#include "text/token_decoder.h"

namespace retort::text {
namespace {

using tests::contains;
using tests::error_of;
using Ids = std::vector<TokenId>;
using Json = nlohmann::json;

/// <unk>, <s>, </s>, the 256 bytes, then pieces with falling scores.
std::vector<SentencePiece> vocabulary_of(const std::vector<std::string>& texts) {
  std::vector<SentencePiece> pieces = {
      {"<unk>", 0, PieceType::unknown}, {"<s>", 0, PieceType::control}, {"</s>", 0, PieceType::control}};
  for (unsigned byte = 0; byte < 256; ++byte)
    pieces.push_back({byte_token(static_cast<unsigned char>(byte)), 0, PieceType::byte});
  float score = 0;
  for (const std::string& text : texts) pieces.push_back({text, score -= 1, PieceType::normal});
  return pieces;
}

constexpr TokenId first_piece = 259;

std::vector<SentencePiece> small_pieces() {
  return vocabulary_of({"▁a", "ab", "▁ab", "▁", "a", "b", "é"});
}

Tokenizer tokenizer_of(const std::vector<SentencePiece>& pieces, const SentencePieceOptions& options = {.begin = 1}) {
  return Tokenizer::parse(sentencepiece_tokenizer_json(pieces, options), "pieces");
}

/// Kudo and Richardson 2018, section 3.1, the slow way: merge the two neighbours whose piece has the best score, the
/// leftmost of several, until no two neighbours are a piece.
Ids merge_by_score(const std::vector<SentencePiece>& pieces, const std::string& text) {
  if (text.empty()) return {};
  std::map<std::string, TokenId> ids;
  for (std::size_t id = first_piece; id < pieces.size(); ++id) ids[pieces[id].text] = static_cast<TokenId>(id);
  std::string escaped = "▁";
  for (const char c : text) escaped += c == ' ' ? std::string("▁") : std::string(1, c);
  std::vector<std::string> symbols;
  for (std::size_t at = 0; at < escaped.size(); at += symbols.back().size())
    symbols.push_back(escaped.substr(at, host::character_length(std::string_view(escaped).substr(at))));
  for (;;) {
    std::size_t best = symbols.size();
    float score = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = ids.find(symbols[i] + symbols[i + 1]);
      if (found == ids.end()) continue;
      const float this_score = pieces[static_cast<std::size_t>(found->second)].score;
      if (best == symbols.size() || this_score > score) {
        best = i;
        score = this_score;
      }
    }
    if (best == symbols.size()) break;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  Ids result;
  for (const std::string& symbol : symbols) {
    if (const auto found = ids.find(symbol); found != ids.end())
      result.push_back(found->second);
    else
      for (const char byte : symbol) result.push_back(3 + static_cast<unsigned char>(byte));
  }
  return result;
}

TEST(SentencePiece, MergesByScoreWithASpaceBefore) {
  const Tokenizer tokenizer = tokenizer_of(small_pieces());
  EXPECT_EQ(tokenizer.encode("ab"), Ids{first_piece + 2});  // ▁a is better than ab, then ▁ab
  EXPECT_EQ(tokenizer.encode("bab"), (Ids{first_piece + 3, first_piece + 5, first_piece + 1}));
  EXPECT_EQ(tokenizer.encode(""), Ids{});
  EXPECT_EQ(tokenizer.decode({first_piece, first_piece + 3, first_piece + 5}), "a b");
}

TEST(SentencePiece, UnknownCharactersBecomeBytes) {
  const Tokenizer tokenizer = tokenizer_of(small_pieces());
  EXPECT_EQ(tokenizer.encode("é€"), (Ids{first_piece + 3, first_piece + 6, 3 + 0xE2, 3 + 0x82, 3 + 0xAC}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("é€")), "é€");
  EXPECT_EQ(tokenizer.decode({3 + 0xE2, 3 + 0x82, first_piece + 4}), "\uFFFDa");
}

TEST(SentencePiece, WithoutBytesTheUnknownPieceStandsForRuns) {
  std::vector<SentencePiece> pieces = {{"<unk>", 0, PieceType::unknown}, {"▁", -1}, {"a", -2}};
  const Tokenizer tokenizer = tokenizer_of(pieces, {});
  EXPECT_EQ(tokenizer.encode("axyaz"), (Ids{1, 2, 0, 2, 0}));
  pieces[0].type = PieceType::normal;
  EXPECT_TRUE(contains(error_of([&] { tokenizer_of(pieces, {}); }), "expected byte_fallback or an unk_token"));
}

TEST(SentencePiece, SpecialTokensAndWhatFollowsThem) {
  const Tokenizer tokenizer = tokenizer_of(small_pieces());
  EXPECT_EQ(tokenizer.begin_token(), 1);
  EXPECT_TRUE(tokenizer.is_special(0) && tokenizer.is_special(1) && tokenizer.is_special(2));
  EXPECT_FALSE(tokenizer.is_special(3));
  // As llama.cpp and Transformers' normalizer do it, text behind a special token gets its space again.
  EXPECT_EQ(tokenizer.encode("a</s>a", Tokenizer::Special::parse), (Ids{first_piece, 2, first_piece}));
  EXPECT_EQ(tokenizer_of(small_pieces(), {}).begin_token(), std::nullopt);
}

TEST(SentencePiece, NoSpaceWhereNoneIsWanted) {
  const Tokenizer tokenizer = tokenizer_of(small_pieces(), {.prefix_space = false});
  EXPECT_EQ(tokenizer.encode("ab a"), (Ids{first_piece + 1, first_piece}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(" a")), " a");
}

TEST(SentencePiece, StreamsWholeCharactersAndDropsTheFirstSpace) {
  const Tokenizer tokenizer = tokenizer_of(small_pieces());
  StreamingDecoder begin(tokenizer);
  EXPECT_EQ(begin.push(first_piece + 3), "");
  EXPECT_EQ(begin.push(first_piece), " a");
  EXPECT_EQ(begin.push(3 + 0xC3), "");
  EXPECT_EQ(begin.push(3 + 0xA9), "é");
  StreamingDecoder continuation(tokenizer, StreamingDecoder::Place::continuation);
  EXPECT_EQ(continuation.push(first_piece), " a");
  StreamingDecoder letter(tokenizer);
  EXPECT_EQ(letter.push(first_piece + 5), "b");
  EXPECT_EQ(letter.push(first_piece), " a");
}

TEST(SentencePiece, MergesInTheOrderOfTransformers) {
  std::vector<SentencePiece> pieces = {{"a", -9}, {"aa", -2}, {"aaa", -1},
                                       {"b", -9}, {"ab", -1}, {"c", -1, PieceType::control}};
  // By hand from generate_merges: best score first; of one score the longer left part, then the longer right part.
  const std::vector<Merge> expected = {{"aa", "a"}, {"a", "aa"}, {"a", "b"}, {"a", "a"}};
  EXPECT_EQ(merges_from_scores(pieces), expected);
}

TEST(SentencePiece, RefusesByToken) {
  auto pieces = small_pieces();
  pieces.push_back({"ab", -50});
  EXPECT_TRUE(contains(error_of([&] { tokenizer_of(pieces); }),
                       "token 266: expected each token once, found \"ab\", which is also token 260"));
  pieces.back() = {"", -50};
  EXPECT_TRUE(contains(error_of([&] { tokenizer_of(pieces); }), "token 266: expected a text"));
  pieces.back() = {"\xFF", -50};
  EXPECT_TRUE(contains(error_of([&] { tokenizer_of(pieces); }), "token 266: expected UTF-8"));
  EXPECT_TRUE(contains(error_of([&] { tokenizer_of(small_pieces(), {.begin = 1000}); }), "expected an id below 266"));
}

TEST(SentencePiece, UnusedPiecesLeaveTheirIdsFree) {
  auto pieces = small_pieces();
  pieces.push_back({"[PAD266]", 0, PieceType::unused});
  pieces.push_back({"", 0, PieceType::unused});
  EXPECT_EQ(tokenizer_of(pieces).vocabulary_size(), 266);
}

/// A random vocabulary over four letters and "▁", closed under nothing in particular, with distinct scores.
std::vector<SentencePiece> random_vocabulary(std::mt19937& random) {
  std::vector<std::string> texts = {"▁", "a", "b", "c"};
  while (texts.size() < 40) {
    const std::string text = texts[random() % texts.size()] + texts[random() % texts.size()];
    if (text.size() < 16 && std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
  }
  std::shuffle(texts.begin(), texts.end(), random);
  return vocabulary_of(texts);
}

/// Two ways to spell a piece may overlap in a text ("aa"+"a" and "a"+"aa" in "a", "aa", "a"); there, and only there,
/// the order of merges cannot say what scores say. True if `piece` has such ways.
bool overlaps_itself(const std::string& piece) {
  for (std::size_t shift = 1; shift < piece.size(); ++shift)
    if (piece.compare(shift, std::string::npos, piece, 0, piece.size() - shift) == 0) return true;
  return false;
}

TEST(SentencePiece, AgreesWithMergingByScoreOnRandomVocabularies) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    auto pieces = random_vocabulary(random);
    std::erase_if(pieces, [](const SentencePiece& piece) {
      return piece.type == PieceType::normal && piece.text != "▁" && overlaps_itself(piece.text);
    });
    const Tokenizer tokenizer = tokenizer_of(pieces);
    for (int i = 0; i < 20; ++i) {
      std::string text;
      for (std::size_t n = random() % 24; n > 0; --n) text += "abc dé"[random() % 7];
      text = host::replace_invalid_utf8(text);
      EXPECT_EQ(tokenizer.encode(text), merge_by_score(pieces, text)) << "round " << round << ": " << text;
    }
  }
}

Tokenizer llama2() {
  return Tokenizer::parse(tokenizer_json_from_llama2c(tests::shared_data("llama2-tokenizer") / "tokenizer.bin", 32000),
                          "llama2");
}

TEST(Llama2Vectors, AgreeWithTheSentencePieceLibrary) {
  RETORT_NEEDS(tests::shared_data("llama2-tokenizer"));
  const Tokenizer tokenizer = llama2();
  EXPECT_EQ(tokenizer.vocabulary_size(), 32000);
  const Json cases = host::read_json(std::filesystem::path(RETORT_TEST_FOLDER) / "llama2_vectors.json").at("cases");
  EXPECT_GE(cases.size(), 40U);
  for (const Json& item : cases) {
    const std::string text = item.at("text");
    const Ids ids = item.at("ids");
    EXPECT_EQ(tokenizer.encode(text), ids) << text;
    EXPECT_EQ(tokenizer.decode(ids), item.at("decoded").get<std::string>()) << text;
  }
}

std::vector<SentencePiece> pieces_of(const Tokenizer& tokenizer, const std::filesystem::path& file) {
  const std::string bytes = host::read_file(file);
  std::vector<SentencePiece> pieces;
  std::size_t at = 4;
  for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) {
    SentencePiece piece{std::string(tokenizer.token(id))};
    std::int32_t length = 0;
    std::memcpy(&piece.score, &bytes.at(at), 4);
    std::memcpy(&length, &bytes.at(at + 4), 4);
    at += 8 + static_cast<std::size_t>(length);
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

TEST(Llama2Vectors, AgreeWithMergingByScoreOnRandomText) {
  RETORT_NEEDS(tests::shared_data("llama2-tokenizer"));
  const Tokenizer tokenizer = llama2();
  const auto pieces = pieces_of(tokenizer, tests::shared_data("llama2-tokenizer") / "tokenizer.bin");
  std::mt19937 random(5);
  for (int round = 0; round < 120; ++round) {
    std::string text;  // pieces of the vocabulary, whose borders the merges have to find again, between letters
    for (int i = 0; i < 12; ++i) {
      if (random() % 3 == 0)
        text += static_cast<char>(' ' + static_cast<int>(random() % 95));
      else
        text += tokenizer.decode({static_cast<TokenId>(first_piece + static_cast<TokenId>(random() % 31741))});
    }
    EXPECT_EQ(tokenizer.encode(text), merge_by_score(pieces, text)) << text;
  }
}

}  // namespace
}  // namespace retort::text
