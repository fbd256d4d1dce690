#include "train/recorded_signals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/json_cursor.h"

namespace retort::train {
namespace {

constexpr double mass_tolerance = 1e-3;  // log-probabilities are rounded to a few digits in JSON

/// One row of a sequence: k ids and k log-probabilities.
void read_row(const host::JsonCursor& ids, const host::JsonCursor& log_probs, std::int64_t k,
              RecordedSignals::Rows& rows) {
  if (static_cast<std::int64_t>(ids.array().size()) != k) ids.refuse("an array of " + std::to_string(k) + " ids");
  if (log_probs.array().size() != ids.size()) log_probs.refuse("as many numbers as ids");
  double mass = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    rows.top_ids.push_back(ids.at(i).integer(0, std::numeric_limits<std::int32_t>::max()));
    const double log_prob = log_probs.at(i).number();
    if (log_prob > mass_tolerance) log_probs.at(i).refuse("a log-probability, at most 0");
    rows.top_log_probs.push_back(static_cast<float>(log_prob));
    mass += std::exp(log_prob);
  }
  if (mass > 1 + mass_tolerance) log_probs.refuse("probabilities that sum to at most 1");
}

}  // namespace

RecordedSignals::RecordedSignals(const std::filesystem::path& folder) : file_(folder / "signals.jsonl") {
  const std::string content = host::read_file(file_);
  std::int64_t line = 1;
  for (std::size_t begin = 0; begin < content.size(); ++line) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    const std::string text = content.substr(begin, end - begin);
    begin = end + 1;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      const nlohmann::json json = host::parse_strict_json(text);
      const host::JsonCursor row(json, "row");
      const host::JsonCursor ids = row.object().at("top_ids").array(), log_probs = row.at("top_log_probs").array();
      if (log_probs.size() != ids.size()) log_probs.refuse("as many rows as top_ids");
      if (k_ == 0 && ids.size() > 0) k_ = static_cast<std::int64_t>(ids.at(0).array().size());
      Rows rows;
      for (std::size_t i = 0; i < ids.size(); ++i) read_row(ids.at(i), log_probs.at(i), k_, rows);
      rows_[row.at("hash").string()] = std::move(rows);
    } catch (const std::invalid_argument& error) {
      throw std::runtime_error(file_.string() + ", line " + std::to_string(line) + ": " + error.what());
    }
  }
  const std::filesystem::path about = folder / "signals.json";
  if (std::filesystem::exists(about))
    tokenizer_sha256_ = host::parse_strict_json(host::read_file(about)).value("tokenizer_sha256", "");
  if (k_ < 1) throw std::runtime_error(file_.string() + ": expected rows with at least one id each, found none");
}

const RecordedSignals::Rows& RecordedSignals::of(const Sequence& sequence) const {
  const auto found = rows_.find(sequence.hash);
  if (found != rows_.end()) return found->second;
  throw std::runtime_error(file_.string() + ": no signals for example " + std::to_string(sequence.example + 1) +
                           " (hash " + sequence.hash +
                           "): they were made from other rows, with another tokenizer or in another prompt form; "
                           "make them again from this data set");
}

void RecordedSignals::expect_tokenizer(const text::Tokenizer& tokenizer) const {
  const std::string own = host::sha256(tokenizer.to_json());
  if (tokenizer_sha256_.empty() || tokenizer_sha256_ == own) return;
  throw std::invalid_argument(file_.string() + ": made with another tokenizer (SHA-256 " + tokenizer_sha256_ +
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
    const Rows& rows = of(sequence);
    const std::size_t expected = sequence.response.size() * static_cast<std::size_t>(k_);
    if (rows.top_ids.size() != expected)
      throw std::runtime_error(file_.string() + ": expected signals for " + std::to_string(sequence.response.size()) +
                               " tokens of example " + std::to_string(sequence.example + 1) + ", found " +
                               std::to_string(rows.top_ids.size() / static_cast<std::size_t>(k_)));
    for (const std::int64_t id : rows.top_ids)
      if (id >= vocabulary)
        throw std::runtime_error(file_.string() + ": token " + std::to_string(id) + " of example " +
                                 std::to_string(sequence.example + 1) + " is outside the student's vocabulary of " +
                                 std::to_string(vocabulary));
  }
  return missing;
}

}  // namespace retort::train
