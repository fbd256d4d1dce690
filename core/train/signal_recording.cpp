#include "train/signal_recording.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "host/base/files.h"
#include "train/batch_rows.h"
#include "train/corpus.h"
#include "train/libtorch.h"
#include "train/model_weights.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;

/// Lines of finished batches, by hash: "HASH{…}\n" each. A line that was cut short, with what follows it, is dropped.
class SignalJournal {
 public:
  explicit SignalJournal(const std::filesystem::path& file) : file_(file) {
    std::size_t good = 0;
    if (std::filesystem::exists(file)) {
      const std::string text = host::read_file(file);
      for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', good)) {
        lines_[text.substr(good, hash_size)] = text.substr(good + hash_size, end + 1 - good - hash_size);
        good = end + 1;
      }
    }
    descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0 || ::ftruncate(descriptor_, static_cast<off_t>(good)) != 0 ||
        ::lseek(descriptor_, 0, SEEK_END) < 0)
      throw std::runtime_error("'" + file.string() + "' cannot be opened and cut to what can be read");
  }
  ~SignalJournal() { ::close(descriptor_); }
  SignalJournal(const SignalJournal&) = delete;
  SignalJournal& operator=(const SignalJournal&) = delete;

  std::size_t size() const { return lines_.size(); }
  bool knows(const std::string& hash) const { return lines_.contains(hash); }
  const std::string& line(const std::string& hash) const { return lines_.at(hash); }
  /// All of a batch; with the system when this returns.
  void add(const std::map<std::string, std::string>& batch) {
    std::string text;
    for (const auto& [hash, line] : batch) text += hash + line;
    host::write_all(descriptor_, text.data(), text.size());
    lines_.insert(batch.begin(), batch.end());
  }

 private:
  static constexpr std::size_t hash_size = 64;  // SHA-256 in hexadecimal
  std::filesystem::path file_;
  int descriptor_ = -1;
  std::map<std::string, std::string> lines_;
};

/// The shortest decimal that is read back as the same float.
void append(std::string& text, float value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), end);
}
void append(std::string& text, std::int64_t value) {
  text += std::to_string(value);
}

/// [[…k], …n] of `count` rows from `first` on.
template <typename Number>
std::string rows_text(const Tensor& matrix, std::int64_t first, std::int64_t count) {
  const auto cells = matrix.accessor<Number, 2>();
  std::string text = "[";
  for (std::int64_t row = first; row < first + count; ++row) {
    text += row == first ? "[" : ",[";
    for (std::int64_t i = 0; i < matrix.size(1); ++i) {
      if (i > 0) text += ',';
      append(text, cells[row][i]);
    }
    text += ']';
  }
  return text + "]";
}

/// What the teacher says of the sequences `chosen`, as lines of signals.jsonl by hash.
std::map<std::string, std::string> ask(DecoderModule& teacher, const std::vector<Sequence>& sequences,
                                       const std::vector<std::size_t>& chosen, const SignalRecordingJob& job) {
  const torch::NoGradGuard no_grad;
  const MixedPrecision mixed(job.precision);
  const BatchRows rows = batch_rows(sequences, chosen);
  const Tensor hidden =
      teacher.hidden(rows.ids).reshape({-1, teacher.config().hidden_size}).index_select(0, rows.index);
  const Tensor logits = teacher.logits(hidden);
  auto [log_probs, ids] = torch::log_softmax(logits, -1).topk(std::min(job.top_k, logits.size(1)));
  log_probs = log_probs.to(torch::kFloat32).contiguous();
  std::map<std::string, std::string> lines;
  std::int64_t first = 0;
  for (const std::size_t i : chosen) {
    const auto count = static_cast<std::int64_t>(sequences[i].response.size());
    lines[sequences[i].hash] = R"({"hash":")" + sequences[i].hash + R"(","top_ids":)" +
                               rows_text<std::int64_t>(ids, first, count) + R"(,"top_log_probs":)" +
                               rows_text<float>(log_probs, first, count) + "}\n";
    first += count;
  }
  return lines;
}

/// Rows of like length together, so that little is padded; the same for the same rows.
std::vector<std::vector<std::size_t>> batches_of(const std::vector<Sequence>& sequences, std::int64_t batch_size) {
  std::vector<std::size_t> order;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < sequences.size(); ++i)
    if (seen.insert(sequences[i].hash).second) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return sequences[a].length() < sequences[b].length(); });
  std::vector<std::vector<std::size_t>> batches;
  const auto size = static_cast<std::size_t>(batch_size);
  for (std::size_t begin = 0; begin < order.size(); begin += size)
    batches.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(begin),
                         order.begin() + static_cast<std::ptrdiff_t>(std::min(order.size(), begin + size)));
  return batches;
}

double tail_of(const std::string& line) {
  const nlohmann::json rows = nlohmann::json::parse(line).at("top_log_probs");
  double tail = 0;
  for (const nlohmann::json& row : rows) {
    double kept = 0;
    for (const nlohmann::json& log_prob : row) kept += std::exp(log_prob.get<double>());
    tail += std::max(0.0, 1 - kept);
  }
  return tail;
}

RecordedAmount write(const SignalRecordingJob& job, const std::vector<Sequence>& sequences,
                     const SignalJournal& journal) {
  RecordedAmount amount;
  std::set<std::string> written;
  host::write_file_atomically(job.output / "signals.jsonl", [&](int descriptor) {
    for (const Sequence& sequence : sequences) {
      if (!written.insert(sequence.hash).second) continue;
      const std::string& line = journal.line(sequence.hash);
      host::write_all(descriptor, line.data(), line.size());
      ++amount.rows;
      amount.tokens += static_cast<std::int64_t>(sequence.response.size());
      amount.mean_tail += tail_of(line);
    }
  });
  amount.mean_tail /= static_cast<double>(std::max<std::int64_t>(1, amount.tokens));
  return amount;
}

RecordedAmount run(const SignalRecordingJob& job, const RunHooks& hooks) {
  if (job.top_k < 1) throw std::invalid_argument("top_k: expected at least 1, found " + std::to_string(job.top_k));
  if (job.batch_size < 1)
    throw std::invalid_argument("batch_size: expected at least 1, found " + std::to_string(job.batch_size));
  use_threads(job.threads);
  CallModule teacher = load_call_module(job.teacher);
  const Corpus corpus = tokenised(read_labelled_rows(job.dataset / "train.jsonl"), teacher.contract, teacher.tokenizer,
                                  {teacher.decoder->config().max_positions, 0, job.max_rejected_share}, hooks);
  SignalJournal journal(job.work / "signals.lines");
  if (journal.size() > 0) hooks.log(std::to_string(journal.size()) + " rows are known from an earlier run");
  const auto batches = batches_of(corpus.sequences, job.batch_size);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    hooks.throw_if_stopped();
    const bool known = std::all_of(batches[i].begin(), batches[i].end(),
                                   [&](std::size_t row) { return journal.knows(corpus.sequences[row].hash); });
    if (!known) journal.add(ask(*teacher.decoder, corpus.sequences, batches[i], job));
    hooks.progress("asking the teacher", static_cast<std::int64_t>(i) + 1, static_cast<std::int64_t>(batches.size()),
                   "batches");
  }
  host::write_file_atomically(
      job.output / "signals.json",
      nlohmann::json{{"tokenizer_sha256", host::sha256(teacher.tokenizer.to_json())}}.dump() + "\n");
  return write(job, corpus.sequences, journal);
}

}  // namespace

RecordedAmount record_signals(const SignalRecordingJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
