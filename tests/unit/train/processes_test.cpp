// Two processes of one training against one: this program starts itself again with the environment of torchrun.
#include "train/processes.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "host/base/files.h"
#include "train/model_weights.h"
#include "train/process_fixture.h"
#include "train/training_fixture.h"

namespace retort::train {
namespace {

using namespace testing;

/// One step that depends on nothing but the batch.
FineTuningJob job_in(const fs::path& dataset, const fs::path& folder) {
  FineTuningJob job = small_job(dataset, folder);
  job.training.batch_size = 7;  // shares of 3 and 4
  job.training.steps = 1;
  job.training.average_decay = 0;
  job.training.dropout = 0;
  job.training.optimizer = "adafactor";  // AdamW's first step is the gradient's sign, which rounding turns near zero
  job.training.learning_rate = 1e-2;
  return job;
}

pid_t start(const std::string& folder, int rank, int size, const std::string& port) {
  return start_process("Processes.TrainsAsOneOfThoseNamed", rank, size, port, {"PROCESSES_TEST_FOLDER=" + folder});
}

}  // namespace

TEST(Processes, OneWhereTheEnvironmentNamesNone) {
  const Processes& processes = Processes::of_environment();
  EXPECT_TRUE(processes.alone());
  const std::vector<std::size_t> batch = {4, 2, 9};
  EXPECT_EQ(processes.share(batch).size(), 3u);
  EXPECT_EQ(processes.sum_gradients({}, 2.5, 7), 2.5);
  const nlohmann::json said = {{"a", 1}};
  ASSERT_EQ(processes.gather(said).size(), 1u);
  EXPECT_EQ(processes.gather(said).front(), said);
  EXPECT_EQ(processes.sum({{"loss", 2.5}}).at("loss"), 2.5);
  EXPECT_TRUE(processes.any(true));
  EXPECT_FALSE(processes.any(false));
}

/// The environment may name several; where it names none this is one alone, with data of its own. The tests below run
/// it in processes of their own, too.
TEST(Processes, TrainsAsOneOfThoseNamed) {
  const Workplace place;
  const char *given = std::getenv("PROCESSES_TEST_FOLDER"), *rank = std::getenv("RANK");
  const std::string name = rank == nullptr ? "0" : rank;
  const fs::path root = given == nullptr ? place.root.path() : fs::path(given);
  LossRecorder recorder;
  const FineTuningJob job = job_in(root / "dataset", root / name);
  fine_tune(job, recorder.hooks());
  ASSERT_EQ(recorder.losses.size(), 1u);
  EXPECT_NEAR(recorder.losses.at(0), std::log(300), 0.5);  // of a model that knows nothing of its 300 tokens
  EXPECT_TRUE(fs::exists(job.output / "model.safetensors"));
  std::ofstream(root / (name + ".txt")) << std::hexfloat << recorder.losses.at(0) << " "
                                        << recorder.metrics["gradient_norm"][0];
}

TEST(Processes, TwoGiveTheStepOfOne) {
  const Workplace place;
  const std::string root = place.root.path();
  const std::string port = free_port();
  const pid_t first = start(root, 0, 2, port), second = start(root, 1, 2, port);
  ASSERT_EQ(exit_code(first), 0);
  ASSERT_EQ(exit_code(second), 0);
  LossRecorder alone;
  const FineTuningJob job = job_in(place.dataset, place.root.path() / "alone");
  fine_tune(job, alone.hooks());
  EXPECT_EQ(host::read_file(place.root.path() / "0.txt"), host::read_file(place.root.path() / "1.txt"));
  const std::string said = host::read_file(place.root.path() / "0.txt");
  char* rest = nullptr;
  EXPECT_NEAR(std::strtod(said.c_str(), &rest), alone.losses.at(0), 1e-5);
  EXPECT_NEAR(std::strtod(rest, nullptr), alone.metrics["gradient_norm"][0], 1e-5);
  EXPECT_EQ(host::sha256_of_file(place.root.path() / "0" / "output" / "model.safetensors"),
            host::sha256_of_file(place.root.path() / "1" / "output" / "model.safetensors"));
  const CallModule one = load_call_module(job.output), two = load_call_module(place.root.path() / "0" / "output");
  for (std::size_t i = 0; i < one.decoder->weights().size(); ++i)
    EXPECT_LT((one.decoder->weights()[i].second - two.decoder->weights()[i].second).abs().max().item<double>(), 1e-5)
        << one.decoder->weights()[i].first;
}

TEST(Processes, HalfAnEnvironmentIsRefused) {
  const Workplace place;
  EXPECT_NE(exit_code(start(place.root.path(), 0, 2, "none")), 0);
  EXPECT_NE(exit_code(start(place.root.path(), 2, 2, free_port())), 0);  // a rank that the size has not
}

}  // namespace retort::train
