#include "train/trainer.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>

#include <cmath>
#include <sstream>
#include <stdexcept>

#include "host/base/files.h"

namespace retort::train {

Trainer::Trainer(DecoderModule& decoder, const TrainingOptions& options, std::int64_t total_steps, std::uint64_t seed,
                 std::filesystem::path work_folder, const RunHooks& hooks)
    : decoder_(decoder),
      options_(options),
      schedule_{options.learning_rate, total_steps, options.warmup_fraction, options.final_fraction},
      total_steps_(total_steps),
      seed_(seed),
      checkpoint_(std::move(work_folder) / "checkpoint.pt"),
      hooks_(hooks) {
  std::vector<torch::Tensor> matrices, vectors;
  for (const torch::Tensor& weight : decoder.parameters()) (weight.dim() > 1 ? matrices : vectors).push_back(weight);
  const auto group = [&](std::vector<torch::Tensor> parameters, double decay) {
    auto settings = std::make_unique<torch::optim::AdamWOptions>(options.learning_rate);
    settings->betas({0.9, 0.95}).weight_decay(decay);
    return torch::optim::OptimizerParamGroup(std::move(parameters), std::move(settings));
  };
  optimizer_ = std::make_unique<torch::optim::AdamW>(
      std::vector{group(std::move(matrices), options.weight_decay), group(std::move(vectors), 0.0)});
  if (options.average_decay > 0)
    for (const torch::Tensor& weight : decoder.parameters()) average_.push_back(weight.detach().clone());
  if (resume()) hooks.log("continuing from step " + std::to_string(next_step_) + " of " + std::to_string(total_steps));
}

Trainer::~Trainer() = default;

bool Trainer::resume() {
  if (!std::filesystem::exists(checkpoint_)) return false;
  try {
    torch::serialize::InputArchive archive;
    archive.load_from(checkpoint_.string());
    torch::NoGradGuard no_grad;
    const auto read = [&](const std::string& name, torch::Tensor target) {
      torch::Tensor stored;
      archive.read(name, stored);
      target.copy_(stored);
    };
    torch::Tensor step;
    archive.read("next_step", step);
    for (const auto& [name, weight] : decoder_.weights()) read("weight." + name, weight);
    for (std::size_t i = 0; i < average_.size(); ++i) read("average." + std::to_string(i), average_[i]);
    torch::serialize::InputArchive optimizer;
    archive.read("optimizer", optimizer);
    optimizer_->load(optimizer);
    next_step_ = step.item<std::int64_t>();
    return true;
  } catch (const c10::Error& error) {
    throw std::runtime_error("cannot continue from '" + checkpoint_.string() + "': " + error.what_without_backtrace() +
                             "; delete it to start this stage again");
  }
}

void Trainer::save_checkpoint(std::int64_t next_step) const {
  torch::serialize::OutputArchive archive;
  archive.write("next_step", torch::tensor(next_step));
  for (const auto& [name, weight] : decoder_.weights()) archive.write("weight." + name, weight.detach());
  for (std::size_t i = 0; i < average_.size(); ++i) archive.write("average." + std::to_string(i), average_[i]);
  torch::serialize::OutputArchive optimizer;
  optimizer_->save(optimizer);
  archive.write("optimizer", optimizer);
  std::ostringstream bytes;
  archive.save_to(bytes);
  host::write_file_atomically(checkpoint_, bytes.view());
}

void Trainer::update(std::int64_t step, double loss) {
  const double norm = torch::nn::utils::clip_grad_norm_(decoder_.parameters(),
                                                        options_.gradient_clip > 0 ? options_.gradient_clip : 1e30);
  if (!std::isfinite(norm) || !std::isfinite(loss))
    throw std::runtime_error("training diverged at step " + std::to_string(step) + ": loss " + std::to_string(loss) +
                             ", gradient norm " + std::to_string(norm) +
                             "; lower learning_rate or raise warmup_fraction");
  const double rate = schedule_.at(step);
  for (auto& group : optimizer_->param_groups()) group.options().set_lr(rate);
  optimizer_->step();
  if (!average_.empty()) {
    torch::NoGradGuard no_grad;
    // Early on the average forgets faster, so that the random start does not linger.
    const double decay =
        std::min(options_.average_decay, (1.0 + static_cast<double>(step)) / (10.0 + static_cast<double>(step)));
    const std::vector<torch::Tensor> weights = decoder_.parameters();
    for (std::size_t i = 0; i < weights.size(); ++i) average_[i].lerp_(weights[i], 1.0 - decay);
  }
  hooks_.metric("loss", step, loss);
  hooks_.metric("gradient_norm", step, norm);
  hooks_.metric("learning_rate", step, rate);
}

void Trainer::run(const std::string& label, const std::function<double(std::int64_t)>& accumulate) {
  for (std::int64_t step = next_step_; step < total_steps_; ++step) {
    hooks_.throw_if_stopped();
    torch::manual_seed(seed_ + static_cast<std::uint64_t>(step) * 0x9E3779B9ULL);
    optimizer_->zero_grad();
    const double loss = accumulate(step);
    update(step, loss);
    hooks_.progress(label, step + 1, total_steps_, "steps");
    if (options_.checkpoint_steps > 0 && (step + 1) % options_.checkpoint_steps == 0 && step + 1 < total_steps_)
      save_checkpoint(step + 1);
  }
}

void Trainer::use_averaged_weights() {
  torch::NoGradGuard no_grad;
  const std::vector<torch::Tensor> weights = decoder_.parameters();
  for (std::size_t i = 0; i < average_.size(); ++i) torch::Tensor(weights[i]).copy_(average_[i]);
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
