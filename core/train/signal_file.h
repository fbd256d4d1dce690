// A teacher's signals as a file: what it said of every token of a data set's answers, looked up by an example's hash.
// signals.bin, all numbers little-endian:
//
//   header, 88 bytes
//     0  "RTSIGNAL"
//     8  u32 version, 1
//    12  u32 bytes of an id: 2 where the vocabulary has at most 65,536 tokens, else 3
//    16  u32 k, ids kept at each token
//    20  u32 0
//    24  u64 size of the vocabulary that the ids are of
//    32  SHA-256 of its tokenizer.json, 32 bytes
//    64  u64 rows R
//    72  u64 tokens N of all rows
//    80  u64 checksum of the header before it and of the index
//   N tokens: k × (id, f32 log-probability under the whole distribution), likeliest first; f32 mass of the others
//   index, R × 56 bytes in ascending order of hashes: the example's sequence_hash(), 32 bytes; u64 its first token;
//     u64 its tokens; u64 checksum of these
//
// A kept id takes 6 or 7 bytes with its log-probability, a token 4 for its tail, a row 56. Checksums are FNV-1a. No
// LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace retort::train {

constexpr const char* signal_file_name = "signals.bin";
/// Least bytes of a file, those of a row of the index, and of the hash in front of it.
constexpr std::size_t signal_header_bytes = 88, signal_index_bytes = 56, signal_hash_bytes = 32;

/// What holds for all rows.
struct SignalAbout {
  std::int64_t top_k = 0;        ///< at most the vocabulary
  std::int64_t vocabulary = 0;   ///< at most 2^24
  std::string tokenizer_sha256;  ///< hexadecimal
  std::size_t id_bytes() const { return vocabulary <= 65536 ? 2 : 3; }
  std::size_t token_bytes() const { return static_cast<std::size_t>(top_k) * (id_bytes() + 4) + 4; }
};

/// What a teacher said of the n tokens of an answer, row after row.
struct SignalRows {
  std::vector<std::int64_t> top_ids;  ///< [n,k] likeliest first
  std::vector<float> top_log_probs;   ///< [n,k]
  std::vector<float> tail;            ///< [n] probability of all other tokens
};

/// The bytes of the tokens. Throws std::invalid_argument: what was expected, found, for numbers that are no
/// distribution's: counts that do not fit, ids outside the vocabulary, a mass above 1.
std::string encoded(const SignalRows& rows, const SignalAbout& about);
/// Of bytes that encoded() gave.
SignalRows decoded(std::string_view bytes, const SignalAbout& about);

struct SignalAmount {
  std::int64_t rows = 0, tokens = 0;
  double mean_tail = 0;  ///< of the probability that was not kept
};

/// Writes folder/signals.bin, whole or not at all. `next` gives a row's hash (hexadecimal) and its encoded() tokens, or
/// returns false at the end; of rows of one hash the first is written. Memory: 56 bytes a row.
SignalAmount write_signals(const std::filesystem::path& folder, const SignalAbout& about,
                           const std::function<bool(std::string& hash, std::string& tokens)>& next);

/// A whole number below 2^64 and back, for whoever reads the file's index.
std::uint64_t signal_number(const char* bytes);
/// The 32 bytes of 64 hexadecimal digits and back. Throws std::invalid_argument.
std::string hash_bytes(std::string_view hexadecimal);

}  // namespace retort::train
