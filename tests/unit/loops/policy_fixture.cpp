#include "policy_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "host/base/files.h"
#include "host/base/json.h"
#include "task/dataset.h"

namespace retort::train::testing {

RunHooks Recorder::hooks() {
  return {[this](std::string_view name, std::int64_t at, double value) {
            metrics[std::string(name)].push_back(value);
            if (name == "loss") step = at + 1;
          },
          [this](std::string_view, std::int64_t done, std::int64_t, std::string_view unit) {
            if (unit == "steps" && done == kill_after) throw Stop();
          },
          [this] {
            if (step == stop_before) throw Stop();
          },
          [](std::string_view) {}};
}

Workplace::Workplace(const fs::path& folder)
    : folder_(folder), dataset_(folder / "dataset"), policy_(folder / "policy") {}

Workplace::Workplace() : folder_(root_.path()), dataset_(folder_ / "dataset"), policy_(folder_ / "policy") {
  fs::create_directories(dataset_);
  fs::create_directories(policy_);
  const nlohmann::json schema = {{"type", "object"},
                                 {"properties", {{"room", {{"type", "string"}}}, {"level", {{"type", "integer"}}}}}};
  host::write_json(
      dataset_ / "tools.json",
      {{{"type", "function"}, {"function", {{"name", "dim"}, {"description", ""}, {"parameters", schema}}}}});
  std::vector<task::Example> examples;
  for (const char* room : {"kitchen", "hall", "garage", "bath"})
    for (int level = 10; level <= 90; level += 20)
      examples.push_back({"dim the " + std::string(room) + " to " + std::to_string(level),
                          std::vector<task::Call>{{"dim", {{"room", room}, {"level", level}}}},
                          nlohmann::json::object()});
  task::write_split(dataset_ / "train.jsonl", examples);
  FineTuningJob job;
  fill(job, "start", 1);
  job.output = policy_;
  job.model = {.vocabulary_size = 300,
               .hidden_size = 16,
               .layers = 2,
               .heads = 2,
               .kv_heads = 2,
               .intermediate_size = 24,
               .max_positions = 64};
  Recorder recorder;
  fine_tune(job, recorder.hooks());
}

void Workplace::fill(TrainingJob& job, const std::string& name, std::int64_t steps) const {
  job.dataset = dataset_;
  job.validation_limit = 0;
  job.training.learning_rate = 1e-3;
  job.training.weight_decay = 0;
  job.training.warmup_fraction = 0;
  job.training.gradient_clip = 0;
  job.training.batch_size = 2;
  job.training.steps = steps;
  job.training.checkpoint_steps = 1;
  job.seed = 5;
  job.output = folder_ / name / "output";
  job.work = folder_ / name / "work";
  fs::create_directories(job.output);
  fs::create_directories(job.work);
}

std::string Workplace::bytes_of(const TrainingJob& job) const {
  return host::sha256_of_file(job.output / "model.safetensors");
}

std::vector<std::int64_t> shape_of(const retort_tensor* tensor) {
  if (tensor == nullptr) return {};
  return {tensor->shape, tensor->shape + tensor->dimensions};
}

namespace {

/// Calls visit(address) for every element, row after row.
template <typename T, typename Visit>
void walk(const retort_tensor* tensor, const Visit& visit) {
  T* base = reinterpret_cast<T*>(static_cast<char*>(tensor->data) + tensor->byte_offset);
  const std::int64_t columns = tensor->dimensions == 2 ? tensor->shape[1] : 1;
  for (std::int64_t i = 0; i < tensor->shape[0]; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      visit(base[i * tensor->strides[0] + (tensor->dimensions == 2 ? j * tensor->strides[1] : 0)]);
}

}  // namespace

std::vector<float> floats_of(const retort_tensor* tensor) {
  std::vector<float> all;
  if (tensor != nullptr) walk<float>(tensor, [&](float& element) { all.push_back(element); });
  return all;
}

std::vector<std::int64_t> integers_of(const retort_tensor* tensor) {
  std::vector<std::int64_t> all;
  if (tensor != nullptr) walk<std::int64_t>(tensor, [&](std::int64_t& element) { all.push_back(element); });
  return all;
}

void write(const retort_tensor* tensor, const std::vector<float>& values) {
  std::size_t next = 0;
  walk<float>(tensor, [&](float& element) { element = values.at(next++); });
}

namespace {

FakeRl& rl_of(retort_instance* instance) {
  return *reinterpret_cast<FakeRl*>(instance);
}

SeenRl remember(const retort_rl_batch& batch) {
  SeenRl seen;
  seen.batch = batch;
  seen.rows = integers_of(batch.rows);
  seen.groups = integers_of(batch.groups);
  seen.positions = shape_of(batch.mask).at(1);
  const auto add = [&](const char* name, const retort_tensor* tensor) {
    if (tensor != nullptr) seen.tensors[name] = floats_of(tensor);
  };
  add("rewards", batch.rewards);
  add("reward_parts", batch.reward_parts);
  add("token_rewards", batch.token_rewards);
  add("finished", batch.finished);
  add("mask", batch.mask);
  add("log_probs", batch.log_probs);
  add("old_log_probs", batch.old_log_probs);
  add("sampler_log_probs", batch.sampler_log_probs);
  add("reference_log_probs", batch.reference_log_probs);
  add("values", batch.values);
  add("old_values", batch.old_values);
  add("entropies", batch.entropies);
  add("advantages", batch.advantages);
  add("returns", batch.returns);
  return seen;
}

retort_error* fake_requirements(retort_instance* instance, retort_rl_requirements* out) {
  *out = rl_of(instance).wanted;
  return nullptr;
}

retort_error* fake_advantages(retort_instance* instance, const retort_rl_batch* batch, retort_rl_advantages* out) {
  FakeRl& fake = rl_of(instance);
  SeenRl seen = remember(*batch);
  std::vector<float> advantages;
  for (std::size_t i = 0; i < seen.tensors["mask"].size(); ++i)
    advantages.push_back(seen.tensors["mask"][i] *
                         seen.tensors["rewards"][i / static_cast<std::size_t>(seen.positions)]);
  write(out->advantages, advantages);
  if (out->returns != nullptr)
    write(out->returns, std::vector<float>(advantages.size(), static_cast<float>(fake.constant_return)));
  if (!fake.keep.empty()) write(out->keep, fake.keep);
  if (fake.drop_equal) {
    std::vector<float> keep;
    const std::vector<float>& rewards = seen.tensors["rewards"];
    const auto group = static_cast<std::size_t>(fake.wanted.group_size);
    for (std::size_t row = 0; row < rewards.size(); ++row) {
      const auto begin = rewards.begin() + static_cast<std::ptrdiff_t>(row / group * group);
      keep.push_back(std::count(begin, begin + static_cast<std::ptrdiff_t>(group), *begin) ==
                             static_cast<std::ptrdiff_t>(group)
                         ? 0.0F
                         : 1.0F);
    }
    write(out->keep, keep);
  }
  fake.advantages.push_back(std::move(seen));
  return nullptr;
}

retort_error* fake_loss(retort_instance* instance, const retort_rl_batch* batch, retort_rl_result* result) {
  FakeRl& fake = rl_of(instance);
  SeenRl seen = remember(*batch);
  const auto tokens = static_cast<double>(batch->update_tokens);
  std::vector<float> by_log_probs, by_values;
  result->loss = 0;
  for (std::size_t i = 0; i < seen.tensors["mask"].size(); ++i) {
    const double mask = seen.tensors["mask"][i], advantage = seen.tensors["advantages"][i];
    const double ratio = std::exp(static_cast<double>(seen.tensors["log_probs"][i]) - seen.tensors["old_log_probs"][i]);
    result->loss -= mask * ratio * advantage / tokens;
    by_log_probs.push_back(static_cast<float>(-mask * ratio * advantage / tokens));
    if (batch->values == nullptr) continue;
    const double miss = static_cast<double>(seen.tensors["values"][i]) - seen.tensors["returns"][i];
    result->loss += mask * miss * miss / 2 / tokens;
    by_values.push_back(static_cast<float>(mask * miss / tokens));
  }
  if (result->log_probs_gradient != nullptr) write(result->log_probs_gradient, by_log_probs);
  if (result->values_gradient != nullptr) write(result->values_gradient, by_values);
  if (result->entropies_gradient != nullptr)
    write(result->entropies_gradient, std::vector<float>(by_log_probs.size(), 0.0F));
  const std::lock_guard lock(fake.mutex);
  fake.losses.push_back(std::move(seen));
  return nullptr;
}

const retort_rl_v1 fake_rl{RETORT_RL_V1_SIZE, 0, fake_requirements, fake_advantages, fake_loss};

}  // namespace

host::RlCall FakeRl::call() {
  return {"rl.fake", reinterpret_cast<retort_instance*>(this), fake_rl};
}

torch::Tensor response_log_probs(DecoderModule& decoder, const Sequence& sequence, double temperature) {
  std::vector<std::int64_t> tokens(sequence.prompt.begin(), sequence.prompt.end());
  tokens.insert(tokens.end(), sequence.response.begin(), sequence.response.end());
  const torch::Tensor hidden = decoder.hidden(torch::tensor(tokens, torch::kInt64).unsqueeze(0)).squeeze(0);
  std::vector<torch::Tensor> chosen;
  for (std::size_t t = 0; t < sequence.response.size(); ++t) {
    const auto before = static_cast<std::int64_t>(sequence.prompt.size() + t) - 1;  // the state that token t comes from
    const torch::Tensor logits = decoder.logits(hidden.narrow(0, before, 1)).squeeze(0).to(torch::kFloat64);
    chosen.push_back((logits / temperature)[sequence.response[t]] - torch::logsumexp(logits / temperature, 0));
  }
  return torch::stack(chosen);
}

std::vector<double> reference_log_probs(const fs::path& model, const Sequence& sequence, double temperature) {
  const torch::NoGradGuard no_grad;
  const CallModule module = load_call_module(model);
  const torch::Tensor chosen = response_log_probs(*module.decoder, sequence, temperature);
  return {chosen.data_ptr<double>(), chosen.data_ptr<double>() + chosen.numel()};
}

void expect_first_step(const fs::path& old_folder, const fs::path& new_folder, double rate,
                       const std::function<torch::Tensor(DecoderModule&)>& loss) {
  const CallModule before = load_call_module(old_folder), after = load_call_module(new_folder);
  loss(*before.decoder).backward();
  std::int64_t compared = 0, moved_with_gradient = 0;
  double largest = 0, smallest = rate;
  for (std::size_t i = 0; i < before.decoder->weights().size(); ++i) {
    const auto& [name, weight] = before.decoder->weights()[i];
    if (!weight.grad().defined()) continue;
    const torch::Tensor change = (after.decoder->weights()[i].second - weight).detach();
    // Adam's first step is rate·g/(|g| + 1e-8): gradients this large move by the rate, but for rounding.
    const torch::Tensor clear = weight.grad().abs() > 1e-4;
    const torch::Tensor moved = change.masked_select(clear), gradient = weight.grad().masked_select(clear);
    if (moved.numel() == 0) continue;
    compared += moved.numel();
    moved_with_gradient += (moved * gradient > 0).sum().item<std::int64_t>();
    largest = std::max(largest, moved.abs().max().item<double>());
    smallest = std::min(smallest, moved.abs().min().item<double>());
  }
  EXPECT_GT(compared, 500);
  EXPECT_EQ(moved_with_gradient, 0) << "of " << compared << " weights";
  EXPECT_NEAR(largest, rate, 0.01 * rate);
  EXPECT_NEAR(smallest, rate, 0.01 * rate);
}

}  // namespace retort::train::testing
