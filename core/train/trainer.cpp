#include "train/trainer.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>
#include <torch/serialize.h>

#include <cmath>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "host/base/files.h"

namespace retort::train {

namespace {

using torch::Tensor;

/// What AdamW remembers of a weight.
torch::optim::AdamWParamState* state_of(torch::optim::AdamW& optimizer, const Tensor& weight) {
  const auto found = optimizer.state().find(weight.unsafeGetTensorImpl());
  if (found == optimizer.state().end()) return nullptr;
  return static_cast<torch::optim::AdamWParamState*>(found->second.get());
}

/// Refuses a checkpoint that was written by a run with other groups or tensors.
void expect_same_names(torch::serialize::InputArchive& archive, const ParameterGroups& groups) {
  constexpr std::string_view prefix = "weight/";
  std::set<std::string> stored, wanted;
  for (const std::string& key : archive.keys())
    if (key.starts_with(prefix)) stored.insert(key.substr(prefix.size()));
  for (const auto& [name, weight] : groups.named_tensors()) wanted.insert(name);
  for (const std::string& name : stored)
    if (!wanted.contains(name)) throw std::runtime_error("it holds " + name + ", which this run does not train");
  for (const std::string& name : wanted)
    if (!stored.contains(name)) throw std::runtime_error("it lacks " + name + ", which this run trains");
}

void read_into(torch::serialize::InputArchive& archive, const std::string& name, Tensor target) {
  Tensor stored;
  archive.read(name, stored);
  if (stored.sizes() != target.sizes()) {
    std::ostringstream text;
    text << name << " has the shape " << stored.sizes() << ", this run's has " << target.sizes();
    throw std::runtime_error(text.str());
  }
  target.copy_(stored);
}

}  // namespace

Trainer::Trainer(ParameterGroups groups, const TrainingOptions& options, std::int64_t total_steps, std::uint64_t seed,
                 std::filesystem::path work_folder, const RunHooks& hooks)
    : groups_(std::move(groups)),
      weights_(groups_.tensors()),
      options_(options),
      schedule_{options.learning_rate, total_steps, options.warmup_fraction, options.final_fraction},
      total_steps_(total_steps),
      seed_(seed),
      checkpoint_(std::move(work_folder) / "checkpoint.pt"),
      hooks_(hooks) {
  std::vector<torch::optim::OptimizerParamGroup> optimised;
  const auto add = [&](std::vector<Tensor> parameters, double decay, double rate_scale) {
    if (parameters.empty()) return;
    auto settings = std::make_unique<torch::optim::AdamWOptions>(options.learning_rate);
    settings->betas({0.9, 0.95}).weight_decay(decay);
    optimised.emplace_back(std::move(parameters), std::move(settings));
    rate_scales_.push_back(rate_scale);
  };
  for (const ParameterGroup& group : groups_.all()) {
    std::vector<Tensor> matrices, vectors;
    for (const auto& entry : group.tensors) (entry.second.dim() > 1 ? matrices : vectors).push_back(entry.second);
    add(std::move(matrices), group.weight_decay ? options.weight_decay : 0.0, group.learning_rate_scale);
    add(std::move(vectors), 0.0, group.learning_rate_scale);
  }
  optimizer_ = std::make_unique<torch::optim::AdamW>(std::move(optimised));
  if (options.average_decay > 0)
    for (const Tensor& weight : weights_) average_.push_back(weight.detach().clone());
  if (resume()) hooks.log("continuing from step " + std::to_string(next_step_) + " of " + std::to_string(total_steps));
}

Trainer::~Trainer() = default;

bool Trainer::resume() {
  if (!std::filesystem::exists(checkpoint_)) return false;
  const auto refuse = [&](const std::string& why) {
    throw std::runtime_error("cannot continue from '" + checkpoint_.string() + "': " + why +
                             "; delete it to start this stage again");
  };
  try {
    torch::serialize::InputArchive archive;
    archive.load_from(checkpoint_.string());
    expect_same_names(archive, groups_);
    torch::NoGradGuard no_grad;
    const auto named = groups_.named_tensors();
    for (std::size_t i = 0; i < named.size(); ++i) {
      const auto& [name, weight] = named[i];
      read_into(archive, "weight/" + name, weight);
      if (!average_.empty()) read_into(archive, "average/" + name, average_[i]);
      Tensor steps;
      if (!archive.try_read("adam.steps/" + name, steps)) continue;  // a weight that has had no gradient yet
      auto state = std::make_unique<torch::optim::AdamWParamState>();
      state->step(steps.item<std::int64_t>());
      state->exp_avg(torch::empty_like(weight)).exp_avg_sq(torch::empty_like(weight));
      read_into(archive, "adam.mean/" + name, state->exp_avg());
      read_into(archive, "adam.square/" + name, state->exp_avg_sq());
      optimizer_->state()[weight.unsafeGetTensorImpl()] = std::move(state);
    }
    Tensor step;
    archive.read("next_step", step);
    next_step_ = last_checkpoint_ = step.item<std::int64_t>();
  } catch (const c10::Error& error) {
    refuse(error.what_without_backtrace());
  } catch (const std::runtime_error& error) {
    refuse(error.what());
  }
  return true;
}

void Trainer::save_checkpoint(std::int64_t next_step) const {
  torch::serialize::OutputArchive archive;
  archive.write("next_step", torch::tensor(next_step));
  const auto named = groups_.named_tensors();
  for (std::size_t i = 0; i < named.size(); ++i) {
    const auto& [name, weight] = named[i];
    archive.write("weight/" + name, weight.detach());
    if (!average_.empty()) archive.write("average/" + name, average_[i]);
    const torch::optim::AdamWParamState* state = state_of(*optimizer_, weight);
    if (state == nullptr) continue;
    archive.write("adam.steps/" + name, torch::tensor(state->step()));
    archive.write("adam.mean/" + name, state->exp_avg());
    archive.write("adam.square/" + name, state->exp_avg_sq());
  }
  std::ostringstream bytes;
  archive.save_to(bytes);
  host::write_file_atomically(checkpoint_, bytes.view());
}

void Trainer::update(std::int64_t step, double loss) {
  const double norm =
      torch::nn::utils::clip_grad_norm_(weights_, options_.gradient_clip > 0 ? options_.gradient_clip : 1e30);
  if (!std::isfinite(norm) || !std::isfinite(loss))
    throw std::runtime_error("training diverged at step " + std::to_string(step) + ": loss " + std::to_string(loss) +
                             ", gradient norm " + std::to_string(norm) +
                             "; lower learning_rate or raise warmup_fraction");
  const double rate = schedule_.at(step);
  for (std::size_t i = 0; i < rate_scales_.size(); ++i)
    optimizer_->param_groups()[i].options().set_lr(rate * rate_scales_[i]);
  optimizer_->step();
  if (!average_.empty()) {
    torch::NoGradGuard no_grad;
    // Early on the average forgets faster, so that the random start does not linger.
    const double decay =
        std::min(options_.average_decay, (1.0 + static_cast<double>(step)) / (10.0 + static_cast<double>(step)));
    for (std::size_t i = 0; i < weights_.size(); ++i) average_[i].lerp_(weights_[i], 1.0 - decay);
  }
  hooks_.metric("loss", step, loss);
  hooks_.metric("gradient_norm", step, norm);
  hooks_.metric("learning_rate", step, rate);
}

void Trainer::run(const std::string& label, const std::function<double(std::int64_t)>& accumulate) {
  // Also where checkpoint_steps asks for no checkpoints: what was done is not to be lost for a Ctrl-C.
  const auto save_before_stopping = [&](std::int64_t step) {
    if (step > last_checkpoint_ && step % checkpoint_multiple_ == 0) save_checkpoint(step);
  };
  for (std::int64_t step = next_step_; step < total_steps_; ++step) {
    double loss = 0;
    try {
      if (step % checkpoint_multiple_ == 0) hooks_.throw_if_stopped();  // else there is nothing to go on from
      torch::manual_seed(seed_ + static_cast<std::uint64_t>(step) * 0x9E3779B9ULL);
      optimizer_->zero_grad();
      loss = accumulate(step);
    } catch (const Stopped&) {
      save_before_stopping(step);
      throw;
    } catch (const host::PluginError& error) {
      if (error.code() == RETORT_ERROR_STOPPED) save_before_stopping(step);
      throw;
    }
    update(step, loss);
    hooks_.progress(label, step + 1, total_steps_, "steps");
    const std::int64_t done = step + 1;
    if (options_.checkpoint_steps > 0 && done - last_checkpoint_ >= options_.checkpoint_steps &&
        done % checkpoint_multiple_ == 0 && done < total_steps_) {
      save_checkpoint(done);
      last_checkpoint_ = done;
    }
  }
}

void Trainer::use_averaged_weights() {
  torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < average_.size(); ++i) weights_[i].copy_(average_[i]);
}

MixedPrecision::MixedPrecision(const std::string& precision)
    : active_(precision == "bf16" || (precision == "auto" && __builtin_cpu_supports("avx512bf16"))) {
  if (!active_) return;
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  // A forward pass uses each weight once, and LibTorch's cache of converted weights is shared by threads.
  at::autocast::set_autocast_cache_enabled(false);
  at::autocast::increment_nesting();
}

MixedPrecision::~MixedPrecision() {
  if (!active_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::set_autocast_cache_enabled(true);
  at::autocast::set_autocast_enabled(at::kCPU, false);
}

void use_threads(std::int64_t threads) {
  at::set_num_threads(static_cast<int>(threads));
}

}  // namespace retort::train
