// See signal_file.h.
#include "train/signal_file.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <set>
#include <stdexcept>
#include <system_error>

#include "data/text_hash.h"
#include "host/base/files.h"
#include "host/base/hexadecimal.h"
#include "host/plugin/stop_request.h"

namespace retort::train {
namespace {

static_assert(std::endian::native == std::endian::little, "signals.bin is written as the machine holds its numbers");

constexpr double mass_tolerance = 1e-3;  // an endpoint's log-probabilities are rounded
constexpr std::int64_t largest_vocabulary = std::int64_t{1} << 24U;

template <typename Number>
void append_number(std::string& bytes, Number value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_id(std::string& bytes, std::int64_t id, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) bytes += static_cast<char>((id >> (8 * i)) & 0xFF);
}

std::int64_t id_at(const char* bytes, std::size_t width) {
  std::int64_t id = 0;
  for (std::size_t i = 0; i < width; ++i) id |= std::int64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return id;
}

float float_at(const char* bytes) {
  float value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

std::string header_of(const SignalAbout& about, const SignalAmount& amount) {
  std::string header = "RTSIGNAL";
  append_number(header, std::uint32_t{1});
  append_number(header, static_cast<std::uint32_t>(about.id_bytes()));
  append_number(header, static_cast<std::uint32_t>(about.top_k));
  append_number(header, std::uint32_t{0});
  append_number(header, static_cast<std::uint64_t>(about.vocabulary));
  header += hash_bytes(about.tokenizer_sha256);
  append_number(header, static_cast<std::uint64_t>(amount.rows));
  append_number(header, static_cast<std::uint64_t>(amount.tokens));
  return header;
}

void write_at_begin(int descriptor, const std::string& bytes) {
  if (::pwrite(descriptor, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw std::system_error(errno, std::generic_category(), "pwrite");
}

void expect_about(const SignalAbout& about) {
  if (about.vocabulary < 1 || about.vocabulary > largest_vocabulary)
    throw std::invalid_argument("signals: expected a vocabulary of 1 to " + std::to_string(largest_vocabulary) +
                                " tokens, found " + std::to_string(about.vocabulary));
  if (about.top_k < 1 || about.top_k > about.vocabulary)
    throw std::invalid_argument("signals: expected 1 to " + std::to_string(about.vocabulary) +
                                " ids at each token, found " + std::to_string(about.top_k));
}

double tail_of(std::string_view tokens, const SignalAbout& about) {
  double tail = 0;
  for (std::size_t end = about.token_bytes(); end <= tokens.size(); end += about.token_bytes())
    tail += float_at(tokens.data() + end - 4);
  return tail;
}

/// One row of the index, in front of which stands its hash.
std::string index_row(const std::string& hash, std::int64_t first, std::int64_t count, std::uint64_t checksum) {
  std::string row = hash;
  append_number(row, static_cast<std::uint64_t>(first));
  append_number(row, static_cast<std::uint64_t>(count));
  append_number(row, checksum);
  return row;
}

}  // namespace

std::uint64_t signal_number(const char* bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

std::string hash_bytes(std::string_view hexadecimal) {
  std::string bytes = host::from_hexadecimal(hexadecimal);
  if (bytes.size() == signal_hash_bytes) return bytes;
  throw std::invalid_argument("expected the 64 hexadecimal digits of a SHA-256, found \"" + std::string(hexadecimal) +
                              "\"");
}

std::string encoded(const SignalRows& rows, const SignalAbout& about) {
  const auto k = static_cast<std::size_t>(about.top_k);
  const std::size_t tokens = rows.tail.size();
  if (rows.top_ids.size() != tokens * k || rows.top_log_probs.size() != tokens * k)
    throw std::invalid_argument("signals: expected " + std::to_string(k) + " ids and log-probabilities for each of " +
                                std::to_string(tokens) + " tokens, found " + std::to_string(rows.top_ids.size()) +
                                " and " + std::to_string(rows.top_log_probs.size()));
  std::string bytes;
  bytes.reserve(tokens * about.token_bytes());
  for (std::size_t token = 0; token < tokens; ++token) {
    double mass = 0;
    for (std::size_t i = token * k; i < (token + 1) * k; ++i) {
      const float log_prob = rows.top_log_probs[i];
      if (rows.top_ids[i] < 0 || rows.top_ids[i] >= about.vocabulary)
        throw std::invalid_argument("signals: expected ids below the vocabulary's " + std::to_string(about.vocabulary) +
                                    ", found " + std::to_string(rows.top_ids[i]));
      if (!(log_prob <= mass_tolerance))
        throw std::invalid_argument("signals: expected log-probabilities at most 0, found " + std::to_string(log_prob));
      mass += std::exp(static_cast<double>(log_prob));
      append_id(bytes, rows.top_ids[i], about.id_bytes());
      append_number(bytes, log_prob);
    }
    if (mass > 1 + mass_tolerance || !(rows.tail[token] >= 0 && rows.tail[token] <= 1))
      throw std::invalid_argument("signals: expected probabilities that sum to at most 1 and a tail of 0 to 1, found " +
                                  std::to_string(mass) + " and " + std::to_string(rows.tail[token]));
    append_number(bytes, rows.tail[token]);
  }
  return bytes;
}

SignalRows decoded(std::string_view bytes, const SignalAbout& about) {
  const std::size_t tokens = bytes.size() / about.token_bytes(), width = about.id_bytes();
  SignalRows rows;
  rows.top_ids.reserve(tokens * static_cast<std::size_t>(about.top_k));
  rows.top_log_probs.reserve(rows.top_ids.capacity());
  rows.tail.reserve(tokens);
  const char* at = bytes.data();
  for (std::size_t token = 0; token < tokens; ++token) {
    for (std::int64_t i = 0; i < about.top_k; ++i, at += width + 4) {
      rows.top_ids.push_back(id_at(at, width));
      rows.top_log_probs.push_back(float_at(at + width));
    }
    rows.tail.push_back(float_at(at));
    at += 4;
  }
  return rows;
}

SignalAmount write_signals(const std::filesystem::path& folder, const SignalAbout& about,
                           const std::function<bool(std::string& hash, std::string& tokens)>& next) {
  expect_about(about);
  SignalAmount amount;
  std::set<std::string> index;  // ordered by hash, which stands in front
  host::write_file_atomically(folder / signal_file_name, [&](int descriptor) {
    host::write_all(descriptor, std::string(signal_header_bytes, '\0').data(), signal_header_bytes);
    for (std::string hash, tokens; next(hash, tokens);) {
      host::throw_if_stop_requested();
      const std::string key = hash_bytes(hash);
      const auto place = index.lower_bound(key);
      if (place != index.end() && place->starts_with(key)) continue;
      const auto count = static_cast<std::int64_t>(tokens.size() / about.token_bytes());
      index.insert(place, index_row(key, amount.tokens, count, data::text_hash(tokens)));
      host::write_all(descriptor, tokens.data(), tokens.size());
      ++amount.rows;
      amount.tokens += count;
      amount.mean_tail += tail_of(tokens, about);
    }
    std::string header = header_of(about, amount);
    std::uint64_t checksum = data::text_hash(header);
    for (const std::string& row : index) {
      host::write_all(descriptor, row.data(), row.size());
      checksum = data::text_hash(row, checksum);
    }
    append_number(header, checksum);
    write_at_begin(descriptor, header);
  });
  amount.mean_tail /= static_cast<double>(std::max<std::int64_t>(1, amount.tokens));
  return amount;
}

}  // namespace retort::train
