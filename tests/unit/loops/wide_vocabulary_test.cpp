// Distillation with vocabularies so wide that a batch's logits are never in memory as a whole: the numbers of all at
// once, and how much is held.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>

#include "distill_fixture.h"
#include "host/base/files.h"
#include "train/data_parallel.h"
#include "train/distillation_step.h"
#include "train/parameter_groups.h"

namespace retort::train {
namespace {

using testing::Workplace;

/// Half the squared distance of the logits, times the mask: little memory of its own.
retort_error* lean_requirements(retort_instance*, const retort_distill_setup*, retort_distill_requirements* out) {
  out->signals = RETORT_SIGNAL_TEACHER_LOGITS;
  return nullptr;
}

retort_error* lean_loss(retort_instance* instance, const retort_distill_batch* batch, retort_distill_result* result) {
  const auto floats = [](const retort_tensor* tensor) { return static_cast<float*>(tensor->data); };
  const retort_tensor& z = *batch->student_logits;
  result->loss = 0;
  for (std::int64_t n = 0; n < z.shape[0]; ++n)
    for (std::int64_t v = 0; v < z.shape[1]; ++v) {
      const std::int64_t at = n * z.shape[1] + v;
      const float miss = floats(&z)[at] - floats(batch->teachers->logits)[at], weight = floats(batch->mask)[n];
      floats(result->logits_gradient)[at] = weight * miss;
      result->loss += static_cast<double>(weight * miss * miss / 2);
    }
  ++*reinterpret_cast<std::int64_t*>(instance);  // calls
  return nullptr;
}

/// A loss by pieces of text: half the squared distance of what both models give to the labels of a piece, in sum.
retort_error* pieces_requirements(retort_instance*, const retort_distill_setup*, retort_distill_requirements* out) {
  out->signals = RETORT_SIGNAL_TEACHER_SPANS | RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_LABELS;
  out->flags = RETORT_DISTILL_WHOLE_SEQUENCES;
  return nullptr;
}

retort_error* pieces_loss(retort_instance* instance, const retort_distill_batch* batch, retort_distill_result* result) {
  const auto floats = [](const retort_tensor* tensor) { return static_cast<float*>(tensor->data); };
  const auto integers = [](const retort_tensor* tensor) { return static_cast<const std::int64_t*>(tensor->data); };
  const retort_distill_teacher& teacher = *batch->teachers;
  const auto at_label = [&](const retort_tensor* logits, const retort_tensor* labels, std::int64_t row) {
    return row * logits->shape[1] + integers(labels)[row];
  };
  float* gradient = floats(result->logits_gradient);
  std::fill_n(gradient, batch->student_logits->shape[0] * batch->student_logits->shape[1], 0.0F);
  result->loss = 0;
  for (std::int64_t m = 0; m < teacher.spans->shape[0]; ++m) {
    const std::int64_t* span = integers(teacher.spans) + 4 * m;
    float miss = 0;
    for (std::int64_t n = span[0]; n < span[0] + span[1]; ++n)
      miss += floats(batch->student_logits)[at_label(batch->student_logits, batch->labels, n)];
    for (std::int64_t n = span[2]; n < span[2] + span[3]; ++n)
      miss -= floats(teacher.logits)[at_label(teacher.logits, teacher.labels, n)];
    for (std::int64_t n = span[0]; n < span[0] + span[1]; ++n)
      gradient[at_label(batch->student_logits, batch->labels, n)] = miss;
    result->loss += static_cast<double>(miss * miss / 2);
  }
  ++*reinterpret_cast<std::int64_t*>(instance);  // calls
  return nullptr;
}

Sequence sequence_of(std::size_t number, std::size_t answers) {
  Sequence sequence;
  for (std::size_t t = 0; t <= answers; ++t)
    (t == 0 ? sequence.prompt : sequence.response).push_back(static_cast<text::TokenId>((31 * number + 7 * t) % 1000));
  sequence.hash = std::to_string(number);
  return sequence;
}

/// One step of a student of `vocabulary` tokens on sequences of so many answers.
struct WideStep {
  WideStep(const Workplace& place, std::int64_t vocabulary, const std::vector<std::size_t>& answers) {
    model::ModelConfig config = load_call_module(place.policy()).decoder->config();
    config.vocabulary_size = vocabulary;
    config.max_positions = 512;
    student = std::make_unique<DecoderModule>(config, 1);
    teacher = std::make_unique<DecoderModule>(config, 2);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      sequences.push_back(sequence_of(i, answers[i]));
      batch.push_back(i);
    }
  }
  /// From here on by pieces: the teacher, of `vocabulary` tokens, reads the sequences as so many of its own. A piece is
  /// a token of either, the last one all that the longer has more.
  void by_pieces(std::int64_t vocabulary, const std::vector<std::size_t>& answers) {
    model::ModelConfig config = teacher->config();
    config.vocabulary_size = vocabulary;
    teacher = std::make_unique<DecoderModule>(config, 3);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      aligned.sequences.push_back(sequence_of(i + 100, answers[i]));
      const auto own = static_cast<std::int64_t>(sequences[i].response.size());
      const auto theirs = static_cast<std::int64_t>(answers[i]), pieces = std::min(own, theirs);
      std::vector<TextSpan>& spans = aligned.spans.emplace_back();
      for (std::int64_t p = 0; p < pieces; ++p)
        spans.push_back({p, p + 1 < pieces ? 1 : own - p, p, p + 1 < pieces ? 1 : theirs - p});
    }
  }
  /// The loss, the student's gradients by name, and the calls that it took.
  std::map<std::string, torch::Tensor> gradients(std::int64_t micro_batch_size, double& loss, std::int64_t& calls) {
    static const retort_distill_v1 by_row{RETORT_DISTILL_V1_SIZE, 0, lean_requirements, nullptr, lean_loss};
    static const retort_distill_v1 by_piece{RETORT_DISTILL_V1_SIZE, 0, pieces_requirements, nullptr, pieces_loss};
    const retort_distill_v1& table = aligned.spans.empty() ? by_row : by_piece;
    calls = 0;
    const host::DistillSetup setup{{2, 16, 8}, {{2, 16, 8}}, 1, 1};
    std::vector<host::DistillCall> instances;
    instances.emplace_back("distill.lean", reinterpret_cast<retort_instance*>(&calls), table);
    LossInstances losses(std::move(instances), setup);
    ParameterGroups groups({decoder_group(*student)});
    DataParallel parallel(groups, 1);
    DistillationParts parts{.student = *student, .sequences = sequences, .losses = losses};
    parts.teachers.push_back({.decoder = teacher.get(), .aligned = aligned.spans.empty() ? nullptr : &aligned});
    parts.training.micro_batch_size = micro_batch_size;
    DistillationStep step(std::move(parts), parallel);
    MetricMap metrics;
    loss = step.accumulate(batch, 0, metrics);
    std::map<std::string, torch::Tensor> found;
    for (const auto& [name, tensor] : decoder_group(*student).tensors) {
      found[name] = tensor.grad().clone();
      tensor.mutable_grad() = torch::Tensor();
    }
    return found;
  }
  std::unique_ptr<DecoderModule> student, teacher;
  std::vector<Sequence> sequences;
  AlignedRows aligned;
  std::vector<std::size_t> batch;
};

/// "VmRSS" or "VmHWM" of this process, in bytes.
std::int64_t memory(const std::string& which) {
  const std::string status = host::read_file("/proc/self/status");
  return 1024 * std::stoll(status.substr(status.find(which + ":") + which.size() + 1));
}

/// `with_rows`: sequences of which a call is made.
void expect_chunks_and_sequences_agree(WideStep& step, std::int64_t expected_chunks, std::int64_t with_rows) {
  double together = 0, apart = 0;
  std::int64_t chunks = 0, calls = 0;
  const auto chunked = step.gradients(0, together, chunks), whole = step.gradients(1, apart, calls);
  EXPECT_EQ(chunks, expected_chunks);
  EXPECT_EQ(calls, with_rows);  // each in one call
  EXPECT_GT(apart, 0);
  EXPECT_NEAR(together, apart, 1e-5 * apart);
  for (const auto& [name, gradient] : whole)  // sums of f32 in another order, so elements near 0 differ relatively
    EXPECT_LT((chunked.at(name) - gradient).norm().item<double>(), 1e-5 * gradient.norm().item<double>()) << name;
}

/// Bytes above the models that a step takes at its peak.
std::int64_t peak_of(WideStep& step, std::int64_t& calls) {
  std::ofstream("/proc/self/clear_refs") << 5;  // forgets the peak so far
  const std::int64_t before = memory("VmRSS");
  double loss = 0;
  step.gradients(0, loss, calls);
  const std::int64_t above = memory("VmHWM") - before;
  ::testing::Test::RecordProperty("megabytes_above_the_models", static_cast<int>(above / 1'000'000));
  std::printf("%.0f MB above the models in %ld calls\n", static_cast<double>(above) / 1e6, static_cast<long>(calls));
  return above;
}

TEST(WideVocabulary, RowsInChunksGiveTheGradientsOfAllAtOnce) {
  const Workplace place;
  WideStep step(place, 60'000, std::vector<std::size_t>(6, 64));  // 384 rows, 23 million logits
  expect_chunks_and_sequences_agree(step, 2, 6);
}

TEST(WideVocabulary, AStepHoldsAtMostAPartOfTheLogits) {
  const Workplace place;
  WideStep step(place, 151'936, std::vector<std::size_t>(8, 64));  // logits of one model alone are 311 MB
  std::int64_t calls = 0;
  EXPECT_LT(peak_of(step, calls), 1'200'000'000);
  EXPECT_GT(calls, 4);
}

TEST(WideVocabulary, PiecesInChunksOfSequencesGiveTheGradientsOfAllAtOnce) {
  const Workplace place;
  WideStep step(place, 60'000, {64, 64, 300, 64, 64});  // 279 rows of the student are a chunk,
  step.by_pieces(61'000, {50, 70, 200, 280, 40});       // 275 of the teacher: 0 and 1, and every other one alone
  expect_chunks_and_sequences_agree(step, 4, 5);
}

TEST(WideVocabulary, PiecesOfEverySequenceAreComparedOnce) {
  const Workplace place;
  WideStep step(place, 60'000, {64, 0, 250, 0, 64, 0});  // answers that the student reads as nothing have no piece
  step.by_pieces(50'000, {50, 1, 200, 2, 40, 3});
  for (const std::size_t empty : {1u, 3u, 5u}) step.aligned.spans[empty].clear();
  expect_chunks_and_sequences_agree(step, 3, 3);  // 279 rows are a chunk: 0 and 1, 2 and 3, 4 and 5
}

TEST(WideVocabulary, AStepByPiecesHoldsAtMostAPartOfTheLogits) {
  const Workplace place;
  WideStep step(place, 151'936, std::vector<std::size_t>(8, 64));  // logits of both models are 646 MB
  step.by_pieces(163'840, std::vector<std::size_t>(8, 64));
  std::int64_t calls = 0;
  EXPECT_LT(peak_of(step, calls), 500'000'000);
  EXPECT_EQ(calls, 8);  // two sequences are more than a chunk
}

}  // namespace
}  // namespace retort::train
