// Trainings on another device against the same ones on the CPU, with a device that the tests bring along
// (stand_in_device.h): steps, checkpoints that cross over, several processes; and what is refused.
#include "train/device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "distill_fixture.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "stand_in_device.h"
#include "train/causal_attention.h"
#include "train/optimizer.h"
#include "train/process_fixture.h"
#include "train/processes.h"
#include "train/signal_recording.h"
#include "train/training_device.h"
#include "training_cases.h"

namespace retort::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::CaseOptions;
using testing::Workplace;
using torch::Tensor;

constexpr char stand_in[] = "stand_in";

/// Sets an environment variable while it lives; nothing: removes it.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Environment() { set(before_ ? before_->c_str() : nullptr); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void set(const char* value) const {
    if (value == nullptr)
      ::unsetenv(name_);
    else
      ::setenv(name_, value, 1);
  }
  const char* name_;
  std::optional<std::string> before_;
};

std::string finding(const std::string& device) {
  const std::vector<std::string> all = device_findings(device);
  return all.empty() ? "" : all.front();
}

class Device : public ::testing::Test {
 protected:
  void SetUp() override { testing::use_stand_in_device(); }
};

TEST_F(Device, NamesThatThisMachineCannotTrainOnAreRefusedInWords) {
  EXPECT_EQ(finding("cpu"), "");
  EXPECT_EQ(finding(stand_in), "");
  EXPECT_EQ(finding("gpu"), "expected \"cpu\", \"cuda\" or \"cuda:N\", found \"gpu\"");
  EXPECT_EQ(finding("cuda:x"), "expected \"cpu\", \"cuda\" or \"cuda:N\", found \"cuda:x\"");
  EXPECT_EQ(finding("cuda:-1"), "expected \"cpu\", \"cuda\" or \"cuda:N\", found \"cuda:-1\"");
  EXPECT_EQ(finding("stand_in:1"), "expected one of the 1 that LibTorch sees, from 0, found \"stand_in:1\"");
  if (torch::globalContext().hasCUDA()) {
    EXPECT_EQ(finding("cuda"), "");
    EXPECT_TRUE(device_of("cuda:0").is_cuda());
  } else {
    EXPECT_NE(finding("cuda").find("expected \"cpu\", found \"cuda\": "), std::string::npos) << finding("cuda");
    EXPECT_THROW(device_of("cuda:0"), std::invalid_argument);
  }
}

TEST_F(Device, OfSeveralProcessesEachTakesTheOneOfItsLocalRank) {
  const Environment size("WORLD_SIZE", "2");
  {
    const Environment none("LOCAL_RANK", nullptr);
    EXPECT_NE(finding(stand_in).find("LOCAL_RANK"), std::string::npos) << finding(stand_in);
    EXPECT_EQ(finding("stand_in:0"), "");  // named: nothing to ask
  }
  const Environment rank("LOCAL_RANK", "0");
  EXPECT_EQ(device_of(stand_in).index(), 0);
  const Environment other("LOCAL_RANK", "1");
  EXPECT_NE(finding(stand_in).find("with LOCAL_RANK 1"), std::string::npos) << finding(stand_in);
}

TEST_F(Device, ARunOnOneThatIsMissingEndsBeforeItsWork) {
  const Workplace place;
  testing::trained_teacher(place, "teacher", 1);
  CaseOptions options;
  options.device = std::string(stand_in) + ":1";  // there is one, 0
  for (const char* which : {"fine_tuning", "rollouts", "pairs", "distillation"}) {
    EXPECT_THROW(testing::run_case(which, place, which, options), std::invalid_argument) << which;
    EXPECT_TRUE(fs::is_empty(place.folder() / which / "output")) << which;
    EXPECT_FALSE(fs::exists(place.folder() / which / "work" / "checkpoint.pt")) << which;
  }
}

/// What the tests below rest on.
TEST_F(Device, TheStandInRaisesWhereDevicesMixAndComputesTheCpusNumbers) {
  const torch::Device device = device_of(stand_in);
  const Tensor here = torch::arange(6.0).view({2, 3}), there = here.to(device);
  EXPECT_THROW(there.matmul(here.t()), c10::Error);
  EXPECT_THROW(there + here, c10::Error);
  EXPECT_THROW(torch::embedding(there, torch::ones({1}, torch::kInt64)), c10::Error);
  EXPECT_TRUE((there.matmul(there.t()) * 2.0).cpu().equal(here.matmul(here.t()) * 2.0));
  EXPECT_EQ(there.sum().item<double>(), 15);
}

struct Variant {
  const char* name;
  std::string which;
  std::function<void(TrainingOptions&)> change;
  std::function<void(FineTuningJob&)> change_tuning;
};

std::vector<Variant> variants() {
  const auto set = [](auto member, auto value) {
    return [member, value](TrainingOptions& options) { options.*member = value; };
  };
  using T = TrainingOptions;
  return {{"plain", "fine_tuning", {}, {}},
          {"micro_batches", "fine_tuning", set(&T::micro_batch_size, 1), {}},
          {"packed", "fine_tuning", set(&T::packing, true), {}},
          {"recomputed", "fine_tuning", set(&T::recompute, true), {}},
          {"averaged", "fine_tuning", set(&T::average_decay, 0.9), {}},
          {"clipped", "fine_tuning", set(&T::gradient_clip, 0.1), {}},
          {"dropout",
           "fine_tuning",
           [](TrainingOptions& options) {
             options.dropout = 0.2;
             options.recompute = true;
           },
           {}},
          {"muon",
           "fine_tuning",
           [](TrainingOptions& options) {
             options.optimizer = "muon";
             options.learning_rate = 1e-4;  // AdamW's first steps of its vectors go by signs
           },
           {}},
          {"low_rank", "fine_tuning", {}, [](FineTuningJob& job) { job.low_rank = {4, 8, {"q_proj", "up_proj"}}; }},
          {"dft", "fine_tuning", {}, [](FineTuningJob& job) { job.loss = "dft"; }},
          {"rollouts", "rollouts", {}, {}},
          {"refill", "refill", {}, {}},
          {"pairs", "pairs", {}, {}},
          {"samples", "samples", {}, {}},
          {"own_answers", "distillation", {}, {}},
          {"states", "states", {}, {}}};
}

class OtherDevice : public ::testing::TestWithParam<Variant> {
 protected:
  void SetUp() override { testing::use_stand_in_device(); }
};

TEST_P(OtherDevice, TrainsAsTheCpuDoes) {
  const Workplace place;
  testing::trained_teacher(place, "teacher", 8);
  CaseOptions options;
  options.change = GetParam().change;
  options.change_tuning = GetParam().change_tuning;
  const json on_cpu = testing::run_case(GetParam().which, place, "cpu", options);
  options.device = stand_in;
  const std::int64_t before = testing::operations_on_stand_in();
  const json on_device = testing::run_case(GetParam().which, place, "device", options);
  EXPECT_GT(testing::operations_on_stand_in() - before, 100);
  testing::expect_all_near(on_device, on_cpu, "");
  const fs::path cpu = place.folder() / "cpu" / "output", device = place.folder() / "device" / "output";
  EXPECT_LT(testing::largest_difference(cpu, device), 1e-5);
  EXPECT_GT(testing::largest_difference(cpu, place.policy()), 1e-5);  // else the comparison says nothing
}

INSTANTIATE_TEST_SUITE_P(Trainings, OtherDevice, ::testing::ValuesIn(variants()),
                         [](const auto& test) { return std::string(test.param.name); });

/// One step's loss and gradients.
TEST_F(Device, AStepIsTheCpusWithinOneInAMillion) {
  const Workplace place;
  std::map<std::string, Tensor> gradients;
  double losses[2] = {};
  for (const bool moved : {false, true}) {
    const CallModule module = load_call_module(place.policy());
    DecoderModule& decoder = *module.decoder;
    if (moved) decoder.to(device_of(stand_in));
    const Tensor ids = torch::arange(24).view({3, 8}).to(decoder.device());
    const Tensor logits = decoder.logits(decoder.hidden(ids).reshape({24, -1}));
    const Tensor loss = torch::cross_entropy_loss(logits, ids.flatten());
    loss.backward();
    losses[moved ? 1 : 0] = loss.item<double>();
    for (const auto& [name, weight] : decoder.weights()) {
      const Tensor gradient = weight.grad().cpu();
      if (moved)
        EXPECT_LT((gradient - gradients.at(name)).abs().max().item<double>(), 1e-6) << name;
      else
        gradients[name] = gradient;
    }
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-6);
}

TEST_F(Device, HalfPrecisionIsTheDevicesOwn) {
  const Workplace place;
  CaseOptions options;
  options.device = stand_in;
  const json exact = testing::run_case("fine_tuning", place, "exact", options);
  options.change = [](TrainingOptions& training) { training.precision = "bf16"; };
  const json half = testing::run_case("fine_tuning", place, "half", options);
  const double first = half.at("loss").at(0), expected = exact.at("loss").at(0);
  EXPECT_NE(first, expected);
  EXPECT_NEAR(first, expected, 2e-2);
  options.change = [](TrainingOptions& training) { training.precision = "auto"; };
  EXPECT_EQ(testing::run_case("fine_tuning", place, "auto", options), half);
}

TEST_F(Device, AttentionOfEveryFormIsTheReference) {
  const torch::Device device = device_of(stand_in);
  torch::manual_seed(5);
  const Tensor q = torch::randn({2, 7, 4, 8}), k = torch::randn({2, 7, 2, 8}), v = torch::randn({2, 7, 2, 8});
  for (const std::int64_t window : {0, 3, 9})
    for (const bool both : {false, true}) {
      const Tensor both_ways = both ? torch::tensor({3, 5}, torch::kInt64) : Tensor();
      const Tensor found =
          causal_attention(q.to(device), k.to(device), v.to(device), window, both ? both_ways.to(device) : both_ways);
      const Tensor expected = ref_causal_attention(q, k, v, window, both_ways);
      EXPECT_LT((found.cpu() - expected).abs().max().item<double>(), 1e-6) << window << both;
    }
}

/// Where the gradient is the same to the bit, so is what an optimiser makes of it, and what it remembers.
TEST_F(Device, OptimisersTakeTheSameSteps) {
  for (const char* name : {"adamw", "muon", "adafactor"}) {
    std::vector<Tensor> after;
    for (const char* where : {"cpu", stand_in}) {
      torch::manual_seed(3);
      std::vector<std::pair<std::string, Tensor>> weights;
      for (const auto& shape : std::vector<std::vector<std::int64_t>>{{6, 4}, {5}})
        weights.emplace_back("w" + std::to_string(shape.size()),
                             torch::randn(shape).to(device_of(where)).set_requires_grad(true));
      TrainingOptions options;
      options.optimizer = name;
      const auto optimizer = make_optimizer(ParameterGroups({{"decoder", weights}}), options);
      for (int step = 0; step < 3; ++step) {
        for (auto& [key, weight] : weights) weight.mutable_grad() = torch::randn(weight.sizes()).to(weight.device());
        optimizer->step(1e-2);
      }
      for (const auto& [key, weight] : weights) after.push_back(weight.detach().cpu());
      for (const auto& [key, value] : optimizer->state()) after.push_back(value.cpu());
    }
    ASSERT_EQ(after.size() % 2, 0u);
    for (std::size_t i = 0; i < after.size() / 2; ++i) EXPECT_TRUE(after[i].equal(after[after.size() / 2 + i])) << name;
  }
}

struct Crossing {
  std::string which, first, second;
};
class CrossingOver : public ::testing::TestWithParam<Crossing> {
 protected:
  void SetUp() override { testing::use_stand_in_device(); }
};

/// Killed on one device, gone on with on the other.
TEST_P(CrossingOver, ACheckpointGoesOnOnEitherDevice) {
  const Workplace place;
  CaseOptions options;
  // AdamW's first steps go by signs, which the devices' rounding turns where a gradient is nearly zero.
  const bool same = GetParam().first == GetParam().second;
  options.change = [same](TrainingOptions& training) {
    if (same) training.optimizer = "adamw";
    training.average_decay = 0.9;
  };
  options.device = GetParam().first;
  testing::run_case(GetParam().which, place, "whole", options);
  options.kill_after = 5;  // the checkpoint of step 4 is there
  EXPECT_THROW(testing::run_case(GetParam().which, place, "killed", options), testing::Stop);
  ASSERT_TRUE(fs::exists(place.folder() / "killed" / "work" / "checkpoint.pt"));
  options.kill_after = -1;
  options.device = GetParam().second;
  const json rest = testing::run_case(GetParam().which, place, "killed", options);
  EXPECT_LE(rest.at("loss").size(), 4u);  // it did not begin again
  const fs::path whole = place.folder() / "whole" / "output", killed = place.folder() / "killed" / "output";
  if (same)
    EXPECT_EQ(host::sha256_of_file(whole / "model.safetensors"), host::sha256_of_file(killed / "model.safetensors"));
  else
    EXPECT_LT(testing::largest_difference(whole, killed), 1e-5);
  EXPECT_EQ(host::read_file(whole / "config.json"), host::read_file(killed / "config.json"));
}

INSTANTIATE_TEST_SUITE_P(
    Devices, CrossingOver,
    ::testing::Values(Crossing{"fine_tuning", stand_in, stand_in}, Crossing{"fine_tuning", stand_in, "cpu"},
                      Crossing{"fine_tuning", "cpu", stand_in}, Crossing{"rollouts", stand_in, stand_in},
                      Crossing{"rollouts", "cpu", stand_in}),
    [](const auto& test) { return test.param.which + "_" + test.param.first + "_" + test.param.second; });

/// The weights of the best validation go into the checkpoint and come back to the device.
TEST_F(Device, TheBestWeightsAreKeptOnIt) {
  const Workplace place;
  fs::copy_file(place.dataset() / "train.jsonl", place.dataset() / "validation.jsonl");
  CaseOptions options;
  options.change_tuning = [](FineTuningJob& job) {
    job.validation_limit = 4;
    job.validation.steps = 1;
    job.validation.keep = "best";
  };
  const json on_cpu = testing::run_case("fine_tuning", place, "cpu", options);
  options.device = stand_in;
  options.kill_after = 3;
  EXPECT_THROW(testing::run_case("fine_tuning", place, "device", options), testing::Stop);
  options.kill_after = -1;
  const json rest = testing::run_case("fine_tuning", place, "device", options);
  EXPECT_EQ(rest.at("best_step"), on_cpu.at("best_step"));
  EXPECT_LT(testing::largest_difference(place.folder() / "cpu" / "output", place.folder() / "device" / "output"), 1e-5);
}

TEST_F(Device, SignalsAreTheCpus) {
  const Workplace place;
  std::vector<double> tails;
  std::vector<std::string> files;
  for (const char* device : {"cpu", stand_in}) {
    SignalRecordingJob job;
    job.dataset = place.dataset();
    job.teacher = place.policy();
    job.top_k = 8;
    job.device = device;
    job.output = place.folder() / device / "output";
    job.work = place.folder() / device / "work";
    fs::create_directories(job.output);
    fs::create_directories(job.work);
    testing::Recorder recorder;
    const SignalAmount amount = record_signals(job, recorder.hooks());
    EXPECT_EQ(amount.rows, 20);
    tails.push_back(amount.mean_tail);
    files.push_back(host::read_file(job.output / "signals.bin"));
  }
  EXPECT_NEAR(tails[0], tails[1], 1e-6);
  EXPECT_EQ(files[0].size(), files[1].size());
}

/// As one of two processes, started by the test below; alone, a step on the device.
TEST_F(Device, TrainsAsOneOfThoseNamed) {
  const char *folder = std::getenv("PROCESSES_TEST_FOLDER"), *rank = std::getenv("RANK");
  CaseOptions options;
  options.device = stand_in;
  if (folder == nullptr || rank == nullptr) {
    EXPECT_EQ(testing::run_case("fine_tuning", Workplace(), "alone", options).at("loss").size(), 6u);
    return;
  }
  options.device = "stand_in:0";
  const Workplace place{fs::path(folder)};
  host::write_json(fs::path(folder) / (std::string(rank) + ".json"),
                   testing::run_case("fine_tuning", place, rank, options));
}

TEST_F(Device, TwoProcessesSumGradientsThroughCopies) {
  EXPECT_EQ(Processes::carrier(torch::kCPU), "Gloo");
  EXPECT_EQ(Processes::carrier(device_of(stand_in)), "Gloo, through copies on the CPU, as this build has no NCCL");
  const Workplace place;
  const std::string port = testing::free_port();
  const auto start = [&](int rank) {
    return testing::start_process("Device.TrainsAsOneOfThoseNamed", rank, 2, port,
                                  {"PROCESSES_TEST_FOLDER=" + place.folder().string()});
  };
  const pid_t first = start(0), second = start(1);
  ASSERT_EQ(testing::exit_code(first), 0);
  ASSERT_EQ(testing::exit_code(second), 0);
  testing::expect_all_near(host::read_json(place.folder() / "0.json"), testing::run_case("fine_tuning", place, "alone"),
                           "");
  EXPECT_EQ(host::sha256_of_file(place.folder() / "0" / "output" / "model.safetensors"),
            host::sha256_of_file(place.folder() / "1" / "output" / "model.safetensors"));
  EXPECT_LT(testing::largest_difference(place.folder() / "alone" / "output", place.folder() / "0" / "output"), 1e-5);
}

}  // namespace
}  // namespace retort::train
