// The distillation loop as a unit, with a loss of the test: which rows it is shown, whose numbers they are, and what
// becomes of its gradients.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "distill_fixture.h"
#include "host/base/files.h"
#include "host/base/json.h"

namespace retort::train {
namespace {

using testing::distance;
using testing::distil;
using testing::distill_job;
using testing::DistillLoopJob;
using testing::expected_rows;
using testing::ExpectedRow;
using testing::FakeDistill;
using testing::logits_after;
using testing::Recorder;
using testing::SeenDistill;
using testing::state_after;
using testing::trained_teacher;
using testing::Workplace;

std::vector<float> row_of(const std::vector<float>& matrix, std::size_t row, std::size_t rows) {
  const std::size_t columns = matrix.size() / rows;
  return {matrix.begin() + static_cast<std::ptrdiff_t>(row * columns),
          matrix.begin() + static_cast<std::ptrdiff_t>((row + 1) * columns)};
}

}  // namespace

TEST(DistillationLoop, ShowsTheRowsOfTheStepAndNoOthers) {
  const Workplace place;
  FakeDistill loss;
  loss.signals |= RETORT_SIGNAL_LABELS;
  const DistillLoopJob job = distill_job(place, "rows", 2, place.policy(), loss);
  distil(job);
  ASSERT_EQ(loss.seen.size(), 2u);
  std::set<std::int64_t> all_lengths;
  for (std::int64_t step = 0; step < 2; ++step) {
    const SeenDistill& seen = loss.seen[static_cast<std::size_t>(step)];
    std::vector<std::int64_t> sequences, positions, lengths, labels;
    std::vector<float> mask;
    for (const ExpectedRow& row : expected_rows(job, step)) {
      sequences.push_back(row.sequence);
      positions.push_back(row.position);
      lengths.push_back(row.length);
      labels.push_back(row.label);
      mask.push_back(row.mask);
    }
    EXPECT_EQ(seen.integers.at("sequences"), sequences);
    EXPECT_EQ(seen.integers.at("positions"), positions);
    EXPECT_EQ(seen.integers.at("lengths"), lengths);
    EXPECT_EQ(seen.integers.at("labels"), labels);
    EXPECT_EQ(seen.floats.at("mask"), mask);
    EXPECT_EQ(seen.batch.step, step);
    EXPECT_EQ(seen.batch.total_steps, 2);
    EXPECT_EQ(seen.batch.step_weight, static_cast<double>(mask.size()));
    EXPECT_EQ(seen.batch.step_sequences, std::count(positions.begin(), positions.end(), 0));
    EXPECT_EQ(seen.batch.on_policy, 0u);
    all_lengths.insert(lengths.begin(), lengths.end());
  }
  EXPECT_GT(all_lengths.size(), 1u);  // or errors of position would hide
}

TEST(DistillationLoop, RowsHoldTheLogitsBeforeTheirLabel) {
  const Workplace place;
  FakeDistill loss;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  const DistillLoopJob job = distill_job(place, "logits", 1, teacher, loss);
  distil(job);
  const SeenDistill& seen = loss.seen.front();
  const std::vector<ExpectedRow> rows = expected_rows(job, 0);
  double nearest_neighbour = HUGE_VAL;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const auto student = row_of(seen.floats.at("student_logits"), n, rows.size());
    const auto teacher_row = row_of(seen.floats.at("teacher0.logits"), n, rows.size());
    EXPECT_LT(distance(student, logits_after(*job.student, rows[n].prefix)), 1e-4) << "row " << n;
    EXPECT_LT(distance(teacher_row, logits_after(teacher, rows[n].prefix)), 1e-4) << "row " << n;
    std::vector<std::int64_t> shifted = rows[n].prefix;  // what a teacher that is off by one token would say
    shifted.push_back(rows[n].label);
    nearest_neighbour = std::min(nearest_neighbour, distance(teacher_row, logits_after(teacher, shifted)));
  }
  EXPECT_GT(nearest_neighbour, 1e-2);
}

TEST(DistillationLoop, ATeacherLikeTheStudentHasNothingToTeach) {
  const Workplace place;
  FakeDistill same, other;
  EXPECT_NEAR(distil(distill_job(place, "same", 1, place.policy(), same)).front(), 0, 1e-9);
  EXPECT_GT(distil(distill_job(place, "other", 1, trained_teacher(place, "teacher", 20), other)).front(), 0.01);
}

TEST(DistillationLoop, PromptsCountWithTheirWeight) {
  const Workplace place;
  FakeDistill loss;
  DistillLoopJob job = distill_job(place, "prompts", 1, place.policy(), loss);
  job.prompt_loss_weight = 0.25;
  distil(job);
  const std::vector<float>& mask = loss.seen.front().floats.at("mask");
  const auto responses = static_cast<std::int64_t>(expected_rows(job, 0).size());
  EXPECT_EQ(std::count(mask.begin(), mask.end(), 1.0F), responses);
  const auto prompt_rows = std::count(mask.begin(), mask.end(), 0.25F);
  EXPECT_EQ(responses + prompt_rows, static_cast<std::int64_t>(mask.size()));
  EXPECT_GT(prompt_rows, 8);
  EXPECT_EQ(loss.seen.front().batch.step_weight,
            static_cast<double>(responses) + 0.25 * static_cast<double>(prompt_rows));
}

TEST(DistillationLoop, TagsOfPromptsCountWithTheirWeight) {
  const Workplace place;
  FakeDistill loss;
  loss.signals |= RETORT_SIGNAL_LABELS;
  DistillLoopJob job = distill_job(place, "tags", 1, place.policy(), loss);
  job.tag_weight = 0.5;
  distil(job);
  const SeenDistill& seen = loss.seen.front();
  const std::vector<float>& mask = seen.floats.at("mask");
  const auto responses = static_cast<std::int64_t>(expected_rows(job, 0).size());
  EXPECT_EQ(std::count(mask.begin(), mask.end(), 1.0F), responses);
  const auto tagged = std::count(mask.begin(), mask.end(), 0.5F);
  EXPECT_EQ(responses + tagged, static_cast<std::int64_t>(mask.size()));
  EXPECT_GT(tagged, 8);
  EXPECT_EQ(seen.batch.step_weight, static_cast<double>(responses) + 0.5 * static_cast<double>(tagged));
  const text::Tokenizer tokenizer = text::Tokenizer::load(place.policy() / "tokenizer.json");
  std::set<std::string> said;
  for (std::size_t n = 0; n < mask.size(); ++n)
    if (mask[n] == 0.5F)
      said.insert(std::string(tokenizer.token(static_cast<text::TokenId>(seen.integers.at("labels")[n]))));
  EXPECT_TRUE(said.contains("<|none|>"));
  EXPECT_GT(said.size(), 2u) << "a call and an argument at least";
}

TEST(DistillationLoop, ANewStudentIsAskedByTagsOnlyWhereItLearnsThem) {
  const Workplace place;
  const std::filesystem::path package = place.policy() / "retort.json";
  nlohmann::json described = host::read_json(package);
  described["task"]["tag_weight"] = 1.5;
  host::write_json(package, described);
  FakeDistill loss;
  loss.signals |= RETORT_SIGNAL_LABELS;
  const auto weight = [&](const std::string& name, double tag_weight, bool given) {
    DistillLoopJob job = distill_job(place, name, 1, place.policy(), loss);
    job.tag_weight = tag_weight;
    if (!given) {
      job.student.reset();
      job.initialisation = "layers";
      job.model.layers = 1;
    }
    distil(job);
    return host::read_json(job.output / "retort.json").at("task").value("tag_weight", 0.0);
  };
  EXPECT_EQ(weight("taught", 0.5, false), 1.5);
  EXPECT_EQ(weight("untaught", 0, false), 0);
  EXPECT_EQ(weight("given", 0, true), 1.5);  // it knew them before
}

TEST(DistillationLoop, OneBatchOfEightEqualsEightOfOne) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  std::vector<std::vector<double>> losses;
  std::vector<std::size_t> calls;
  for (const std::int64_t micro : {0, 1, 3}) {
    FakeDistill loss;
    loss.flags = RETORT_DISTILL_WHOLE_SEQUENCES;
    DistillLoopJob job = distill_job(place, "micro" + std::to_string(micro), 4, teacher, loss);
    job.training.micro_batch_size = micro;
    losses.push_back(distil(job));
    calls.push_back(loss.seen.size());
    for (const SeenDistill& seen : loss.seen) {  // whole sequences: every one from its first row to its last
      const auto &lengths = seen.integers.at("lengths"), &positions = seen.integers.at("positions"),
                 &sequences = seen.integers.at("sequences");
      for (std::size_t n = 0; n < lengths.size(); ++n)
        EXPECT_EQ(std::count(sequences.begin(), sequences.end(), sequences[n]), lengths[n]);
      EXPECT_EQ(std::count(positions.begin(), positions.end(), 0),
                static_cast<std::ptrdiff_t>(std::set<std::int64_t>(sequences.begin(), sequences.end()).size()));
    }
  }
  // Steps of 8, 8, 4 and 8 sequences, in some order: 20 rows, and the first batch of the next epoch.
  EXPECT_EQ(calls, (std::vector<std::size_t>{4, 28, 11}));
  for (std::size_t step = 0; step < 4; ++step) {
    const double rounding = step == 0 ? 1e-6 : 1e-3;  // f32 sums in another order, which Adam's steps carry on
    EXPECT_NEAR(losses[0][step], losses[1][step], rounding * losses[0][step]) << step;
    EXPECT_NEAR(losses[0][step], losses[2][step], rounding * losses[0][step]) << step;
  }
}

TEST(DistillationLoop, TheGradientReachesTheStudent) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill loss;
  const DistillLoopJob job = distill_job(place, "gradient", 1, teacher, loss);
  distil(job);
  testing::expect_first_step(*job.student, job.output, 1e-3, [&](DecoderModule& decoder) {
    torch::Tensor total = torch::zeros({}, torch::kFloat64);
    const std::vector<ExpectedRow> rows = expected_rows(job, 0);
    for (const ExpectedRow& row : rows) {
      const torch::Tensor hidden = decoder.hidden(torch::tensor(row.prefix, torch::kInt64).unsqueeze(0)).squeeze(0);
      const torch::Tensor log_q =
          torch::log_softmax(decoder.logits(hidden.narrow(0, hidden.size(0) - 1, 1)).squeeze(0).to(torch::kFloat64), 0);
      const torch::Tensor p = torch::softmax(torch::tensor(logits_after(teacher, row.prefix)).to(torch::kFloat64), 0);
      total = total - (p * log_q).sum() / static_cast<double>(rows.size());
    }
    return total;
  });
}

TEST(DistillationLoop, ShowsTheTopOfTheTeacherWithTheMassOfItsTail) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill loss;
  loss.signals = RETORT_SIGNAL_TEACHER_TOP_K | RETORT_SIGNAL_TEACHER_LOGITS;
  loss.top_k = 3;
  const DistillLoopJob job = distill_job(place, "top", 1, teacher, loss);
  distil(job);
  const SeenDistill& seen = loss.seen.front();
  const std::vector<ExpectedRow> rows = expected_rows(job, 0);
  ASSERT_EQ(seen.integers.at("teacher0.top_ids").size(), 3 * rows.size());
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const std::vector<float> logits = row_of(seen.floats.at("teacher0.logits"), n, rows.size());
    double sum = 0, tail = 0;
    for (const float z : logits) sum += std::exp(static_cast<double>(z));
    std::vector<float> sorted = logits;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    for (std::size_t v = 3; v < sorted.size(); ++v) tail += std::exp(static_cast<double>(sorted[v])) / sum;
    for (std::size_t k = 0; k < 3; ++k) {
      const auto id = static_cast<std::size_t>(seen.integers.at("teacher0.top_ids")[3 * n + k]);
      EXPECT_EQ(logits[id], sorted[k]);
      EXPECT_NEAR(seen.floats.at("teacher0.top_log_probs")[3 * n + k], sorted[k] - std::log(sum), 1e-5);
    }
    EXPECT_NEAR(seen.floats.at("teacher0.tail_mass")[n], tail, 1e-6);
  }
}

TEST(DistillationLoop, ShowsTheDeclaredLayers) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill loss;
  loss.signals = RETORT_SIGNAL_HIDDEN_STATES;
  loss.student_layers = {0, -1, -2};
  loss.teacher_layers = {-3, 1, -1};
  loss.projection = true;
  const DistillLoopJob job = distill_job(place, "layers", 1, teacher, loss);
  distil(job);
  const SeenDistill& seen = loss.seen.front();
  EXPECT_FALSE(seen.floats.contains("teacher0.logits"));  // nobody asked for them
  const std::vector<ExpectedRow> rows = expected_rows(job, 0);
  const std::vector<std::int64_t> student_outputs = {0, 2, 1}, teacher_outputs = {0, 1, 2};  // of 2 layers; 2: the norm
  for (std::size_t n = 0; n < rows.size(); n += 5)
    for (std::size_t layer = 0; layer < 3; ++layer) {
      const std::string name = "hidden" + std::to_string(layer);
      EXPECT_LT(distance(row_of(seen.floats.at("student_" + name), n, rows.size()),
                         state_after(*job.student, rows[n].prefix, student_outputs[layer])),
                1e-4);
      EXPECT_LT(distance(row_of(seen.floats.at("teacher0." + name), n, rows.size()),
                         state_after(teacher, rows[n].prefix, teacher_outputs[layer])),
                1e-4);
    }
}

namespace {

void declare_last_layer(FakeDistill& loss) {
  loss.signals = RETORT_SIGNAL_HIDDEN_STATES | RETORT_SIGNAL_TEACHER_LOGITS;
  loss.student_layers = loss.teacher_layers = {-1};
  loss.projection = true;
}

}  // namespace

TEST(DistillationLoop, TrainsTheParametersOfTheLoss) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill loss;
  declare_last_layer(loss);
  const DistillLoopJob job = distill_job(place, "projection", 2, teacher, loss);
  distil(job);
  const std::vector<float>&before = loss.seen[0].floats.at("parameter0"), &after = loss.seen[1].floats.at("parameter0");
  ASSERT_EQ(before.size(), 16u * 16u);
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_EQ(before[i], 0.1F * static_cast<float>((static_cast<std::int64_t>(i) + 5) % 7 - 3));  // from the seed, 5
  // Adam's first step moves by the rate against the gradient of Σ m/2·(h·W − t)², whatever its size.
  const std::vector<float>&hidden = loss.seen[0].floats.at("student_hidden0"),
        &target = loss.seen[0].floats.at("teacher0.hidden0");
  std::size_t compared = 0;
  for (std::size_t d = 0; d < 16; ++d)
    for (std::size_t e = 0; e < 16; ++e) {
      double gradient = 0;
      for (std::size_t n = 0; n < hidden.size() / 16; ++n) {
        double miss = -target[n * 16 + e];
        for (std::size_t i = 0; i < 16; ++i) miss += static_cast<double>(hidden[n * 16 + i]) * before[i * 16 + e];
        gradient += miss * hidden[n * 16 + d];
      }
      if (std::abs(gradient) < 1e-2) continue;
      ++compared;
      EXPECT_NEAR(after[d * 16 + e] - before[d * 16 + e], gradient > 0 ? -1e-3 : 1e-3, 1e-5);
    }
  EXPECT_GT(compared, 200u);
}

TEST(DistillationLoop, ARunThatStoppedEndsWithTheSameBytesAndParameters) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill whole, broken, resumed;
  const auto job = [&](const std::string& name, FakeDistill& loss) {
    declare_last_layer(loss);
    DistillLoopJob made = distill_job(place, name, 6, teacher, loss);
    made.training.average_decay = 0.9;
    made.training.dropout = 0.1;
    made.training.gradient_clip = 1;
    made.training.checkpoint_steps = 2;
    return made;
  };
  const DistillLoopJob unbroken = job("whole", whole), stopped = job("broken", broken);
  distil(unbroken);
  Recorder recorder;
  recorder.stop_before = 5;  // the last checkpoint is after step 4
  EXPECT_THROW(distill(stopped, recorder.hooks()), testing::Stop);
  distil(job("broken", resumed));
  ASSERT_EQ(resumed.seen.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_EQ(resumed.seen[i].floats.at("parameter0"), whole.seen[4 + i].floats.at("parameter0"));
  EXPECT_EQ(place.bytes_of(unbroken), place.bytes_of(stopped));
}

/// transformers PR 40691, accelerate PR 4071, EasyDistill issue 21: rows that a continued epoch repeats or skips.
TEST(DistillationLoop, AKilledEpochStillSeesEveryRowOnce) {
  const Workplace place;
  FakeDistill first, second;
  first.signals |= RETORT_SIGNAL_LABELS;
  second.signals = first.signals;
  const auto job = [&](FakeDistill& loss) {
    DistillLoopJob made = distill_job(place, "killed", 6, place.policy(), loss);  // two epochs of 8, 8 and 4 rows
    made.training.checkpoint_steps = 1;
    return made;
  };
  Recorder recorder;
  recorder.stop_before = 4;  // in the middle of the second epoch
  EXPECT_THROW(distill(job(first), recorder.hooks()), testing::Stop);
  const DistillLoopJob resumed = job(second);
  distil(resumed);
  ASSERT_EQ(first.seen.size(), 4u);
  ASSERT_EQ(second.seen.size(), 2u);
  // A row by the tokens of its answer: they all differ.
  const auto add_rows = [](const SeenDistill& seen, std::multiset<std::vector<std::int64_t>>& rows) {
    const std::vector<std::int64_t>&sequences = seen.integers.at("sequences"), &labels = seen.integers.at("labels");
    std::map<std::int64_t, std::vector<std::int64_t>> answers;
    for (std::size_t i = 0; i < labels.size(); ++i) answers[sequences[i]].push_back(labels[i]);
    for (const auto& [number, answer] : answers) rows.insert(answer);
  };
  const CallModule module = load_call_module(place.policy());
  std::multiset<std::vector<std::int64_t>> all, epochs[2];
  for (const Sequence& row :
       to_sequences(task::read_split(place.dataset() / "train.jsonl").examples, module.contract, module.tokenizer, 64))
    all.insert({row.response.begin(), row.response.end()});
  EXPECT_EQ(std::set(all.begin(), all.end()).size(), 20u);
  for (std::size_t step = 0; step < 6; ++step)
    add_rows(step < 4 ? first.seen[step] : second.seen[step - 4], epochs[step / 3]);
  EXPECT_EQ(epochs[0], all);
  EXPECT_EQ(epochs[1], all);
}

TEST(DistillationLoop, RefusesTheCheckpointOfOtherGroupsByName) {
  const Workplace place;
  FakeDistill with, without;
  declare_last_layer(with);
  DistillLoopJob job = distill_job(place, "groups", 3, place.policy(), with);
  Recorder recorder;
  recorder.stop_before = 2;
  EXPECT_THROW(distill(job, recorder.hooks()), testing::Stop);
  job.losses = {without.plugin()};
  try {
    distil(job);
    FAIL() << "expected an error";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("loss.projection/value"), std::string::npos) << error.what();
  }
}

TEST(DistillationLoop, GivesEveryThreadAnInstanceOfItsOwn) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill alone, first, second;
  const std::vector<double> expected = distil(distill_job(place, "alone", 4, teacher, alone));
  DistillLoopJob job = distill_job(place, "threads", 4, teacher, first);
  job.losses.push_back(second.plugin());
  job.threads = 2;
  const std::vector<double> found = distil(job);
  EXPECT_FALSE(first.met_another_thread || second.met_another_thread);
  EXPECT_EQ(first.seen.size() + second.seen.size(), 8u);  // two parts a step
  for (std::size_t step = 0; step < 4; ++step)
    EXPECT_NEAR(found[step], expected[step], (step == 0 ? 1e-6 : 1e-3) * expected[step]) << step;
}

TEST(DistillationLoop, WeighsSeveralTeachers) {
  const Workplace place;
  const std::filesystem::path teacher = trained_teacher(place, "teacher", 20);
  FakeDistill loss;
  loss.flags = RETORT_DISTILL_SEVERAL_TEACHERS;
  DistillLoopJob job = distill_job(place, "several", 1, place.policy(), loss);
  job.teachers.push_back(teacher);
  job.teacher_weights = {1, 3};
  const double found = distil(job).front();
  EXPECT_EQ(loss.seen.front().floats.at("teacher0.weight"), std::vector<float>{0.25F});
  EXPECT_EQ(loss.seen.front().floats.at("teacher1.weight"), std::vector<float>{0.75F});
  FakeDistill only;  // the first teacher is the student: it adds nothing
  EXPECT_NEAR(found, 0.75 * distil(distill_job(place, "only", 1, teacher, only)).front(), 1e-6);

  FakeDistill one_teacher;
  job.losses = {one_teacher.plugin()};
  EXPECT_THROW(distil(job), std::invalid_argument);
  job.losses = {loss.plugin()};
  job.teacher_weights = {1};
  EXPECT_THROW(distil(job), std::invalid_argument);
}

namespace {

/// Mass that `of` gives to the `count` likeliest of `by`, and how many of these are among the likeliest of `of`.
std::pair<double, double> mass_and_overlap(const std::vector<float>& of, const std::vector<float>& by,
                                           std::size_t count) {
  const auto likeliest = [count](const std::vector<float>& logits) {
    std::vector<std::size_t> ids(logits.size());
    std::iota(ids.begin(), ids.end(), std::size_t{0});
    std::sort(ids.begin(), ids.end(), [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
    return std::set<std::size_t>(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
  };
  double all = 0, mass = 0, shared = 0;
  for (const float logit : of) all += std::exp(static_cast<double>(logit));
  const std::set<std::size_t> own = likeliest(of);
  for (const std::size_t id : likeliest(by)) {
    mass += std::exp(static_cast<double>(of[id])) / all;
    shared += static_cast<double>(own.count(id));
  }
  return {mass, shared / static_cast<double>(count)};
}

}  // namespace

TEST(DistillationLoop, ReportsWhatBothGiveToTheTeachersLikeliestTokens) {
  const Workplace place;
  FakeDistill loss;
  loss.flags = RETORT_DISTILL_SEVERAL_TEACHERS;
  DistillLoopJob job = distill_job(place, "top", 21, trained_teacher(place, "teacher", 20), loss);
  job.teachers.push_back(trained_teacher(place, "other", 5));
  job.teacher_weights = {1, 3};
  Recorder recorder;
  distill(job, recorder.hooks());
  const SeenDistill& seen = loss.seen.front();
  const std::vector<float>& mask = seen.floats.at("mask");
  double teacher_mass = 0, student_mass = 0, overlap = 0;
  for (std::size_t n = 0; n < mask.size(); ++n)
    for (const auto& [name, weight] : {std::pair("teacher0.logits", .25), {"teacher1.logits", .75}}) {
      const auto student = row_of(seen.floats.at("student_logits"), n, mask.size());
      const auto teacher = row_of(seen.floats.at(name), n, mask.size());
      const auto [mass, shared] = mass_and_overlap(student, teacher, 16);
      const double share = weight * static_cast<double>(mask[n]) / seen.batch.step_weight;
      teacher_mass += share * mass_and_overlap(teacher, teacher, 16).first;
      student_mass += share * mass;
      overlap += share * shared;
    }
  ASSERT_EQ(recorder.metrics["top_overlap"].size(), 2u);  // of steps 0 and 20
  EXPECT_NEAR(recorder.metrics["teacher_top_mass"][0], teacher_mass, 1e-5);
  EXPECT_NEAR(recorder.metrics["student_top_mass"][0], student_mass, 1e-5);
  EXPECT_NEAR(recorder.metrics["top_overlap"][0], overlap, 1e-5);
  EXPECT_LT(student_mass, teacher_mass);
  EXPECT_LT(overlap, 1);

  FakeDistill same;
  Recorder of_same;
  distill(distill_job(place, "same", 1, place.policy(), same), of_same.hooks());
  EXPECT_NEAR(of_same.metrics["student_top_mass"][0], of_same.metrics["teacher_top_mass"][0], 1e-6);
  EXPECT_EQ(of_same.metrics["top_overlap"][0], 1);
}

TEST(DistillationLoop, SaysWhenTheStudentAnswersItself) {
  const Workplace place;
  FakeDistill loss;
  loss.on_policy_fraction = 1;
  loss.signals |= RETORT_SIGNAL_LABELS;
  const DistillLoopJob job = distill_job(place, "on_policy", 1, place.policy(), loss);
  distil(job);
  EXPECT_EQ(loss.seen.front().batch.on_policy, 1u);
  EXPECT_EQ(loss.seen.front().batch.step_weight, static_cast<double>(loss.seen.front().floats.at("mask").size()));
  std::vector<std::int64_t> labels;
  for (const ExpectedRow& row : expected_rows(job, 0)) labels.push_back(row.label);
  EXPECT_NE(loss.seen.front().integers.at("labels"), labels);
}

TEST(DistillationLoop, NamesWhatALossLeftUnwritten) {
  const Workplace place;
  FakeDistill loss;
  loss.leaves_unwritten = true;
  try {
    distil(distill_job(place, "unwritten", 1, place.policy(), loss));
    FAIL() << "expected an error";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("distill.fake: loss(): d loss / d student_logits"), std::string::npos)
        << error.what();
  }
}

TEST(DistillationLoop, RefusesWhatItCannotGiveByName) {
  FakeDistill loss;
  EXPECT_TRUE(distillation_findings(loss.plugin()).empty());
  loss.signals = RETORT_SIGNAL_TEACHER_SPANS | RETORT_SIGNAL_TEACHER_LOGITS;
  ASSERT_EQ(distillation_findings(loss.plugin()).size(), 1u);
  EXPECT_NE(distillation_findings(loss.plugin()).front().find("TEACHER_SPANS without"), std::string::npos);
  loss.flags = RETORT_DISTILL_WHOLE_SEQUENCES;
  EXPECT_TRUE(distillation_findings(loss.plugin()).empty());
  loss.signals |= RETORT_SIGNAL_TEACHER_TOP_K;
  loss.top_k = 2;
  EXPECT_NE(distillation_findings(loss.plugin()).front().find("together with TEACHER_TOP_K"), std::string::npos);
  loss.flags = 0;
  loss.top_k = 0;
  loss.signals = RETORT_SIGNAL_BLOCK_INFLUENCE;
  EXPECT_NE(distillation_findings(loss.plugin()).front().find("BLOCK_INFLUENCE"), std::string::npos);
  loss.signals = RETORT_SIGNAL_TEACHER_TOP_K;
  EXPECT_NE(distillation_findings(loss.plugin()).front().find("top_k"), std::string::npos);

  const Workplace place;
  FakeDistill deep;
  declare_last_layer(deep);
  deep.student_layers = {2};  // of 2 layers
  EXPECT_THROW(distil(distill_job(place, "deep", 1, place.policy(), deep)), std::invalid_argument);
}

}  // namespace retort::train
