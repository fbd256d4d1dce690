#include "train/signal_recording.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "host/base/files.h"
#include "train/batch_rows.h"
#include "train/corpus.h"
#include "train/device.h"
#include "train/libtorch.h"
#include "train/model_weights.h"
#include "train/signal_journal.h"
#include "train/top_tokens.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;

/// `count` rows of a tensor [n] or [n,k] from `first` on.
template <typename Number>
std::vector<Number> values_of(const Tensor& all, std::int64_t first, std::int64_t count) {
  const Tensor rows = all.narrow(0, first, count).cpu().contiguous();
  return {rows.data_ptr<Number>(), rows.data_ptr<Number>() + rows.numel()};
}

/// What the teacher says of the sequences `chosen`: encoded tokens by hash.
std::map<std::string, std::string> ask(DecoderModule& teacher, const std::vector<Sequence>& sequences,
                                       const std::vector<std::size_t>& chosen, const SignalRecordingJob& job,
                                       const SignalAbout& about) {
  const torch::NoGradGuard no_grad;
  const MixedPrecision mixed(job.precision, teacher.device());
  const BatchRows rows = to(batch_rows(sequences, chosen), teacher.device());
  const Tensor hidden =
      teacher.hidden(rows.ids).reshape({-1, teacher.config().hidden_size}).index_select(0, rows.index);
  auto [log_probs, ids] = torch::log_softmax(teacher.logits(hidden), -1).topk(about.top_k);
  log_probs = log_probs.to(torch::kFloat32).contiguous();
  const Tensor tail = tail_mass(log_probs);
  std::map<std::string, std::string> said;
  std::int64_t first = 0;
  for (const std::size_t i : chosen) {
    const auto count = static_cast<std::int64_t>(sequences[i].response.size());
    said[sequences[i].hash] = encoded({values_of<std::int64_t>(ids, first, count),
                                       values_of<float>(log_probs, first, count), values_of<float>(tail, first, count)},
                                      about);
    first += count;
  }
  return said;
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

SignalAmount write(const SignalRecordingJob& job, const SignalAbout& about, const std::vector<Sequence>& sequences,
                   const SignalJournal& journal) {
  std::size_t at = 0;
  return write_signals(job.output, about, [&](std::string& hash, std::string& tokens) {
    if (at == sequences.size()) return false;
    hash = sequences[at++].hash;
    tokens = journal.tokens(hash);
    return true;
  });
}

SignalAmount run(const SignalRecordingJob& job, const RunHooks& hooks) {
  if (job.top_k < 1) throw std::invalid_argument("top_k: expected at least 1, found " + std::to_string(job.top_k));
  if (job.batch_size < 1)
    throw std::invalid_argument("batch_size: expected at least 1, found " + std::to_string(job.batch_size));
  use_threads(job.threads);
  const torch::Device device = device_of(job.device);
  CallModule teacher = load_call_module(job.teacher);
  teacher.decoder->to(device);
  const Corpus corpus = tokenised(read_labelled_rows(job.dataset / "train.jsonl"), teacher.contract, teacher.tokenizer,
                                  {teacher.decoder->config().max_positions, 0, job.max_rejected_share}, hooks);
  const std::int64_t vocabulary = teacher.decoder->config().vocabulary_size;
  const SignalAbout about{std::min(job.top_k, vocabulary), vocabulary, host::sha256(teacher.tokenizer.to_json())};
  SignalJournal journal(job.work / "signals.journal", about);
  if (journal.size() > 0) hooks.log(std::to_string(journal.size()) + " rows are known from an earlier run");
  const auto batches = batches_of(corpus.sequences, job.batch_size);
  for (std::size_t i = 0; i < batches.size(); ++i) {
    hooks.throw_if_stopped();
    const bool known = std::all_of(batches[i].begin(), batches[i].end(),
                                   [&](std::size_t row) { return journal.knows(corpus.sequences[row].hash); });
    if (!known) journal.add(ask(*teacher.decoder, corpus.sequences, batches[i], job, about));
    hooks.progress("asking the teacher", static_cast<std::int64_t>(i) + 1, static_cast<std::int64_t>(batches.size()),
                   "batches");
  }
  return write(job, about, corpus.sequences, journal);
}

}  // namespace

SignalAmount record_signals(const SignalRecordingJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
