// Signals that a teacher gave once: read as it said them, and never for another row.
#include "train/recorded_signals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "distill_fixture.h"
#include "host/base/files.h"
#include "train/signal_recording.h"

namespace retort::train {
namespace {

using testing::distance;
using testing::distil;
using testing::distill_job;
using testing::DistillLoopJob;
using testing::FakeDistill;
using testing::logits_after;
using testing::SeenDistill;
using testing::trained_teacher;
using testing::Workplace;

/// What `teacher` says about every row of the job's data set: its `kept` most likely tokens.
std::vector<nlohmann::json> recorded_rows(const DistillLoopJob& job, const std::filesystem::path& teacher,
                                          std::size_t kept) {
  const CallModule module = load_call_module(teacher);
  std::vector<nlohmann::json> rows;
  for (const Sequence& sequence :
       to_sequences(task::read_split(job.dataset / "train.jsonl").examples, module.contract, module.tokenizer, 64)) {
    nlohmann::json row = {{"hash", sequence.hash}, {"top_ids", nlohmann::json::array()}};
    std::vector<std::int64_t> prefix(sequence.prompt.begin(), sequence.prompt.end());
    for (const text::TokenId token : sequence.response) {
      const auto [log_probs, ids] =
          torch::log_softmax(torch::tensor(logits_after(teacher, prefix)).to(torch::kFloat64), 0)
              .topk(static_cast<std::int64_t>(kept));
      row["top_ids"].push_back(
          std::vector<std::int64_t>(ids.data_ptr<std::int64_t>(), ids.data_ptr<std::int64_t>() + kept));
      row["top_log_probs"].push_back(
          std::vector<double>(log_probs.data_ptr<double>(), log_probs.data_ptr<double>() + kept));
      prefix.push_back(token);
    }
    rows.push_back(row);
  }
  return rows;
}

void put_signals(const std::filesystem::path& folder, const std::vector<nlohmann::json>& rows,
                 const std::filesystem::path& teacher) {
  const CallModule module = load_call_module(teacher);
  const SignalAbout about{std::ssize(rows[0]["top_ids"][0]), module.decoder->config().vocabulary_size,
                          host::sha256(module.tokenizer.to_json())};
  std::filesystem::create_directories(folder);
  std::size_t at = 0;
  write_signals(folder, about, [&](std::string& hash, std::string& tokens) {
    if (at == rows.size()) return false;
    const nlohmann::json& row = rows[at++];
    SignalRows said;
    for (std::size_t token = 0; token < row["top_ids"].size(); ++token) {
      double kept = 0;
      for (std::size_t i = 0; i < row["top_ids"][token].size(); ++i) {
        said.top_ids.push_back(row["top_ids"][token][i]);
        said.top_log_probs.push_back(row["top_log_probs"][token][i]);
        kept += std::exp(row["top_log_probs"][token][i].get<double>());
      }
      said.tail.push_back(static_cast<float>(std::max(0.0, 1 - kept)));
    }
    hash = row["hash"];
    tokens = encoded(said, about);
    return true;
  });
}

std::string failure(const DistillLoopJob& job) {
  try {
    distil(job);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST(RecordedSignals, ReadsRecordedSignalsAsTheTeacherSaidThem) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill asked, read;
  asked.signals = read.signals = RETORT_SIGNAL_TEACHER_TOP_K;
  asked.top_k = read.top_k = 3;
  distil(distill_job(place, "asked", 2, teacher, asked));
  DistillLoopJob job = distill_job(place, "read", 2, teacher, read);
  job.training.micro_batch_size = 3;
  job.signals = job.work / "signals";
  const std::vector<nlohmann::json> rows = recorded_rows(job, teacher, 5);  // more than the loss wants
  put_signals(*job.signals, rows, teacher);
  distil(job);
  ASSERT_EQ(read.seen.size(), 5u);  // of batches of 8 and 4 sequences, at most three a part
  std::vector<std::int64_t> ids;
  std::vector<float> log_probs, tail;
  for (const SeenDistill& seen : read.seen) {
    if (seen.batch.step != 0) continue;
    const auto append = [](auto& all, const auto& more) { all.insert(all.end(), more.begin(), more.end()); };
    append(ids, seen.integers.at("teacher0.top_ids"));
    append(log_probs, seen.floats.at("teacher0.top_log_probs"));
    append(tail, seen.floats.at("teacher0.tail_mass"));
  }
  EXPECT_EQ(ids, asked.seen[0].integers.at("teacher0.top_ids"));
  EXPECT_LT(distance(log_probs, asked.seen[0].floats.at("teacher0.top_log_probs")), 1e-4);
  EXPECT_LT(distance(tail, asked.seen[0].floats.at("teacher0.tail_mass")), 1e-4);
}

TEST(RecordedSignals, RefusesSignalsOfOtherRows) {
  const Workplace place;
  FakeDistill loss;
  loss.signals = RETORT_SIGNAL_TEACHER_TOP_K;
  loss.top_k = 2;
  DistillLoopJob job = distill_job(place, "foreign", 1, place.policy(), loss);
  job.signals = job.work / "signals";
  const std::vector<nlohmann::json> right = recorded_rows(job, place.policy(), 2);
  std::vector<nlohmann::json> wrong = right;
  wrong[7]["hash"] = right[8]["hash"];  // as if rows had moved
  put_signals(*job.signals, wrong, place.policy());
  EXPECT_NE(failure(job).find("no signals for example 8"), std::string::npos) << failure(job);
  wrong = right;
  wrong[3]["top_ids"].erase(std::size_t{0});
  wrong[3]["top_log_probs"].erase(std::size_t{0});
  put_signals(*job.signals, wrong, place.policy());
  EXPECT_NE(failure(job).find("of example 4"), std::string::npos) << failure(job);
  put_signals(*job.signals, right, place.policy());
  loss.top_k = 3;
  EXPECT_NE(failure(job).find("the signals hold 2"), std::string::npos) << failure(job);
  loss.signals = RETORT_SIGNAL_TEACHER_LOGITS;
  EXPECT_NE(failure(job).find("TEACHER_LOGITS"), std::string::npos) << failure(job);
}

namespace {

/// Hooks that end a recording when `kill_after` batches are reported, and remember what is logged.
struct RecordingHooks {
  std::int64_t kill_after = -1;
  std::string log;
  RunHooks hooks() {
    return {[](std::string_view, std::int64_t, double) {},
            [this](std::string_view, std::int64_t done, std::int64_t, std::string_view) {
              if (done == kill_after) throw testing::Stop();
            },
            [] {}, [this](std::string_view message) { log += message; }};
  }
};

SignalRecordingJob recording_job(const Workplace& place, const std::filesystem::path& teacher,
                                 const std::filesystem::path& folder) {
  SignalRecordingJob job;
  job.dataset = place.dataset();
  job.teacher = teacher;
  job.top_k = 3;
  job.batch_size = 6;
  job.output = folder / "signals";
  job.work = folder / "work";
  std::filesystem::create_directories(job.output);
  std::filesystem::create_directories(job.work);
  return job;
}

}  // namespace

TEST(SignalRecording, LossesAreThoseOfAskingTheTeacher) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill asked, read;
  asked.signals = read.signals = RETORT_SIGNAL_TEACHER_TOP_K;
  asked.top_k = read.top_k = 3;
  const std::vector<double> expected = distil(distill_job(place, "asked", 4, teacher, asked));
  DistillLoopJob job = distill_job(place, "read", 4, teacher, read);
  const SignalRecordingJob recording = recording_job(place, teacher, job.work);
  RecordingHooks hooks;
  const SignalAmount amount = record_signals(recording, hooks.hooks());
  EXPECT_EQ(amount.rows, 20);
  EXPECT_GT(amount.tokens, 40);
  EXPECT_GT(amount.mean_tail, 0);
  EXPECT_LT(amount.mean_tail, 1);
  job.signals = recording.output;
  const std::vector<double> found = distil(job);
  ASSERT_EQ(found.size(), 4u);
  for (std::size_t step = 0; step < found.size(); ++step) EXPECT_NEAR(found[step], expected[step], 1e-5) << step;
  EXPECT_EQ(read.seen.at(0).integers.at("teacher0.top_ids"), asked.seen.at(0).integers.at("teacher0.top_ids"));
  EXPECT_LT(distance(read.seen.at(0).floats.at("teacher0.top_log_probs"),
                     asked.seen.at(0).floats.at("teacher0.top_log_probs")),
            2e-6);
}

TEST(SignalRecording, AKilledRecordingRepaysNothing) {
  const Workplace place;
  const auto folder = place.dataset().parent_path();
  const SignalRecordingJob whole = recording_job(place, place.policy(), folder / "whole");
  const SignalRecordingJob broken = recording_job(place, place.policy(), folder / "broken");
  RecordingHooks all, stopped, resumed;
  record_signals(whole, all.hooks());
  stopped.kill_after = 2;  // of four batches
  EXPECT_THROW(record_signals(broken, stopped.hooks()), testing::Stop);
  const std::string kept = host::read_file(broken.work / "signals.journal");
  host::write_file_atomically(broken.work / "signals.journal", kept + kept.substr(0, 60));  // cut short by the kill
  record_signals(broken, resumed.hooks());
  EXPECT_NE(resumed.log.find("12 rows are known"), std::string::npos) << resumed.log;
  EXPECT_EQ(host::read_file(broken.output / "signals.bin"), host::read_file(whole.output / "signals.bin"));
  EXPECT_TRUE(host::read_file(broken.work / "signals.journal").starts_with(kept));
  EXPECT_EQ(RecordedSignals(broken.output).rows(), 20);
}

TEST(SignalRecording, RefusesWhatCannotBeAsked) {
  const Workplace place;
  SignalRecordingJob job = recording_job(place, place.policy(), place.dataset().parent_path() / "refused");
  RecordingHooks hooks;
  job.top_k = 0;
  EXPECT_THROW(record_signals(job, hooks.hooks()), std::invalid_argument);
  job.top_k = 1 << 20;  // the whole vocabulary
  EXPECT_NEAR(record_signals(job, hooks.hooks()).mean_tail, 0, 1e-5);
}

}  // namespace retort::train
