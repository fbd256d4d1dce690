// See recorded_signals.h.
#include "train/recorded_signals.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "data/text_hash.h"
#include "host/base/files.h"
#include "host/base/hexadecimal.h"

namespace retort::train {
namespace {

std::uint32_t short_number(const char* bytes) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

std::string example_name(const Sequence& sequence) {
  return "example " + std::to_string(sequence.example + 1);
}

}  // namespace

void RecordedSignals::refuse(const std::string& expected, const std::string& found) const {
  throw std::runtime_error(file_.string() + ": expected " + expected + ", found " + found +
                           ": make the signals again (stage.signals)");
}

RecordedSignals::RecordedSignals(const std::filesystem::path& folder)
    : file_(folder / signal_file_name), mapped_(std::make_unique<const model::MappedFile>(file_)) {
  read_header();
  const std::string_view all(reinterpret_cast<const char*>(mapped_->data()), mapped_->bytes());
  std::string_view before;
  for (std::size_t at = 0; at < index_.size(); at += signal_index_bytes) {
    const std::string_view hash = index_.substr(at, signal_hash_bytes);
    const std::uint64_t tokens = data_.size() / about_.token_bytes();
    const std::uint64_t first = signal_number(index_.data() + at + signal_hash_bytes);
    const std::uint64_t count = signal_number(index_.data() + at + signal_hash_bytes + 8);
    if (first > tokens || count > tokens - first || hash <= before)
      refuse("an index of rows in the file, in the order of their hashes",
             "another at row " + std::to_string(at / signal_index_bytes));
    before = hash;
  }
  constexpr std::size_t checksum = signal_header_bytes - 8;
  if (signal_number(all.data() + checksum) != data::text_hash(index_, data::text_hash(all.substr(0, checksum))))
    refuse("the checksum of header and index", "another: the file was changed");
}

void RecordedSignals::read_header() {
  const std::string_view all(reinterpret_cast<const char*>(mapped_->data()), mapped_->bytes());
  if (all.size() < signal_header_bytes || !all.starts_with("RTSIGNAL"))
    refuse("a file of signals (RTSIGNAL)", all.empty() ? "an empty file" : "another file");
  if (const std::uint32_t version = short_number(all.data() + 8); version != 1)
    refuse("version 1", "version " + std::to_string(version));
  about_.top_k = short_number(all.data() + 16);
  about_.vocabulary = static_cast<std::int64_t>(std::min<std::uint64_t>(signal_number(all.data() + 24), 1U << 25U));
  about_.tokenizer_sha256 = host::to_hexadecimal(all.substr(32, signal_hash_bytes));
  if (about_.top_k < 1 || about_.top_k > about_.vocabulary || about_.vocabulary > 1 << 24 ||
      short_number(all.data() + 12) != about_.id_bytes())
    refuse("ids of a vocabulary, of 2 or 3 bytes each", std::to_string(about_.top_k) + " of " +
                                                            std::to_string(about_.vocabulary) + ", of " +
                                                            std::to_string(short_number(all.data() + 12)) + " bytes");
  const std::uint64_t rows = signal_number(all.data() + 64), tokens = signal_number(all.data() + 72);
  const std::size_t room = all.size() - signal_header_bytes;
  const bool fits = rows <= room / signal_index_bytes && tokens <= room / about_.token_bytes() &&
                    rows * signal_index_bytes + tokens * about_.token_bytes() == room;
  if (!fits)
    refuse("the bytes of " + std::to_string(rows) + " rows with " + std::to_string(tokens) + " tokens",
           std::to_string(all.size()) + " bytes: the file was cut short or changed");
  rows_ = static_cast<std::int64_t>(rows);
  data_ = all.substr(signal_header_bytes, tokens * about_.token_bytes());
  index_ = all.substr(signal_header_bytes + data_.size());
}

std::optional<RecordedSignals::Found> RecordedSignals::find(const Sequence& sequence) const {
  const std::string hash = hash_bytes(sequence.hash);
  std::size_t low = 0, high = static_cast<std::size_t>(rows_);
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const std::string_view row = index_.substr(middle * signal_index_bytes, signal_index_bytes);
    const int order = row.substr(0, signal_hash_bytes).compare(hash);
    if (order == 0) {
      const std::size_t first = signal_number(row.data() + signal_hash_bytes),
                        count = signal_number(row.data() + signal_hash_bytes + 8);
      return Found{data_.substr(first * about_.token_bytes(), count * about_.token_bytes()),
                   signal_number(row.data() + signal_hash_bytes + 16)};
    }
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  return std::nullopt;
}

RecordedSignals::Found RecordedSignals::expect(const Sequence& sequence) const {
  if (const auto found = find(sequence)) return *found;
  throw std::runtime_error(file_.string() + ": no signals for " + example_name(sequence) + " (hash " + sequence.hash +
                           "): they were made from other rows, with another tokenizer or in another prompt form; "
                           "make them again from this data set");
}

RecordedSignals::Rows RecordedSignals::of(const Sequence& sequence) const {
  return decoded(expect(sequence).tokens, about_);
}

void RecordedSignals::expect_tokenizer(const text::Tokenizer& tokenizer) const {
  const std::string own = host::sha256(tokenizer.to_json());
  if (about_.tokenizer_sha256 == own) return;
  throw std::invalid_argument(file_.string() + ": made with another tokenizer (SHA-256 " + about_.tokenizer_sha256 +
                              "), the student's is " + own + ": make the signals again with this teacher");
}

std::int64_t RecordedSignals::expect_holds(const std::vector<Sequence>& sequences, std::int64_t vocabulary,
                                           bool allow_missing) const {
  std::int64_t missing = 0;
  for (const Sequence& sequence : sequences) {
    if (allow_missing && !holds(sequence)) {
      ++missing;
      continue;
    }
    const Found found = expect(sequence);
    if (data::text_hash(found.tokens) != found.checksum)
      refuse("the checksum of " + example_name(sequence), "another: the file was changed");
    const Rows rows = decoded(found.tokens, about_);
    if (rows.tail.size() != sequence.response.size())
      throw std::runtime_error(file_.string() + ": expected signals for " + std::to_string(sequence.response.size()) +
                               " tokens of " + example_name(sequence) + ", found " + std::to_string(rows.tail.size()));
    for (const std::int64_t id : rows.top_ids)
      if (id >= vocabulary)
        throw std::runtime_error(file_.string() + ": token " + std::to_string(id) + " of " + example_name(sequence) +
                                 " is outside the student's vocabulary of " + std::to_string(vocabulary));
  }
  return missing;
}

}  // namespace retort::train
