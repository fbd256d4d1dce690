// Where a distillation's tokens and answers come from: vocabularies that differ, signals that lack rows, answers that
// the teacher writes anew; and what is refused of these by name.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "distill_fixture.h"
#include "host/base/files.h"
#include "text/vocabulary_cut.h"
#include "train/corpus.h"
#include "train/signal_file.h"
#include "train/signal_recording.h"
#include "train/vocabulary_bridge.h"

namespace retort::train {
namespace {

using testing::distance;
using testing::distill_job;
using testing::DistillLoopJob;
using testing::expected_rows;
using testing::ExpectedRow;
using testing::FakeDistill;
using testing::logits_after;
using testing::SeenDistill;
using testing::trained_teacher;
using testing::Workplace;

/// Losses, metrics and what was logged.
struct Told {
  testing::Recorder recorder;
  std::string log;
};

Told distil_and_tell(const DistillLoopJob& job) {
  Told told;
  RunHooks hooks = told.recorder.hooks();
  hooks.log = [&](std::string_view message) { told.log += std::string(message) + "\n"; };
  distill(job, hooks);
  return told;
}

std::string refusal_of(const DistillLoopJob& job) {
  try {
    distil_and_tell(job);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

std::set<text::TokenId> used_tokens(const Workplace& place, const CallModule& module) {
  std::set<text::TokenId> used;
  for (const Sequence& sequence : to_sequences(task::read_split(place.dataset() / "train.jsonl").examples,
                                               module.contract, module.tokenizer, 96)) {
    used.insert(sequence.prompt.begin(), sequence.prompt.end());
    used.insert(sequence.response.begin(), sequence.response.end());
  }
  return used;
}

/// A model of the workplace's task with the tokens `kept` of its vocabulary and random weights; `padding` further rows.
std::filesystem::path model_of(const Workplace& place, const std::string& name, const std::vector<text::TokenId>& kept,
                               std::int64_t padding) {
  const CallModule module = load_call_module(place.policy());
  model::ModelConfig config = module.decoder->config();
  config.vocabulary_size = static_cast<std::int64_t>(kept.size()) + padding;
  const std::filesystem::path folder = place.dataset().parent_path() / name;
  std::filesystem::create_directories(folder);
  save_call_module(folder, DecoderModule(config, 11), text::cut_vocabulary(module.tokenizer, kept), module.contract);
  return folder;
}

std::vector<text::TokenId> all_tokens(const text::Tokenizer& tokenizer) {
  std::vector<text::TokenId> all;
  for (text::TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) all.push_back(id);
  return all;
}

/// All tokens but those of control characters that no row of the data set has.
std::vector<text::TokenId> needed_tokens(const Workplace& place) {
  const CallModule module = load_call_module(place.policy());
  const std::set<text::TokenId> used = used_tokens(place, module);
  std::vector<text::TokenId> kept;
  for (const text::TokenId id : all_tokens(module.tokenizer)) {
    const std::string bytes = module.tokenizer.token_bytes(id);
    const bool control = bytes.size() == 1 && static_cast<unsigned char>(bytes.front()) < 0x20;
    if (!control || used.contains(id) || module.tokenizer.is_added(id)) kept.push_back(id);
  }
  return kept;
}

std::vector<float> columns_of_row(const std::vector<float>& matrix, std::size_t row, std::size_t columns) {
  return {matrix.begin() + static_cast<std::ptrdiff_t>(row * columns),
          matrix.begin() + static_cast<std::ptrdiff_t>((row + 1) * columns)};
}

}  // namespace

TEST(VocabularyBridge, APrunedStudentIsTaughtItsOwnTokensWithTheRestAsTail) {
  const Workplace place;
  const std::vector<text::TokenId> kept = needed_tokens(place);
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  const std::size_t teacher_rows = logits_after(teacher, {0}).size();
  ASSERT_LT(kept.size(), teacher_rows);
  FakeDistill loss;
  loss.signals = RETORT_SIGNAL_TEACHER_TOP_K | RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_LABELS;
  loss.top_k = 3;
  DistillLoopJob job = distill_job(place, "pruned", 1, teacher, loss);
  job.student = model_of(place, "cut", kept, 0);
  const Told told = distil_and_tell(job);
  EXPECT_NE(told.log.find("tokens are all the teacher's, under other ids"), std::string::npos) << told.log;
  EXPECT_EQ(told.recorder.metrics.at("unbridged_rows"), std::vector<double>{0});
  const SeenDistill& seen = loss.seen.front();
  const std::vector<ExpectedRow> rows = expected_rows(job, 0);  // in the student's ids
  std::vector<std::int64_t> labels;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    labels.push_back(rows[n].label);
    std::vector<std::int64_t> prefix;
    for (const std::int64_t id : rows[n].prefix) prefix.push_back(kept[static_cast<std::size_t>(id)]);
    const std::vector<float> all = logits_after(teacher, prefix);
    std::vector<float> own;
    double mass = 0, total = 0;
    for (const text::TokenId id : kept) own.push_back(all[static_cast<std::size_t>(id)]);
    EXPECT_LT(distance(columns_of_row(seen.floats.at("teacher0.logits"), n, kept.size()), own), 1e-4) << n;
    for (const float z : all) total += std::exp(static_cast<double>(z));
    for (std::size_t k = 0; k < 3; ++k) {
      const auto id = static_cast<std::size_t>(seen.integers.at("teacher0.top_ids")[3 * n + k]);
      mass += std::exp(static_cast<double>(own.at(id))) / total;
    }
    EXPECT_NEAR(seen.floats.at("teacher0.tail_mass")[n], 1 - mass, 1e-5);
  }
  EXPECT_EQ(seen.integers.at("labels"), labels);
}

TEST(VocabularyBridge, PaddingRowsAreSaidAndDoNotReachTheStudentsTokens) {
  const Workplace place;
  const CallModule module = load_call_module(place.policy());
  FakeDistill loss;
  loss.signals = RETORT_SIGNAL_TEACHER_TOP_K;  // the fake's own KL wants equal widths
  loss.top_k = 2;
  DistillLoopJob job = distill_job(place, "padded", 1, place.policy(), loss);
  const auto wider = place.dataset().parent_path() / "wider";
  std::filesystem::create_directories(wider);
  model::ModelConfig config = module.decoder->config();
  config.vocabulary_size += 64;
  save_call_module(wider, DecoderModule(config, 3), module.tokenizer, module.contract);
  job.student = wider;
  const Told told = distil_and_tell(job);
  EXPECT_NE(told.log.find("rows that no token uses are padding"), std::string::npos) << told.log;
  job.student = place.policy();
  EXPECT_EQ(distil_and_tell(job).log.find("vocabulary:"), std::string::npos);  // nothing to say
}

TEST(VocabularyBridge, RowsThatTheTeacherCutsOtherwiseAreLeftOutByName) {
  const Workplace place;
  const CallModule module = load_call_module(place.policy());
  Corpus corpus = tokenised(read_labelled_rows(place.dataset() / "train.jsonl"), module.contract, module.tokenizer,
                            {96, 0, 0}, testing::Recorder().hooks());
  VocabularyBridge bridge{VocabularyBridge::Kind::subset, {}, 0, 0, 0};
  for (const text::TokenId id : all_tokens(module.tokenizer)) bridge.teacher_ids.push_back(id);
  const std::string first = corpus.examples[3].utterance();
  std::swap(corpus.sequences[3].prompt.front(), corpus.sequences[3].prompt.back());
  Told told;
  RunHooks hooks = told.recorder.hooks();
  hooks.log = [&](std::string_view message) { told.log += message; };
  const std::size_t before = corpus.sequences.size();
  Corpus strict = corpus;
  keep_bridged(corpus, bridge, {module.tokenizer, module.contract, 96}, .2, hooks);
  EXPECT_EQ(corpus.sequences.size(), before - 1);
  EXPECT_EQ(corpus.sequences[3].example, 3u);
  EXPECT_NE(told.log.find("1 of " + std::to_string(before) + " rows are other tokens"), std::string::npos) << told.log;
  EXPECT_NE(told.log.find(first), std::string::npos);
  EXPECT_THROW(keep_bridged(strict, bridge, {module.tokenizer, module.contract, 96}, 0, hooks), std::runtime_error);
}

TEST(VocabularyBridge, OtherTokenizersAreRefusedWithWhatToDo) {
  const Workplace place;
  const std::vector<text::TokenId> kept = needed_tokens(place);
  FakeDistill loss;
  // The teacher lacks tokens that the student has: the other way round there is no bridge.
  DistillLoopJob job = distill_job(place, "foreign", 1, model_of(place, "small_teacher", kept, 0), loss);
  const std::string said = refusal_of(job);
  EXPECT_NE(said.find("different tokenizers"), std::string::npos) << said;
  EXPECT_NE(said.find("distill.alm"), std::string::npos) << said;
  job = distill_job(place, "sampled", 1, place.policy(), loss);
  job.student = model_of(place, "cut", kept, 0);
  job.teacher_answers = 1;
  EXPECT_NE(refusal_of(job).find("teacher_answers: expected 0"), std::string::npos) << refusal_of(job);
  EXPECT_TRUE(loss.seen.empty());
}

namespace {

SignalRecordingJob recording_of(const Workplace& place, const std::filesystem::path& dataset,
                                const std::filesystem::path& teacher, std::int64_t top_k) {
  SignalRecordingJob job;
  job.dataset = dataset;
  job.teacher = teacher;
  job.top_k = top_k;
  job.output = place.dataset().parent_path() / "recorded";
  job.work = place.dataset().parent_path() / "recording";
  std::filesystem::create_directories(job.output);
  std::filesystem::create_directories(job.work);
  record_signals(job, testing::Recorder().hooks());
  return job;
}

/// The data set less its last `fewer` rows: what there was before it was augmented.
std::filesystem::path shorter_dataset(const Workplace& place, std::size_t fewer) {
  const std::filesystem::path folder = place.dataset().parent_path() / "shorter";
  std::filesystem::create_directories(folder);
  std::filesystem::copy(place.dataset(), folder, std::filesystem::copy_options::recursive);
  std::string text = host::read_file(folder / "train.jsonl");
  if (text.back() == '\n') text.pop_back();
  for (std::size_t i = 0; i < fewer; ++i) text.resize(text.rfind('\n'));
  host::write_file_atomically(folder / "train.jsonl", text + "\n");
  return folder;
}

}  // namespace

TEST(RecordedSignals, RowsThatWereNotRecordedAreAskedAsTrainingGoes) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill asked, mixed;
  asked.signals = mixed.signals = RETORT_SIGNAL_TEACHER_TOP_K;
  asked.top_k = mixed.top_k = 3;
  const Told expected = distil_and_tell(distill_job(place, "asked", 6, teacher, asked));
  DistillLoopJob job = distill_job(place, "mixed", 6, teacher, mixed);
  job.training.micro_batch_size = 1;
  job.signals = recording_of(place, shorter_dataset(place, 5), teacher, 3).output;
  EXPECT_NE(refusal_of(job).find("no signals for example 16"), std::string::npos) << refusal_of(job);
  mixed.seen.clear();
  job.ask_for_unrecorded = true;
  const Told told = distil_and_tell(job);
  EXPECT_EQ(told.recorder.metrics.at("unrecorded_rows"), std::vector<double>{5});
  EXPECT_NE(told.log.find("signals hold 15 of 20 rows"), std::string::npos) << told.log;
  std::vector<float> all;
  for (const SeenDistill& seen : mixed.seen)
    if (seen.batch.step == 0)
      all.insert(all.end(), seen.floats.at("teacher0.top_log_probs").begin(),
                 seen.floats.at("teacher0.top_log_probs").end());
  EXPECT_LT(distance(all, asked.seen.front().floats.at("teacher0.top_log_probs")), 1e-4);
}

TEST(RecordedSignals, ThoseOfAnotherTokenizerAreRefusedByItsHash) {
  const Workplace place;
  FakeDistill loss;
  loss.signals = RETORT_SIGNAL_TEACHER_TOP_K;
  loss.top_k = 2;
  DistillLoopJob job = distill_job(place, "hash", 1, place.policy(), loss);
  job.signals = recording_of(place, place.dataset(), place.policy(), 2).output;
  EXPECT_EQ(refusal_of(job), "");
  write_signals(*job.signals, {2, 100, std::string(64, '5')}, [](std::string&, std::string&) { return false; });
  loss.seen.clear();
  EXPECT_NE(refusal_of(job).find("another tokenizer (SHA-256 5555"), std::string::npos) << refusal_of(job);
  EXPECT_TRUE(loss.seen.empty());
}

TEST(RecordedSignals, AStudentLearnsFromThemWithoutATeacher) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill asked, read;
  asked.signals = read.signals = RETORT_SIGNAL_TEACHER_TOP_K;
  asked.top_k = read.top_k = 3;
  DistillLoopJob job = distill_job(place, "asked", 1, teacher, asked);
  job.student = place.policy();
  distil_and_tell(job);
  job = distill_job(place, "read", 1, teacher, read);
  job.student = place.policy();
  job.teachers.clear();
  EXPECT_NE(refusal_of(job).find("at least one teacher"), std::string::npos) << refusal_of(job);
  job.signals = recording_of(place, place.dataset(), teacher, 3).output;
  job.ask_for_unrecorded = true;
  EXPECT_NE(refusal_of(job).find("nobody to ask"), std::string::npos) << refusal_of(job);
  job.ask_for_unrecorded = false;
  read.seen.clear();
  distil_and_tell(job);
  for (const char* what : {"teacher0.top_log_probs", "teacher0.tail_mass"})
    EXPECT_LT(distance(read.seen.front().floats.at(what), asked.seen.front().floats.at(what)), 1e-5) << what;
  EXPECT_EQ(read.seen.front().integers.at("teacher0.top_ids"), asked.seen.front().integers.at("teacher0.top_ids"));
  std::filesystem::remove_all(place.dataset().parent_path() / "recording");
  job.signals = recording_of(place, shorter_dataset(place, 5), teacher, 3).output;
  EXPECT_NE(refusal_of(job).find("no signals for example 16"), std::string::npos) << refusal_of(job);
  job.leave_out_unrecorded = true;
  EXPECT_EQ(distil_and_tell(job).recorder.metrics.at("left_out_rows"), std::vector<double>{5});
}

TEST(RecordedSignals, TheStudentsOwnAnswersNeedTheTeacher) {
  const Workplace place;
  FakeDistill loss;
  loss.signals = RETORT_SIGNAL_TEACHER_TOP_K;
  loss.top_k = 2;
  loss.on_policy_fraction = 1;
  DistillLoopJob job = distill_job(place, "own", 1, place.policy(), loss);
  job.signals = recording_of(place, place.dataset(), place.policy(), 2).output;
  EXPECT_NE(refusal_of(job).find("on_policy_fraction to 0"), std::string::npos) << refusal_of(job);
  job.ask_for_unrecorded = true;
  EXPECT_EQ(refusal_of(job), "");
  EXPECT_EQ(loss.seen.front().batch.on_policy, 1u);
}

TEST(TeacherAnswers, AreTheTeachersLikeliestTokensAndNotTheDataSets) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill loss;
  loss.signals = RETORT_SIGNAL_LABELS;
  DistillLoopJob job = distill_job(place, "answers", 1, teacher, loss);
  job.teacher_answers = 1;
  const Told told = distil_and_tell(job);
  const SeenDistill& seen = loss.seen.front();
  EXPECT_EQ(seen.batch.on_policy, 0u);
  EXPECT_EQ(seen.floats.count("teacher0.logits"), 0u);
  std::vector<ExpectedRow> first;  // of every sequence: what comes before its answer
  for (const ExpectedRow& row : expected_rows(job, 0))
    if (row.position == 0) first.push_back(row);
  const std::vector<std::int64_t>&labels = seen.integers.at("labels"), &sequences = seen.integers.at("sequences");
  std::vector<std::int64_t> prefix;
  for (std::size_t n = 0; n < labels.size(); ++n) {
    const auto at = static_cast<std::size_t>(sequences[n]);
    if (n == 0 || sequences[n] != sequences[n - 1]) prefix = first.at(at).prefix;
    const std::vector<float> logits = logits_after(teacher, prefix);
    EXPECT_EQ(labels[n], std::max_element(logits.begin(), logits.end()) - logits.begin()) << n;
    prefix.push_back(labels[n]);
  }
  EXPECT_EQ(told.recorder.metrics.at("empty_answers").size(), 1u);
  EXPECT_EQ(told.recorder.metrics.at("cut_answers").size(), 1u);
}

TEST(TeacherAnswers, AndTheStudentsShareTheBatches) {
  const Workplace place;
  FakeDistill loss;
  loss.on_policy_fraction = .5;
  loss.signals |= RETORT_SIGNAL_LABELS;
  DistillLoopJob job = distill_job(place, "shared", 40, place.policy(), loss);
  job.teacher_answers = .5;
  job.training.batch_size = 2;
  distil_and_tell(job);
  std::int64_t own = 0;
  for (const SeenDistill& seen : loss.seen) own += seen.batch.on_policy != 0 ? 1 : 0;
  ASSERT_EQ(loss.seen.size(), 40u);
  EXPECT_GT(own, 10);  // λ ½ of 40: 3 deviations are 9.5
  EXPECT_LT(own, 30);
}

}  // namespace retort::train
