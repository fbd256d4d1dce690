// The prefix cache on its own, with random prompts against a plain model of it, and under a decoder, whose logits must
// be the same bits with and without it.
#include "runtime/cache/prefix_cache.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "random_model.h"
#include "runtime/decoder/decoder.h"
#include "runtime/generate/generation.h"

namespace retort::runtime {
namespace {

using testing::Storage;
using testing::TemporaryFolder;

constexpr std::int64_t kChunk = 64;  // two blocks

std::vector<TokenId> tokens_of(std::initializer_list<TokenId> chunks, std::int64_t rest = 0) {
  std::vector<TokenId> tokens;
  for (const TokenId chunk : chunks) tokens.insert(tokens.end(), kChunk, chunk);
  tokens.insert(tokens.end(), static_cast<std::size_t>(rest), 99);
  return tokens;
}

class PrefixCacheTest : public ::testing::Test {
 protected:
  /// As a decoder does: what is kept comes from the cache, the rest from the pool. Returns the tokens reused.
  std::int64_t prompt(PrefixCache& cache, const std::vector<TokenId>& tokens) {
    std::vector<BlockId> blocks;
    cache.match(tokens, blocks);
    const auto reused = static_cast<std::int64_t>(blocks.size()) * kBlockTokens;
    for (std::int64_t i = reused; i < static_cast<std::int64_t>(tokens.size()); i += kBlockTokens)
      blocks.push_back(pool_.take());
    // Every block remembers the beginning that it belongs to, so a wrong one shows.
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const std::vector<TokenId> beginning(
          tokens.begin(),
          tokens.begin() + static_cast<std::ptrdiff_t>(std::min(tokens.size(), (i + 1) * kBlockTokens)));
      if (static_cast<std::int64_t>(i) * kBlockTokens < reused) {
        EXPECT_EQ(content_.at(blocks[i]), beginning);
      } else {
        content_[blocks[i]] = beginning;
      }
    }
    cache.insert(tokens, blocks);
    for (const BlockId block : blocks) pool_.release(block);
    return reused;
  }
  std::int64_t held() const { return pool_.size() - pool_.free(); }

  BlockPool pool_{200};
  std::map<BlockId, std::vector<TokenId>> content_;
};

TEST_F(PrefixCacheTest, SharesWholeChunks) {
  PrefixCache cache(pool_, kChunk, 100);
  EXPECT_EQ(prompt(cache, tokens_of({1, 2, 3}, 10)), 0);
  EXPECT_EQ(cache.blocks(), 6);  // the rest of 10 is no chunk
  EXPECT_EQ(prompt(cache, tokens_of({1, 2, 4})), 2 * kChunk);
  EXPECT_EQ(prompt(cache, tokens_of({1}, 63)), kChunk);
  EXPECT_EQ(prompt(cache, tokens_of({2, 1})), 0);
  EXPECT_EQ(cache.blocks(), 12);
  EXPECT_EQ(held(), 12);
  cache.clear();
  EXPECT_EQ(held(), 0);
}

TEST_F(PrefixCacheTest, DropsTheLeafThatWasNotUsedForLongest) {
  PrefixCache cache(pool_, kChunk, 6);  // three chunks
  prompt(cache, tokens_of({1, 2}));
  prompt(cache, tokens_of({3}));
  EXPECT_EQ(prompt(cache, tokens_of({1})), kChunk);  // {1} is now more recent than {3}, but {1, 2} is the oldest leaf
  prompt(cache, tokens_of({4}));
  EXPECT_EQ(prompt(cache, tokens_of({3})), kChunk);
  EXPECT_EQ(prompt(cache, tokens_of({1, 5})), kChunk);  // {5} takes the place of {4}
  EXPECT_EQ(prompt(cache, tokens_of({4})), 0);
}

TEST_F(PrefixCacheTest, APromptLargerThanTheCacheKeepsItsBeginning) {
  PrefixCache cache(pool_, kChunk, 5);  // two chunks and a block that no chunk fits
  prompt(cache, tokens_of({9, 9}));
  prompt(cache, tokens_of({1, 2, 3, 4}));
  EXPECT_EQ(cache.blocks(), 4);
  EXPECT_EQ(prompt(cache, tokens_of({1, 2, 3, 4})), 2 * kChunk);
  PrefixCache none(pool_, kChunk, 1);
  EXPECT_EQ(prompt(none, tokens_of({1})), 0);
  EXPECT_EQ(prompt(none, tokens_of({1})), 0);
}

TEST_F(PrefixCacheTest, BlocksInUseOutliveTheirPlaceInTheCache) {
  PrefixCache cache(pool_, kChunk, 2);
  prompt(cache, tokens_of({1}));
  std::vector<BlockId> in_use;
  cache.match(tokens_of({1}), in_use);
  prompt(cache, tokens_of({2}));  // drops {1}
  ASSERT_EQ(in_use.size(), 2U);
  for (const BlockId block : in_use) EXPECT_EQ(pool_.references(block), 1);
  EXPECT_EQ(held(), 4);
  for (const BlockId block : in_use) pool_.release(block);
  EXPECT_EQ(held(), 2);
}

TEST_F(PrefixCacheTest, RandomPromptsKeepTheBoundTheCountsAndTheContent) {
  std::mt19937 random(5);
  const auto below = [&random](std::uint32_t end) { return static_cast<TokenId>(random() % end); };
  for (const std::int64_t capacity : {0, 2, 4, 10, 30}) {
    PrefixCache cache(pool_, kChunk, capacity);
    std::int64_t reused = 0;
    for (int i = 0; i < 400; ++i) {
      std::vector<TokenId> tokens;
      for (TokenId chunks = below(6); chunks >= 0; --chunks) tokens.insert(tokens.end(), kChunk, below(2));
      tokens.resize(tokens.size() - static_cast<std::size_t>(below(kChunk)));
      reused += prompt(cache, tokens);
      ASSERT_LE(cache.blocks(), capacity);
      ASSERT_EQ(held(), cache.blocks());
    }
    EXPECT_EQ(reused > 0, capacity >= 2) << capacity;
  }
  EXPECT_EQ(held(), 0);  // each cache gave its blocks back
}

TEST_F(PrefixCacheTest, RefusesChunksThatAreNoBlocks) {
  EXPECT_THROW(PrefixCache(pool_, 40, 10), std::invalid_argument);
  EXPECT_THROW(PrefixCache(pool_, 0, 10), std::invalid_argument);
}

TEST(BlockPool, CountsReferencesAndRefusesMisuse) {
  BlockPool pool(2);
  EXPECT_EQ(pool.take(), 0);
  EXPECT_EQ(pool.take(), 1);
  EXPECT_THROW(pool.take(), std::logic_error);
  pool.share(0);
  pool.release(0);
  EXPECT_EQ(pool.free(), 0);
  pool.release(0);
  EXPECT_EQ(pool.free(), 1);
  EXPECT_THROW(pool.release(0), std::logic_error);
  EXPECT_THROW(pool.share(0), std::logic_error);
}

/// Random prompts that share beginnings: the decoder with a small prefix cache against one without.
class PrefixDecoder : public ::testing::TestWithParam<std::tuple<Storage, KvType>> {};

TEST_P(PrefixDecoder, GivesTheSameBitsAsWithoutACache) {
  const auto [storage, type] = GetParam();
  const TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config("qwen2");  // with a sliding window
  testing::write_model(folder.path(), config, testing::random_weights(config, 3), storage);
  const model::ModelFolder model(folder.path());
  DecoderOptions options{.context = 400, .kv_cache = type, .sequences = 2, .chunk = kChunk};
  Decoder plain(model, options);
  options.prefix_cache = 5 * kChunk;
  Decoder cached(model, options);
  std::mt19937 random(7);
  std::int64_t reused_in_all = 0;
  for (int i = 0; i < 60; ++i) {
    std::vector<TokenId> tokens;
    for (std::uint32_t chunks = random() % 4 + 1; chunks > 0; --chunks)
      tokens.insert(tokens.end(), kChunk, static_cast<TokenId>(random() % 2 + 1));
    tokens.resize(tokens.size() - random() % kChunk);
    std::int64_t reused = 0;
    const std::int64_t sequence = i % 2;
    const auto found = cached.prompt(tokens, sequence, &reused);
    const auto expected = plain.prompt(tokens, sequence);
    ASSERT_TRUE(std::equal(found.begin(), found.end(), expected.begin(), expected.end())) << "prompt " << i;
    for (TokenId token = 5; token < 8; ++token) {  // and what follows
      const auto next = cached.forward({&token, 1}, sequence), same = plain.forward({&token, 1}, sequence);
      ASSERT_TRUE(std::equal(next.begin(), next.end(), same.begin(), same.end())) << "prompt " << i;
    }
    reused_in_all += reused;
  }
  EXPECT_GT(reused_in_all, 1000);
}

INSTANTIATE_TEST_SUITE_P(Kinds, PrefixDecoder,
                         ::testing::Combine(::testing::Values(Storage::f32, Storage::int8),
                                            ::testing::Values(KvType::f32, KvType::bf16, KvType::int8)),
                         [](const auto& kind) {
                           const KvType type = std::get<1>(kind.param);
                           return std::string(std::get<0>(kind.param) == Storage::f32 ? "f32" : "int8") + "_kv_" +
                                  (type == KvType::f32    ? "f32"
                                   : type == KvType::bf16 ? "bf16"
                                                          : "int8");
                         });

}  // namespace
}  // namespace retort::runtime
