#include "train/distillation_step.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <retort/torch.hpp>
#include <sstream>
#include <stdexcept>

#include "host/plugin/signal_names.h"
#include "train/row_chunks.h"
#include "train/top_tokens.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;

/// A model's states at the rows of a batch.
struct RowStates {
  Tensor last;                   ///< [N,D] after the final norm
  std::vector<Tensor> declared;  ///< [Lh] of [N,D] f32
};

/// `outputs`: which to keep, as hidden_output() numbers them.
RowStates states_of(DecoderModule& decoder, const BatchRows& rows, const std::vector<std::int64_t>& outputs,
                    const Dropout& dropout = {}) {
  std::vector<Tensor> layers;
  const auto at_rows = [&](const Tensor& x) { return x.reshape({-1, x.size(-1)}).index_select(0, rows.index); };
  RowStates states{at_rows(decoder.hidden(rows.ids, dropout, outputs.empty() ? nullptr : &layers)), {}};
  for (const std::int64_t output : outputs) {
    const bool last = output == decoder.config().layers;
    const Tensor chosen = last ? states.last : at_rows(layers[static_cast<std::size_t>(output)]);
    states.declared.push_back(chosen.to(torch::kFloat32));
  }
  return states;
}

bool wants_logits(const host::DistillRequirements& wanted) {
  return wanted.wants(RETORT_SIGNAL_TEACHER_LOGITS) || wanted.wants(RETORT_SIGNAL_TEACHER_TOP_K);
}

/// The rows in the teacher's ids.
BatchRows as_read_by(const WeightedTeacher& teacher, BatchRows rows) {
  if (teacher.ids.defined()) rows.ids = teacher.ids.index_select(0, rows.ids.flatten()).view_as(rows.ids);
  return rows;
}

/// Rows [first, first + count) of a tensor; undefined where it is.
Tensor narrowed(const Tensor& tensor, std::int64_t first, std::int64_t count) {
  return tensor.defined() ? tensor.narrow(0, first, count) : tensor;
}

/// Σ mask · −log π(label), for comparison.
double cross_entropy_of(const DistillTensors& tensors) {
  const torch::NoGradGuard no_grad;
  const Tensor losses = torch::cross_entropy_loss(tensors.student_logits, tensors.labels, {}, at::Reduction::None);
  return (losses * tensors.mask).sum().item<double>();
}

constexpr std::int64_t most_new_tokens = 64;  // of the student's own answers

std::int64_t longest_prompt(const std::vector<Sequence>& sequences) {
  std::size_t longest = 1;
  for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.prompt.size());
  return static_cast<std::int64_t>(longest);
}

/// Σ weights of the rows that the chosen sequences make.
double weight_of(const std::vector<Sequence>& sequences, const std::vector<std::size_t>& chosen) {
  double total = 0;
  for (const std::size_t i : chosen) total += sequences[i].label_weight();
  return total;
}

}  // namespace

void expect_recorded(const host::DistillCall& call, const host::DistillRequirements& wanted, std::int64_t top_k,
                     bool ask) {
  constexpr std::uint64_t offered = RETORT_SIGNAL_TEACHER_TOP_K | RETORT_SIGNAL_LABELS;
  if (const std::string missing = host::unknown_signals(wanted.signals, offered); !missing.empty())
    throw std::invalid_argument(call.id() + ": asks for " + missing + "; recorded signals offer " +
                                host::signal_names(offered) + ": give a teacher instead");
  if (wanted.top_k > top_k)
    throw std::invalid_argument(call.id() + ": asks for the " + std::to_string(wanted.top_k) +
                                " most likely tokens; the signals hold " + std::to_string(top_k));
  if (wanted.on_policy_fraction > 0 && !ask)
    throw std::invalid_argument(call.id() +
                                ": asks for answers of the student; recorded signals do not judge them: set "
                                "unrecorded to \"ask\", or on_policy_fraction to 0");
}

LossInstances::LossInstances(std::vector<host::DistillCall> calls, const host::DistillSetup& setup)
    : calls_(std::move(calls)), pool_(calls_) {
  if (calls_.empty()) throw std::invalid_argument("expected at least one instance of the loss");
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    host::DistillRequirements answer = calls_[i].requirements(&setup);
    if (i == 0) wanted_ = std::move(answer);
  }
}

std::vector<ParameterGroup> loss_groups(const LossInstances& losses, const host::DistillSetup& setup,
                                        torch::Device device) {
  std::vector<ParameterGroup> groups;
  const std::vector<host::DistillParameter>& declared = losses.wanted().parameters;
  for (std::size_t i = 0; i < declared.size(); ++i) {
    Tensor value = torch::empty(declared[i].shape, torch::kFloat32);
    const retort_tensor view = lend(value);
    losses.first().initialise(setup, i, view);
    groups.push_back({"loss." + declared[i].name, {{"value", value.to(device).set_requires_grad(true)}}});
  }
  return groups;
}

std::string scale_warning(double loss, double cross_entropy) {
  constexpr double three_orders = 1000;
  const double ratio = std::abs(loss) / cross_entropy;
  if (loss == 0 || !(cross_entropy > 0) || (ratio < three_orders && ratio > 1 / three_orders)) return "";
  std::ostringstream text;
  text << "warning: the distillation's loss begins at " << loss << ", the cross-entropy of the labels at "
       << cross_entropy << ": three orders apart, so that learning_rate, gradient_clip and the weights of mixed losses "
       << "hardly fit both; look at the loss's temperature, its factor for it, and what it is divided by";
  return text.str();
}

struct DistillationStep::Data {
  const std::vector<Sequence>& sequences;
  const std::vector<std::size_t>& chosen;
  std::int64_t step;
  double weight;  ///< Σ mask
  bool on_policy;
};

/// What the loss wants of a teacher's rows, from their states after the final norm [N,D].
void DistillationStep::add_token_signals(const WeightedTeacher& teacher, const Tensor& last,
                                         TeacherSignals& signals) const {
  const host::DistillRequirements& wanted = parts_.losses.wanted();
  if (!wants_logits(wanted)) return;
  const Tensor logits = teacher.decoder->logits(last);
  const auto of_students_tokens = [&](const Tensor& all) {
    return teacher.ids.defined() ? all.index_select(1, teacher.ids) : all;
  };
  if (wanted.wants(RETORT_SIGNAL_TEACHER_LOGITS)) signals.logits = of_students_tokens(logits);
  if (wanted.wants(RETORT_SIGNAL_TEACHER_TOP_K)) {
    const Tensor log_probs = of_students_tokens(torch::log_softmax(logits, -1));
    std::tie(signals.top_log_probs, signals.top_ids) = log_probs.topk(std::min(wanted.top_k, log_probs.size(1)));
    signals.tail = tail_mass(signals.top_log_probs);
  }
}

/// In host memory, where the loss reads them.
TeacherSignals DistillationStep::recorded_signals(const WeightedTeacher& teacher, const Data& data,
                                                  std::span<const std::size_t> part) const {
  std::vector<std::int64_t> ids;
  std::vector<float> log_probs, tail;
  for (const std::size_t i : part) {
    const RecordedSignals::Rows rows = teacher.recorded->of(data.sequences[i]);
    ids.insert(ids.end(), rows.top_ids.begin(), rows.top_ids.end());
    log_probs.insert(log_probs.end(), rows.top_log_probs.begin(), rows.top_log_probs.end());
    tail.insert(tail.end(), rows.tail.begin(), rows.tail.end());
  }
  const std::int64_t kept = parts_.losses.wanted().top_k;
  const auto first = [&](const Tensor& all) {
    return all.view({-1, teacher.recorded->top_k()}).narrow(1, 0, kept).contiguous();
  };
  TeacherSignals signals;
  signals.weight = teacher.weight;
  signals.top_ids = first(torch::tensor(ids, torch::kInt64));
  signals.top_log_probs = first(torch::tensor(log_probs, torch::kFloat32));
  signals.tail =
      kept == teacher.recorded->top_k() ? torch::tensor(tail, torch::kFloat32) : tail_mass(signals.top_log_probs);
  return signals;
}

/// What a call of the loss gets beside logits, states and teachers.
DistillTensors DistillationStep::described(const Data& data, const BatchRows& rows) const {
  DistillTensors tensors;
  tensors.on_policy = data.on_policy;
  tensors.labels = rows.labels;
  tensors.mask = rows.weights;
  tensors.sequences = rows.sequences;
  tensors.positions = rows.positions;
  tensors.lengths = rows.lengths;
  tensors.parameters = parts_.loss_parameters;
  tensors.step = data.step;
  tensors.total_steps = parts_.total_steps;
  tensors.step_sequences = static_cast<std::int64_t>(data.chosen.size());
  tensors.step_weight = data.weight;
  return tensors;
}

bool DistillationStep::is_recorded(const WeightedTeacher& teacher, const Data& data,
                                   std::span<const std::size_t> part) const {
  return teacher.recorded != nullptr && std::all_of(part.begin(), part.end(), [&](std::size_t at) {
           return teacher.recorded->holds(data.sequences[at]);
         });
}

/// What of every teacher is known before its logits: what it said once, or its states.
struct DistillationStep::HeldTeacher {
  TeacherSignals said;
  Tensor last;  ///< [N,D] after the final norm; undefined where no logits are to be made
  // Of a teacher with a tokenizer of its own, where sequences begin among:
  SequenceBegins students;  ///< the student's rows
  SequenceBegins own;       ///< the teacher's
  SequenceBegins spans;     ///< said.spans
};

/// Of a teacher whose rows are other tokens than the student's; `said.spans` counts the rows of the whole part.
DistillationStep::HeldTeacher DistillationStep::hold_aligned(const WeightedTeacher& teacher, const Data& data,
                                                             std::span<const std::size_t> part) const {
  const BatchRows rows = to(batch_rows(teacher.aligned->sequences, part), teacher.decoder->device());
  HeldTeacher held{.students = {0}, .own = {0}, .spans = {0}};
  std::vector<std::int64_t> spans;
  for (const std::size_t i : part) {
    const std::int64_t row = held.students.back(), own_row = held.own.back();
    for (const TextSpan& span : teacher.aligned->spans[i])
      spans.insert(spans.end(), {row + span.student, span.student_tokens, own_row + span.teacher, span.teacher_tokens});
    held.students.push_back(row + static_cast<std::int64_t>(data.sequences[i].response.size()));
    held.own.push_back(own_row + static_cast<std::int64_t>(teacher.aligned->sequences[i].response.size()));
    held.spans.push_back(static_cast<std::int64_t>(spans.size() / 4));
  }
  held.said.weight = teacher.weight;
  held.said.labels = rows.labels;
  held.said.spans = torch::tensor(spans, torch::kInt64).view({-1, 4});
  held.last = states_of(*teacher.decoder, rows, {}).last;
  return held;
}

/// What it says of the sequences that make the student's rows [first, first + count): its own rows of them with their
/// logits, and their spans counted from these rows.
TeacherSignals DistillationStep::aligned_signals(const WeightedTeacher& teacher, const HeldTeacher& held,
                                                 std::int64_t first, std::int64_t count) {
  // Between equal begins stand sequences without rows: those at the end belong to the last chunk.
  const auto sequence_at = [&students = held.students](std::int64_t row) {
    const auto at = row == students.back() ? students.end() - 1 : std::ranges::lower_bound(students, row);
    return static_cast<std::size_t>(at - students.begin());
  };
  const std::size_t begin = sequence_at(first), end = sequence_at(first + count);
  const std::int64_t row = held.own[begin], rows = held.own[end] - row;
  const std::int64_t span = held.spans[begin], spans = held.spans[end] - span;
  TeacherSignals signals = held.said;
  signals.labels = held.said.labels.narrow(0, row, rows);
  signals.spans =
      held.said.spans.narrow(0, span, spans) - torch::tensor({first, std::int64_t{0}, row, std::int64_t{0}});
  signals.logits = teacher.decoder->logits(held.last.narrow(0, row, rows));
  return signals;
}

std::vector<DistillationStep::HeldTeacher> DistillationStep::hold_teachers(const Data& data,
                                                                           std::span<const std::size_t> part,
                                                                           const BatchRows& rows) const {
  const torch::NoGradGuard no_grad;
  const MixedPrecision mixed(parts_.training.precision, parts_.student.device());
  const host::DistillRequirements& wanted = parts_.losses.wanted();
  std::vector<HeldTeacher> held;
  for (std::size_t i = 0; i < parts_.teachers.size(); ++i) {
    const WeightedTeacher& teacher = parts_.teachers[i];
    HeldTeacher& one = held.emplace_back();
    one.said.weight = teacher.weight;
    if (is_recorded(teacher, data, part)) {
      one.said = recorded_signals(teacher, data, part);
    } else if (teacher.aligned != nullptr) {
      one = hold_aligned(teacher, data, part);
    } else if (wants_logits(wanted) || !wanted.teacher_layers[i].empty()) {
      RowStates states = states_of(*teacher.decoder, as_read_by(teacher, rows), wanted.teacher_layers[i]);
      one.said.hidden = std::move(states.declared);
      if (wants_logits(wanted)) one.last = std::move(states.last);
    }
  }
  return held;
}

/// Rows [first, first + count) of everything but what the student says.
DistillTensors DistillationStep::chunk(const Data& data, const BatchRows& rows, const std::vector<HeldTeacher>& held,
                                       std::int64_t first, std::int64_t count) const {
  const torch::NoGradGuard no_grad;
  const MixedPrecision mixed(parts_.training.precision, parts_.student.device());
  DistillTensors tensors = described(data, rows);
  for (Tensor* all : {&tensors.labels, &tensors.mask, &tensors.sequences, &tensors.positions, &tensors.lengths})
    *all = narrowed(*all, first, count);
  for (std::size_t i = 0; i < held.size(); ++i) {
    if (parts_.teachers[i].aligned != nullptr) {
      tensors.teachers.push_back(aligned_signals(parts_.teachers[i], held[i], first, count));
      continue;
    }
    TeacherSignals& teacher = tensors.teachers.emplace_back(held[i].said);
    for (Tensor* all : {&teacher.top_ids, &teacher.top_log_probs, &teacher.tail}) *all = narrowed(*all, first, count);
    for (Tensor& hidden : teacher.hidden) hidden = narrowed(hidden, first, count);
    if (held[i].last.defined()) add_token_signals(parts_.teachers[i], held[i].last.narrow(0, first, count), teacher);
  }
  return tensors;
}

/// Of the rows whose logits are in memory together (row_chunks.h). What is compared piece by piece is cut between
/// sequences, as a teacher's rows are other tokens.
std::vector<std::int64_t> DistillationStep::borders_of(const BatchRows& rows,
                                                       const std::vector<HeldTeacher>& held) const {
  std::int64_t vocabulary = parts_.student.config().vocabulary_size;
  const SequenceBegins* students = nullptr;
  std::vector<SequenceRows> readers;
  for (std::size_t i = 0; i < held.size(); ++i) {
    const WeightedTeacher& teacher = parts_.teachers[i];
    if (teacher.decoder == nullptr) continue;
    const std::int64_t its = teacher.decoder->config().vocabulary_size;
    if (teacher.aligned == nullptr) {
      vocabulary = std::max(vocabulary, its);
    } else {
      students = &held[i].students;
      readers.push_back({held[i].own, logit_rows(its)});
    }
  }
  if (students == nullptr)
    return logit_chunks(rows.index.size(0), vocabulary,
                        parts_.losses.wanted().whole_sequences() ? rows.sequences : Tensor());
  if (students->back() != rows.index.size(0))
    throw std::logic_error("pieces of text are of " + std::to_string(students->back()) + " rows, the batch has " +
                           std::to_string(rows.index.size(0)));
  readers.insert(readers.begin(), {*students, logit_rows(vocabulary)});
  return chunk_borders(readers);
}

Tensor DistillationStep::loss_of(const Data& data, std::span<const std::size_t> part, const Dropout& dropout,
                                 MetricMap& report) {
  const host::DistillRequirements& wanted = parts_.losses.wanted();
  const BatchRows rows =
      to(batch_rows(data.sequences, part, part.data() - data.chosen.data()), parts_.student.device());
  if (rows.index.size(0) == 0) return {};
  const std::vector<HeldTeacher> held = hold_teachers(data, part, rows);
  std::vector<Tensor> by_row;
  {
    const MixedPrecision mixed(parts_.training.precision, parts_.student.device());
    RowStates states = states_of(parts_.student, rows, wanted.student_layers, dropout);
    by_row = std::move(states.declared);
    by_row.insert(by_row.begin(), states.last);
  }
  std::vector<Tensor> shared = parts_.loss_parameters;
  shared.push_back(parts_.student.weight(parts_.student.config().tie_word_embeddings ? "model.embed_tokens.weight"
                                                                                     : "lm_head.weight"));
  const auto loss = [&](std::int64_t first, std::int64_t count, const std::vector<Tensor>& student) {
    DistillTensors tensors = chunk(data, rows, held, first, count);
    {
      const MixedPrecision mixed(parts_.training.precision, parts_.student.device());
      tensors.student_logits = parts_.student.logits(student.front());
    }
    tensors.student_hidden.assign(student.begin() + 1, student.end());
    if (data.step < steps_with_cross_entropy) report["cross_entropy"] += cross_entropy_of(tensors);
    if (data.step % steps_between_top_tokens == 0 && wanted.wants(RETORT_SIGNAL_TEACHER_LOGITS) && wanted.top_k == 0)
      report_top_tokens(tensors, report);
    const InstancePool<host::DistillCall>::Lease call(parts_.losses.pool());
    return distill_loss(*call, wanted, tensors, report) / data.weight;
  };
  return summed_by_chunks(by_row, shared, borders_of(rows, held), loss);
}

DistillationStep::DistillationStep(DistillationParts parts, DataParallel& parallel)
    : parts_(std::move(parts)),
      parallel_(parallel),
      engine_(parts_.student, parts_.threads, longest_prompt(parts_.sequences) + most_new_tokens) {}

/// The batch's prompts with answers of the student (GKD, arXiv 2306.13649, algorithm 1) or of a teacher (Kim and Rush,
/// arXiv 1606.07947, section 3.2). Those that end before their first token, or do not end, are counted.
std::vector<Sequence> DistillationStep::answers(PolicyEngine& engine, double temperature,
                                                const std::vector<std::size_t>& batch, std::int64_t step,
                                                MetricMap& metrics) {
  std::vector<std::vector<text::TokenId>> prompts;
  for (const std::size_t i : batch) prompts.push_back(parts_.sequences[i].prompt);
  const std::vector<runtime::Rollout> responses =
      samples_of_all(parts_.processes, engine, prompts,
                     {.temperature = temperature,
                      .max_new_tokens = most_new_tokens,
                      .end_token = parts_.end_token,
                      .seed = parts_.seed ^ static_cast<std::uint64_t>(step)});
  std::vector<Sequence> data;
  double empty = 0, cut = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    empty += responses[i].tokens.empty() || (responses[i].finished && responses[i].tokens.size() == 1) ? 1 : 0;
    cut += responses[i].finished ? 0 : 1;
    data.push_back({prompts[i], responses[i].tokens, parts_.sequences[batch[i]].example,
                    token_mask(prompts[i].size(), responses[i].tokens.size(), parts_.prompt_loss_weight),
                    sequence_hash(prompts[i], responses[i].tokens)});
  }
  metrics["empty_answers"] = empty / static_cast<double>(batch.size());
  metrics["cut_answers"] = cut / static_cast<double>(batch.size());
  return data;
}

/// Teachers take turns.
PolicyEngine& DistillationStep::teacher_engine(std::int64_t step) {
  teacher_engines_.resize(parts_.teachers.size());
  const auto turn = static_cast<std::size_t>(step) % parts_.teachers.size();
  if (!teacher_engines_[turn])
    teacher_engines_[turn] = std::make_unique<PolicyEngine>(*parts_.teachers[turn].decoder, parts_.threads,
                                                            longest_prompt(parts_.sequences) + most_new_tokens);
  return *teacher_engines_[turn];
}

/// Whether the step is one of `share` of all; of the run's seed and the step alone.
bool DistillationStep::draw(std::uint64_t stream, std::int64_t step, double share) const {
  constexpr std::uint64_t resolution = 1 << 20;
  return static_cast<double>(SeededSequence(parts_.seed + stream, static_cast<std::uint64_t>(step)).below(resolution)) <
         share * static_cast<double>(resolution);
}

double DistillationStep::accumulate(const std::vector<std::size_t>& batch, std::int64_t step, MetricMap& metrics) {
  const bool on_policy = draw(0, step, parts_.losses.wanted().on_policy_fraction);
  const bool by_teacher = !on_policy && draw(1, step, parts_.teacher_answers);
  std::vector<Sequence> sampled;
  std::vector<std::size_t> all(batch.size());
  if (on_policy || by_teacher) {
    sampled = by_teacher ? answers(teacher_engine(step), 0, batch, step, metrics)
                         : answers(engine_, parts_.sampling_temperature, batch, step, metrics);
    std::iota(all.begin(), all.end(), std::size_t{0});
  }
  const bool anew = on_policy || by_teacher;
  const std::vector<Sequence>& sequences = anew ? sampled : parts_.sequences;
  const std::vector<std::size_t>& chosen = anew ? all : batch;
  const Data data{sequences, chosen, step, weight_of(sequences, chosen), on_policy};
  const auto split = parallel_.parts(parts_.processes.share(chosen), parts_.training.micro_batch_size);
  std::vector<MetricMap> reports(split.size());
  const double loss = parallel_.accumulate(split.size(), [&](std::size_t part) {
    const Dropout dropout = dropout_of(parts_.training.dropout, parts_.seed, step, parts_.processes.part(part));
    return loss_of(data, split[part], dropout, reports[part]);
  });
  MetricMap reported;
  for (const MetricMap& report : reports)
    for (const auto& [name, sum] : report) reported[name] += sum / std::max(1.0, data.weight);
  for (const auto& [name, value] : parts_.processes.sum(reported)) metrics[name] += value;
  return loss;
}

}  // namespace retort::train
