// Several sequences on one decoder: decoded together they give what each gives alone; slots are independent; what is
// refused. And caches of smaller types against the exact one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "random_model.h"
#include "runtime/decoder/decoder.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {
namespace {

using testing::Storage;
using testing::TemporaryFolder;

std::vector<TokenId> seeded_tokens(std::int64_t count, std::int64_t vocabulary, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TokenId> tokens(static_cast<std::size_t>(count));
  for (TokenId& token : tokens) token = static_cast<TokenId>(random() % static_cast<std::uint32_t>(vocabulary));
  return tokens;
}

float largest_distance(std::span<const float> a, std::span<const float> b) {
  float difference = a.size() == b.size() ? 0.0f : INFINITY;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    difference = std::max(difference, std::fabs(a[i] - b[i]));
  return difference;
}

float root_mean_square(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * double{value};
  return static_cast<float>(std::sqrt(sum / static_cast<double>(values.size())));
}

class Batch : public ::testing::Test {
 protected:
  model::ModelFolder write(Storage storage, const std::string& family = "qwen2") {
    config_ = testing::awkward_config(family);
    testing::write_model(folder_.path(), config_, testing::random_weights(config_, 3), storage);
    return model::ModelFolder(folder_.path());
  }
  std::vector<TokenId> prompt(std::int64_t sequence) const {
    return seeded_tokens(3 + 11 * (sequence % 32), config_.vocabulary_size, static_cast<std::uint32_t>(sequence));
  }
  TemporaryFolder folder_;
  model::ModelConfig config_;
};

TEST_F(Batch, TogetherGivesWhatEachGivesAlone) {
  for (const Storage storage : {Storage::f32, Storage::int8}) {
    const model::ModelFolder model = write(storage);
    const auto vocabulary = static_cast<std::size_t>(config_.vocabulary_size);
    Decoder together(model, {.threads = 2, .sequences = kMaxSequences}), alone(model, {});
    for (std::int64_t sequence = 0; sequence < kMaxSequences; ++sequence) together.prompt(prompt(sequence), sequence);
    std::vector<std::vector<float>> rows(kMaxSequences);
    for (TokenId round = 0; round < 4; ++round) {
      std::vector<SequenceStep> steps;
      // Not all of them every time, and not in order.
      for (std::int64_t i = round; i < kMaxSequences; ++i)
        steps.push_back({(i * 5) % kMaxSequences, static_cast<TokenId>(7 * i + round) % 131});
      const auto logits = together.step(steps);
      ASSERT_EQ(logits.size(), steps.size() * vocabulary);
      for (std::size_t i = 0; i < steps.size(); ++i) {
        const auto row = logits.subspan(i * vocabulary, vocabulary);
        auto& of_sequence = rows[static_cast<std::size_t>(steps[i].sequence)];
        of_sequence.insert(of_sequence.end(), row.begin(), row.end());
      }
    }
    for (std::int64_t sequence = 0; sequence < kMaxSequences; ++sequence) {
      alone.prompt(prompt(sequence));
      std::vector<float> expected;
      for (TokenId round = 0; round < 4; ++round) {
        std::int64_t i = 0;
        while ((i * 5) % kMaxSequences != sequence) ++i;
        if (i < round) continue;
        const TokenId token = static_cast<TokenId>(7 * i + round) % 131;
        const auto logits = alone.forward({&token, 1});
        expected.insert(expected.end(), logits.begin(), logits.end());
      }
      const auto& found = rows[static_cast<std::size_t>(sequence)];
      // f32: sums in another order. int8: that, and codes next to a rounding border.
      EXPECT_LT(largest_distance(found, expected), storage == Storage::f32 ? 5e-5f : 0.05f * root_mean_square(expected))
          << "sequence " << sequence;
      for (std::size_t row = 0; row < expected.size() / vocabulary; ++row) {
        const std::span<const float> a = std::span(found).subspan(row * vocabulary, vocabulary);
        std::vector<float> b(expected.begin() + static_cast<std::ptrdiff_t>(row * vocabulary),
                             expected.begin() + static_cast<std::ptrdiff_t>((row + 1) * vocabulary));
        const auto best = std::max_element(b.begin(), b.end()) - b.begin();
        const float top = std::exchange(b[static_cast<std::size_t>(best)], -INFINITY);
        if (top - *std::max_element(b.begin(), b.end()) < (storage == Storage::f32 ? 1e-4f : 0.1f)) continue;
        EXPECT_EQ(argmax(a.data(), config_.vocabulary_size), best);
      }
    }
  }
}

TEST_F(Batch, SequencesDoNotTouchEachOther) {
  const model::ModelFolder model = write(Storage::f32);
  Decoder decoder(model, {.sequences = 3});
  const std::vector<TokenId> first = prompt(4), second = prompt(2), token{9};
  const auto copy = [](std::span<const float> logits) { return std::vector<float>(logits.begin(), logits.end()); };
  const std::vector<float> expected = (decoder.prompt(first, 1), copy(decoder.forward(token, 1)));
  decoder.prompt(first, 1);
  decoder.prompt(second, 0);
  decoder.prompt(second, 2);
  decoder.reset(0);
  decoder.forward(first, 0);
  EXPECT_EQ(copy(decoder.forward(token, 1)), expected);
  EXPECT_EQ(decoder.position(1), static_cast<std::int64_t>(first.size()) + 1);
  EXPECT_EQ(decoder.position(2), static_cast<std::int64_t>(second.size()));
}

TEST_F(Batch, AForkGoesOnAsAPromptOfItsOwn) {
  const model::ModelFolder model = write(Storage::f32);
  const auto copy = [](std::span<const float> logits) { return std::vector<float>(logits.begin(), logits.end()); };
  for (const KvType type : {KvType::f32, KvType::bf16, KvType::int8}) {
    for (const std::int64_t length : {1, 31, 32, 33, 64, 70}) {
      Decoder decoder(model, {.kv_cache = type, .sequences = 3}), other(model, {.kv_cache = type});
      const std::vector<TokenId> tokens = seeded_tokens(length, config_.vocabulary_size, 5);
      const std::vector<TokenId> one = seeded_tokens(40, config_.vocabulary_size, 6),
                                 two = seeded_tokens(40, config_.vocabulary_size, 7);
      const auto alone = [&](const std::vector<TokenId>& more) {
        other.prompt(tokens);
        return copy(other.forward(more));
      };
      const std::vector<float> first = alone(one), second = alone(two);
      decoder.prompt(tokens, 1);
      decoder.forward(two, 2);  // is forgotten
      decoder.fork(1, 2, length);
      EXPECT_EQ(decoder.position(2), length);
      EXPECT_EQ(copy(decoder.forward(one, 1)), first) << length;
      EXPECT_EQ(copy(decoder.forward(two, 2)), second) << length;  // not touched by what 1 did
      decoder.fork(2, 0, length);                                  // of a sequence that went on
      EXPECT_EQ(copy(decoder.forward(one, 0)), first) << length;
      decoder.fork(2, 2, length);  // back to the prompt
      EXPECT_EQ(copy(decoder.forward(one, 2)), first) << length;
      EXPECT_EQ(decoder.position(1), length + 40);
    }
  }
}

TEST_F(Batch, ForkingBackIntoASharedBlockLeavesTheOthersTheirs) {
  const model::ModelFolder model = write(Storage::f32);
  const auto copy = [](std::span<const float> logits) { return std::vector<float>(logits.begin(), logits.end()); };
  Decoder decoder(model, {.context = 128, .sequences = 2}), other(model, {});
  const std::vector<TokenId> tokens = seeded_tokens(64, config_.vocabulary_size, 5),
                             more = seeded_tokens(30, config_.vocabulary_size, 6);
  other.prompt(tokens);
  const std::vector<float> expected = copy(other.forward(more));
  decoder.prompt(tokens, 0);
  decoder.fork(0, 1, 64);
  decoder.fork(1, 1, 40);  // within the second block, which 0 reads
  decoder.forward(more, 1);
  EXPECT_EQ(copy(decoder.forward(more, 0)), expected);
  EXPECT_EQ(decoder.position(1), 70);
  EXPECT_THROW(decoder.fork(1, 0, 71), std::invalid_argument);
  EXPECT_THROW(decoder.fork(1, 0, 0), std::invalid_argument);
  EXPECT_THROW(decoder.fork(2, 0, 1), std::invalid_argument);
  // No block is lost: both sequences have room for a whole context still.
  const std::vector<TokenId> whole = seeded_tokens(128, config_.vocabulary_size, 8);
  for (int round = 0; round < 3; ++round) {
    decoder.prompt(whole, 0);
    decoder.prompt(whole, 1);
    decoder.fork(0, 1, 100);
  }
}

TEST_F(Batch, ThreadsDoNotChangeABit) {
  const model::ModelFolder model = write(Storage::f32, "qwen3");
  Decoder one(model, {.chunk = 512}), two(model, {.threads = 2, .chunk = 512});
  const std::vector<TokenId> tokens = seeded_tokens(600, config_.vocabulary_size, 1);
  EXPECT_EQ(one.forward_all(tokens), two.forward_all(tokens));
}

TEST_F(Batch, ChunksGiveTheSameTokens) {
  const model::ModelFolder model = write(Storage::f32);
  const std::vector<TokenId> tokens = seeded_tokens(600, config_.vocabulary_size, 2);
  const std::vector<float> whole = Decoder(model, {.chunk = 512}).forward_all(tokens);
  for (const std::int64_t chunk : {32, 96, 256})
    EXPECT_LT(largest_distance(Decoder(model, {.chunk = chunk}).forward_all(tokens), whole), 5e-5f) << chunk;
}

TEST_F(Batch, RefusesWhatDoesNotFit) {
  const model::ModelFolder model = write(Storage::f32);
  Decoder decoder(model, {.context = 8, .sequences = 2});
  const std::vector<TokenId> eight(8, 1), three(3, 1), token{1};
  decoder.prompt(eight, 0);
  decoder.prompt(three, 1);
  const std::vector<SequenceStep> full{{1, 5}, {0, 5}}, twice{{1, 5}, {1, 6}}, none, absent{{2, 5}}, bad{{1, 131}};
  for (const auto& steps : {full, twice, none, absent, bad})
    EXPECT_THROW(decoder.step(steps), std::invalid_argument) << steps.size();
  EXPECT_EQ(decoder.position(1), 3);  // unchanged by a step that another sequence spoilt
  EXPECT_THROW(decoder.forward(token, 2), std::invalid_argument);
  EXPECT_THROW(decoder.forward(token, -1), std::invalid_argument);
  EXPECT_THROW(decoder.reset(2), std::invalid_argument);
  const std::vector<TokenId> nine(9, 1);
  EXPECT_THROW(decoder.prompt(nine, 1), std::invalid_argument);
  EXPECT_EQ(decoder.position(1), 3);
  for (const DecoderOptions& options :
       {DecoderOptions{.sequences = 0}, DecoderOptions{.sequences = kMaxSequences + 1}, DecoderOptions{.chunk = 40},
        DecoderOptions{.chunk = 544}, DecoderOptions{.chunk = -32}, DecoderOptions{.prefix_cache = -1}})
    EXPECT_THROW(Decoder(model, options), std::invalid_argument);
}

TEST_F(Batch, SmallerCachesAreNearTheExactOne) {
  const model::ModelFolder model = write(Storage::f32);
  const std::vector<TokenId> tokens = seeded_tokens(300, config_.vocabulary_size, 4);
  const std::vector<float> exact = Decoder(model, {.kv_cache = KvType::f32}).forward_all(tokens);
  Decoder chosen(model, {});
  EXPECT_EQ(chosen.kv_cache(), KvType::f32);  // a small model's
  EXPECT_EQ(chosen.forward_all(tokens), exact);
  // bf16 rounds a number by at most 2⁻⁹ of it, int8 by half of 1/127 of a head's largest; three layers add that up.
  for (const auto& [type, most] : {std::pair(KvType::bf16, 0.008f), std::pair(KvType::int8, 0.02f)}) {
    std::vector<float> difference = Decoder(model, {.kv_cache = type}).forward_all(tokens);
    for (std::size_t i = 0; i < difference.size(); ++i) difference[i] -= exact[i];
    EXPECT_LT(root_mean_square(difference), most * root_mean_square(exact));
    EXPECT_GT(root_mean_square(difference), 0.0f);
  }
}

}  // namespace
}  // namespace retort::runtime
