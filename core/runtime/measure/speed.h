// How fast a decoder is, as llama-bench counts it, and how fast the machine reads memory, which bounds decoding.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/decoder/decoder.h"

namespace retort::runtime {

/// A prompt of `prompt` tokens from an empty cache ("pp512"), or `generate` tokens one by one ("tg128"), each for
/// `batch` sequences, whose tokens are decoded together and count together.
struct SpeedTest {
  std::int64_t prompt = 0;    ///< tokens fed at once; 0: this is a test of generation
  std::int64_t generate = 0;  ///< tokens fed one by one
  std::int64_t batch = 1;
  std::int64_t depth = 0;  ///< tokens that are in the cache before; not timed
};

/// "pp512", "tg128", "tg128 x8", "tg128 @ d512": llama-bench's names.
std::string name_of(const SpeedTest& test);

struct Speed {
  std::vector<double> samples;  ///< tokens per second of each repetition
  double median() const;
  double mean() const;
  double deviation() const;  ///< sample standard deviation; 0 of one sample
};

/// Random tokens of a fixed seed; one repetition before those that count. `decoder` needs room for test.batch sequences
/// of prompt or depth + generate tokens: std::invalid_argument as Decoder otherwise. Ends early, with what it has, when
/// `go_on` (may be empty) returns false.
Speed measure(Decoder& decoder, const SpeedTest& test, std::int64_t repetitions,
              const std::function<bool()>& go_on = {});

/// Bytes of weights that one decoded token reads: all but an embedding that is not also the head.
std::int64_t weight_bytes_per_token(const model::ModelFolder& folder);

}  // namespace retort::runtime
