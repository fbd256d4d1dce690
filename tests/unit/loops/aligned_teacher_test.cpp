// A teacher with a tokenizer of its own: which of its rows stand beside the student's, from the data set on, and what
// it says there, computed one token after the other.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "distill_fixture.h"
#include "train/text_spans.h"

namespace retort::train {
namespace {

using testing::distil;
using testing::distill_job;
using testing::DistillLoopJob;
using testing::FakeDistill;
using testing::logits_after;
using testing::SeenDistill;
using testing::Workplace;

struct NewModelJob : FineTuningJob {
  std::filesystem::path policy;  ///< what Workplace::job sets
};

/// A model of the workplace's task whose tokenizer knows `vocabulary` tokens.
std::filesystem::path other_model(const Workplace& place, const std::string& name, std::int64_t vocabulary) {
  FineTuningJob job = place.job<NewModelJob>(name, 2);
  job.model = {.vocabulary_size = vocabulary,
               .hidden_size = 24,
               .layers = 1,
               .heads = 2,
               .kv_heads = 2,
               .intermediate_size = 32,
               .max_positions = 96};
  testing::Recorder recorder;
  fine_tune(job, recorder.hooks());
  return job.output;
}

void ask_for_spans(FakeDistill& loss) {
  loss.signals = RETORT_SIGNAL_TEACHER_SPANS | RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_LABELS;
  loss.flags = RETORT_DISTILL_WHOLE_SEQUENCES;
}

std::string text_of(const CallModule& model, const std::vector<std::int64_t>& tokens, std::int64_t first,
                    std::int64_t count) {
  std::string text;
  for (std::int64_t i = first; i < first + count; ++i)
    text += written_bytes(model.tokenizer, {static_cast<text::TokenId>(tokens.at(static_cast<std::size_t>(i)))})[0];
  return text;
}

TEST(AlignedTeacher, RowsOfAnotherTokenizerStandBesideTheStudents) {
  const Workplace place;
  const std::filesystem::path teacher = other_model(place, "teacher", 276);
  FakeDistill loss;
  ask_for_spans(loss);
  DistillLoopJob job = distill_job(place, "aligned", 1, teacher, loss);
  job.student = place.policy();
  distil(job);
  const CallModule own = load_call_module(place.policy()), other = load_call_module(teacher);
  ASSERT_NE(own.tokenizer.to_json(), other.tokenizer.to_json());
  const SeenDistill& seen = loss.seen.at(0);
  const std::vector<std::int64_t>&labels = seen.integers.at("labels"), &theirs = seen.integers.at("teacher0.labels"),
        &spans = seen.integers.at("teacher0.spans");
  EXPECT_NE(labels.size(), theirs.size());
  std::int64_t row = 0, their_row = 0, unequal = 0;
  for (std::size_t m = 0; m < spans.size(); m += 4) {
    ASSERT_EQ(spans[m], row);
    ASSERT_EQ(spans[m + 2], their_row);
    EXPECT_EQ(text_of(own, labels, row, spans[m + 1]), text_of(other, theirs, their_row, spans[m + 3]));
    row += spans[m + 1];
    their_row += spans[m + 3];
    unequal += spans[m + 1] != spans[m + 3] ? 1 : 0;
  }
  EXPECT_EQ(row, static_cast<std::int64_t>(labels.size()));
  EXPECT_EQ(their_row, static_cast<std::int64_t>(theirs.size()));
  EXPECT_GT(unequal, 0);

  // What the teacher says at its own rows, with its own prompt before them.
  const std::vector<float>& logits = seen.floats.at("teacher0.logits");
  const std::size_t width = logits.size() / theirs.size();
  std::size_t at = 0;
  for (const Sequence& sequence :
       to_sequences(task::read_split(job.dataset / "train.jsonl").examples, other.contract, other.tokenizer, 96)) {
    if (at >= theirs.size() || sequence.response.front() != theirs[at]) continue;
    if (!std::equal(sequence.response.begin(), sequence.response.end(),
                    theirs.begin() + static_cast<std::ptrdiff_t>(at)))
      continue;
    std::vector<std::int64_t> prefix(sequence.prompt.begin(), sequence.prompt.end());
    for (const text::TokenId token : sequence.response) {
      const std::vector<float> expected = logits_after(teacher, prefix);
      ASSERT_EQ(expected.size(), width);
      for (std::size_t v = 0; v < width; ++v) ASSERT_NEAR(logits[at * width + v], expected[v], 1e-4) << at;
      prefix.push_back(token);
      ++at;
    }
    break;  // the first sequence of the batch
  }
  EXPECT_GT(at, 0u);
}

TEST(AlignedTeacher, OneTokenizerTwiceIsRowByRow) {
  const Workplace place;
  const std::filesystem::path teacher = testing::trained_teacher(place, "teacher", 3);
  FakeDistill by_text, by_row;
  ask_for_spans(by_text);
  by_row.signals |= RETORT_SIGNAL_LABELS;
  DistillLoopJob job = distill_job(place, "by_text", 1, teacher, by_text);
  job.student = place.policy();
  distil(job);
  distil(distill_job(place, "by_row", 1, teacher, by_row));
  const SeenDistill &text = by_text.seen.at(0), &row = by_row.seen.at(0);
  EXPECT_EQ(text.integers.at("teacher0.labels"), row.integers.at("labels"));
  EXPECT_EQ(text.floats.at("teacher0.logits"), row.floats.at("teacher0.logits"));
  const std::vector<std::int64_t>& spans = text.integers.at("teacher0.spans");
  ASSERT_EQ(spans.size(), 4 * row.integers.at("labels").size());
  for (std::size_t m = 0; m < spans.size() / 4; ++m) {
    const auto n = static_cast<std::int64_t>(m);
    EXPECT_EQ(std::vector<std::int64_t>(spans.begin() + 4 * static_cast<std::ptrdiff_t>(m),
                                        spans.begin() + 4 * static_cast<std::ptrdiff_t>(m) + 4),
              (std::vector<std::int64_t>{n, 1, n, 1}));
  }
}

TEST(AlignedTeacher, WhatCannotBeAlignedIsRefused) {
  const Workplace place;
  const std::filesystem::path teacher = other_model(place, "teacher", 276);
  const auto failure = [&](const std::function<void(DistillLoopJob&)>& change) {
    FakeDistill loss;
    ask_for_spans(loss);
    DistillLoopJob job = distill_job(place, "refused", 1, teacher, loss);
    job.student = place.policy();
    change(job);
    try {
      distil(job);
    } catch (const std::exception& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(failure([](DistillLoopJob& job) { job.student.reset(); }).find("input \"student\""), std::string::npos);
  EXPECT_NE(failure([](DistillLoopJob& job) { job.prompt_loss_weight = .5; }).find("prompt_loss_weight"),
            std::string::npos);
  EXPECT_NE(failure([](DistillLoopJob& job) { job.signals = "/nowhere"; }).find("asks for"), std::string::npos);
  FakeDistill plain;  // a loss by rows still wants one tokenizer
  DistillLoopJob job = distill_job(place, "plain", 1, teacher, plain);
  job.student = place.policy();
  EXPECT_THROW(distil(job), std::invalid_argument);
}

}  // namespace
}  // namespace retort::train
