// A packed tokenizer gives the ids and texts that its tokenizer.json gives, and one that does not fit is passed over.
#include "text/packed_tokenizer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <random>

#include "host/base/files.h"
#include "host/base/json.h"
#include "model/packed_file.h"
#include "random_model.h"
#include "text/tokenizer.h"

namespace retort::text {
namespace {

using Path = std::filesystem::path;
using TemporaryFolder = runtime::testing::TemporaryFolder;
using Source = Tokenizer::Source;

Path data(const std::string& name) {
  const char* shared = std::getenv("RETORT_SHARED");
  return Path(shared != nullptr ? shared : RETORT_SHARED_DEFAULT) / "data" / name;
}

bool fits(const Path& folder) {
  try {
    const model::PackedFile file(folder / packed_tokenizer_name, packed_tokenizer_form, {"tokenizer.json"});
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

/// Everything that a tokenizer says of texts and ids.
void expect_same(const Tokenizer& one, const Tokenizer& other, const std::vector<std::string>& texts) {
  EXPECT_EQ(one.vocabulary_size(), other.vocabulary_size());
  EXPECT_EQ(one.begin_token(), other.begin_token());
  EXPECT_EQ(one.to_json(), other.to_json());
  for (TokenId id = -1; id <= one.vocabulary_size(); ++id) {
    ASSERT_EQ(one.token(id), other.token(id)) << id;
    ASSERT_EQ(one.token_bytes(id), other.token_bytes(id)) << id;
    ASSERT_EQ(one.is_special(id), other.is_special(id)) << id;
    ASSERT_EQ(one.is_added(id), other.is_added(id)) << id;
    ASSERT_EQ(one.find(one.token(id)), other.find(one.token(id))) << id;
  }
  EXPECT_EQ(other.find("no such token, surely"), std::nullopt);
  for (const std::string& text : texts)
    for (const auto special : {Tokenizer::Special::parse, Tokenizer::Special::as_text}) {
      const std::vector<TokenId> ids = one.encode(text, special);
      ASSERT_EQ(ids, other.encode(text, special)) << text;
      ASSERT_EQ(ids, other.encode(text, special)) << text << ", a second time";
      ASSERT_EQ(one.decode(ids, true), other.decode(ids, true)) << text;
    }
}

std::vector<std::string> texts() {
  std::vector<std::string> all{"",
                               "Hello world",
                               "  two  spaces\n\n",
                               "Straße, naïve café, 你好世界, 🙂👍🏽",
                               "<|im_start|>user\nhi<|im_end|>",
                               "<s>[INST] a </s>",
                               "\xff\xfe broken",
                               "1234567890 3.14159 e-7",
                               std::string(300, 'a')};
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (unsigned count = random() % 40; count > 0; --count)
      text += random() % 4 == 0 ? std::string(1, static_cast<char>(random()))
                                : std::string(" the ing on").substr(random() % 8, 3);
    all.push_back(text);
  }
  return all;
}

class PackedTokenizers : public ::testing::TestWithParam<const char*> {};

TEST_P(PackedTokenizers, GiveWhatTheirFileGives) {
  const Path source = data(GetParam()) / "tokenizer.json";
  if (!std::filesystem::exists(source)) GTEST_SKIP() << source << " is not there";
  const TemporaryFolder folder;
  std::filesystem::copy_file(source, folder.path() / "tokenizer.json");
  const Tokenizer expected = Tokenizer::load(folder.path());
  EXPECT_EQ(write_packed_tokenizer(folder.path()), folder.path() / packed_tokenizer_name);
  EXPECT_TRUE(fits(folder.path()));
  expect_same(expected, Tokenizer::load(folder.path()), texts());
  expect_same(expected, Tokenizer::load(folder.path(), Source::json), {});
}

INSTANTIATE_TEST_SUITE_P(All, PackedTokenizers, ::testing::Values("tokenizer-qwen3"),
                         [](const ::testing::TestParamInfo<const char*>& folder) {
                           std::string name = folder.param;
                           std::erase(name, '-');
                           return name;
                         });

/// A small SentencePiece-like tokenizer with byte tokens, an added token that is found in normalised text, and one that
/// the model has as well.
class PackedTokenizerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    nlohmann::json vocabulary = {{"<unk>", 0}, {"\u2581", 1}, {"a", 2}, {"b", 3}, {"ab", 4}, {"\u2581ab", 5}};
    for (int byte = 0; byte < 256; ++byte) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", byte);
      vocabulary[name] = 6 + byte;
    }
    json_ = {{"normalizer",
              {{"type", "Sequence"},
               {"normalizers",
                {{{"type", "Prepend"}, {"prepend", "\u2581"}},
                 {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}}}}},
             {"decoder",
              {{"type", "Sequence"},
               {"decoders",
                {{{"type", "Replace"}, {"pattern", {{"String", "\u2581"}}}, {"content", " "}},
                 {{"type", "ByteFallback"}},
                 {{"type", "Fuse"}},
                 {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
             {"added_tokens",
              {{{"id", 0}, {"content", "<unk>"}, {"special", true}, {"normalized", false}},
               {{"id", 400}, {"content", "b b"}, {"special", false}, {"normalized", true}}}},
             {"post_processor",
              {{"type", "TemplateProcessing"},
               {"single",
                {{{"SpecialToken", {{"id", "<unk>"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
               {"special_tokens", {{"<unk>", {{"id", "<unk>"}, {"ids", {0}}, {"tokens", {"<unk>"}}}}}}}},
             {"model",
              {{"type", "BPE"},
               {"unk_token", "<unk>"},
               {"byte_fallback", true},
               {"fuse_unk", true},
               {"vocab", vocabulary},
               {"merges", {"a b", "\u2581 ab"}}}}};
    host::write_file_atomically(path() / "tokenizer.json", json_.dump());
    write_packed_tokenizer(path());
    bytes_ = host::read_file(file());
  }
  const Path& path() const { return folder_.path(); }
  Path file() const { return path() / packed_tokenizer_name; }

  TemporaryFolder folder_;
  nlohmann::json json_;
  std::string bytes_;
};

TEST_F(PackedTokenizerTest, GivesWhatItsFileGives) {
  const Tokenizer packed = Tokenizer::load(path());
  expect_same(Tokenizer::load(path(), Source::json), packed,
              {"ab ab", "abb baz", "b b", "ab b b", "<unk> x", "é", "\xf0\x9f\x99\x82", "a  b"});
  EXPECT_EQ(packed.encode("ab"), std::vector<TokenId>{5});
  EXPECT_EQ(packed.begin_token(), 0);
}

TEST_F(PackedTokenizerTest, AnotherFileIsNotAnsweredForByTheOldOne) {
  const auto time = std::filesystem::last_write_time(path() / "tokenizer.json");
  json_["model"]["merges"] = {"a b", "\u2581 ab"};
  json_["model"]["vocab"]["ab"] = 5;
  json_["model"]["vocab"]["\u2581ab"] = 4;
  host::write_file_atomically(path() / "tokenizer.json", json_.dump());
  std::filesystem::last_write_time(path() / "tokenizer.json", time);
  EXPECT_FALSE(fits(path()));
  EXPECT_EQ(Tokenizer::load(path()).encode("ab"), std::vector<TokenId>{4});
}

TEST_F(PackedTokenizerTest, CutAnywhereItIsPassedOver) {
  for (std::size_t end = 0; end < bytes_.size(); end += end < 200 ? 3 : 101) {
    host::write_file_atomically(file(), std::string_view(bytes_).substr(0, end));
    ASSERT_FALSE(fits(path())) << end;
    if (end % 7 != 0) continue;
    ASSERT_EQ(Tokenizer::load(path()).encode("ab"), std::vector<TokenId>{5});
  }
}

/// Sections are not hashed at every load: whatever stands there, nothing is read that is not the file's.
TEST_F(PackedTokenizerTest, DamagedTablesNeverCrash) {
  std::mt19937 random(2);
  int same = 0;
  std::uint32_t length = 0;
  std::memcpy(&length, bytes_.data() + 12, 4);
  const std::size_t begin = 48 + length;
  for (int i = 0; i < 600; ++i) {
    std::string damaged = bytes_;
    for (unsigned count = 1 + random() % 4; count > 0; --count) {
      const std::size_t place = begin + random() % (bytes_.size() - begin);
      damaged[place] = static_cast<char>(i % 3 == 0 ? 0xFF : random());
    }
    host::write_file_atomically(file(), damaged);
    const Tokenizer tokenizer = Tokenizer::load(path());
    for (const char* text : {"ab ab", "b b", "é"})
      for (const TokenId id : tokenizer.encode(text)) tokenizer.token_bytes(id);
    same += tokenizer.encode("ab") == std::vector<TokenId>{5} ? 1 : 0;
  }
  EXPECT_GT(same, 0);
}

}  // namespace
}  // namespace retort::text
