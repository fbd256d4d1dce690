#include "train/trainer.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <torch/serialize.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "host/base/files.h"
#include "train/data_parallel.h"

namespace retort::train {

namespace {

using torch::Tensor;

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

/// A GPU sums in any order unless it is told otherwise, and a run that goes on is to end with the same bytes. LibTorch
/// warns of what it cannot sum in one order.
void fix_order_of_sums() {
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);  // read when cuBLAS is first used
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  at::globalContext().setDeterministicAlgorithms(true, true);
}

}  // namespace

Trainer::Trainer(ParameterGroups groups, const TrainingOptions& options, std::int64_t total_steps, std::uint64_t seed,
                 std::filesystem::path work_folder, const RunHooks& hooks)
    : groups_(std::move(groups)),
      weights_(groups_.tensors()),
      options_(options),
      schedule_{options.learning_rate,  total_steps,      options.warmup_fraction,
                options.final_fraction, options.schedule, options.decay_fraction},
      total_steps_(total_steps),
      seed_(seed),
      checkpoint_(std::move(work_folder) / "checkpoint.pt"),
      hooks_(hooks),
      threads_(at::get_num_threads()) {
  if (!weights_.front().is_cpu()) fix_order_of_sums();
  optimizer_ = make_optimizer(groups_, options);
  schedule_.at(total_steps - 1);  // refuses a shape that it does not know
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
    }
    const std::vector<std::string> keys = archive.keys();
    const std::set<std::string> stored(keys.begin(), keys.end());
    optimizer_->restore([&](const std::string& name, Tensor into) {
      if (!stored.contains(name)) return false;
      read_into(archive, name, std::move(into));
      return true;
    });
    read_best(archive);
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

void Trainer::read_best(torch::serialize::InputArchive& archive) {
  Tensor counts, scores;
  if (!archive.try_read("best.steps", counts)) return;
  archive.read("best.scores", scores);
  best_.steps = counts[0].item<std::int64_t>();
  best_.without = counts[1].item<std::int64_t>();
  best_.score = scores.item<double>();
  for (const auto& [name, weight] : groups_.named_tensors()) {
    Tensor value;
    if (archive.try_read("best/" + name, value)) best_.values.push_back(value.to(weight.device()));
  }
}

void Trainer::save_checkpoint(std::int64_t next_step) const {
  torch::serialize::OutputArchive archive;
  archive.write("next_step", torch::tensor(next_step));
  if (best_.steps > 0) {
    archive.write("best.steps", torch::tensor({best_.steps, best_.without}));
    archive.write("best.scores", torch::tensor(best_.score, torch::kFloat64));
  }
  const auto named = groups_.named_tensors();
  for (std::size_t i = 0; i < named.size(); ++i) {
    const auto& [name, weight] = named[i];
    archive.write("weight/" + name, weight.detach().cpu());
    if (!average_.empty()) archive.write("average/" + name, average_[i].cpu());
    if (!best_.values.empty()) archive.write("best/" + name, best_.values[i].cpu());
  }
  for (const auto& [name, value] : optimizer_->state()) archive.write(name, value.cpu());
  std::ostringstream bytes;
  archive.save_to(bytes);
  host::write_file_atomically(checkpoint_, bytes.view());
}

void Trainer::diverged(std::int64_t step, double loss) const {
  nlohmann::json found = {{"step", step}, {"loss", loss}, {"not_finite", nlohmann::json::array()}};
  std::string first;
  const auto look = [&](const std::string& what, const Tensor& values) {
    if (!values.defined()) return;
    const auto bad = values.numel() - values.isfinite().sum().item<std::int64_t>();
    if (bad == 0) return;
    found["not_finite"].push_back({{"tensor", what}, {"elements", bad}, {"of", values.numel()}});
    if (first.empty())
      first = "; " + std::to_string(bad) + " of " + std::to_string(values.numel()) + " elements of the " + what +
              " are not finite";
  };
  for (const auto& [name, weight] : groups_.named_tensors()) look("weight " + name, weight.detach());
  for (const auto& [name, weight] : groups_.named_tensors()) look("gradient of " + name, weight.grad());
  std::string saved;
  if (describe_) {
    found["batch"] = describe_(step);
    const std::filesystem::path file = checkpoint_.parent_path() / "diverged.json";
    host::write_file_atomically(file, found.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    saved = "; the batch is in '" + file.string() + "'";
  }
  throw std::runtime_error("training diverged at step " + std::to_string(step) + ": loss " + std::to_string(loss) +
                           first + saved + "; lower learning_rate or raise warmup_fraction");
}

/// As torch::nn::utils::clip_grad_norm_, which takes one weight after the other, to the bit. Returns the norm.
double Trainer::clip_gradients() const {
  const torch::NoGradGuard no_grad;
  const OperationThreads all(threads_);
  std::vector<Tensor> gradients;
  for (const Tensor& weight : weights_)
    if (weight.grad().defined()) gradients.push_back(weight.grad());
  if (gradients.empty()) return 0;
  const auto count = static_cast<std::int64_t>(gradients.size());
  std::vector<Tensor> norms(gradients.size());
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      norms[static_cast<std::size_t>(i)] = gradients[static_cast<std::size_t>(i)].norm(2);
  });
  const Tensor norm = count == 1 ? norms.front() : torch::stack(norms).norm(2);
  if (!std::isfinite(norm.item<double>())) return norm.item<double>();
  const double limit = options_.gradient_clip > 0 ? options_.gradient_clip : 1e30;
  const Tensor factor = torch::clamp(limit / (norm + 1e-6), std::nullopt, 1.0);
  if (factor.item<float>() < 1)
    for (Tensor& gradient : gradients) gradient.mul_(factor);
  return norm.item<double>();
}

void Trainer::update(std::int64_t step, double loss) {
  const double norm = clip_gradients();
  if (!std::isfinite(norm) || !std::isfinite(loss)) diverged(step, loss);
  const double rate = schedule_.at(step);
  optimizer_->step(rate);
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

void Trainer::share_with(const Processes& processes) {
  if (processes.alone()) return;
  std::int64_t elements = 0;
  for (const Tensor& weight : weights_) elements += weight.numel();
  processes.expect_alike(
      {{"step", next_step_}, {"steps", total_steps_}, {"number of weights", elements}, {"seed", seed_}},
      "give all the same config and data; where the step differs alone, copy checkpoint.pt of the one that is furthest "
      "(this one's is '" +
          checkpoint_.string() + "') into the work folders of the others, or delete it in all");
  processes_ = &processes;
  hooks_.log("process " + std::to_string(processes.rank()) + " of " + std::to_string(processes.size()) +
             ", gradients summed by " + Processes::carrier(weights_.front().device()));
}

/// Whether to stop is every process's question: all leave their checkpoints before the same step.
void Trainer::throw_if_stopped() const {
  if (processes_ == nullptr) return hooks_.throw_if_stopped();
  std::exception_ptr asked;
  try {
    hooks_.throw_if_stopped();
  } catch (...) {
    asked = std::current_exception();
  }
  const bool any = processes_->any(asked != nullptr);
  if (asked) std::rethrow_exception(asked);
  if (any) throw Stopped();
}

void Trainer::run(const std::string& label, const std::function<double(std::int64_t)>& accumulate) {
  // Also where checkpoint_steps asks for no checkpoints: what was done is not to be lost for a Ctrl-C.
  const auto save_before_stopping = [&](std::int64_t step) {
    if (step <= last_checkpoint_) return;
    if (step % checkpoint_multiple_ != 0) save_shared_();
    save_checkpoint(step);
  };
  for (std::int64_t step = next_step_;; ++step) {
    double loss = 0;
    std::chrono::steady_clock::time_point begin;
    try {
      throw_if_stopped();
      if (!validate(step) || step >= total_steps_) break;
      torch::manual_seed(seed_ + static_cast<std::uint64_t>(step) * 0x9E3779B9ULL);
      for (Tensor& weight : weights_) weight.mutable_grad().reset();
      tokens_ = 0;
      begin = std::chrono::steady_clock::now();
      loss = accumulate(step);
      if (processes_ != nullptr) loss = processes_->sum_gradients(weights_, loss, step);
    } catch (const Stopped&) {
      save_before_stopping(step);
      throw;
    } catch (const ProcessGone& gone) {
      save_before_stopping(step);
      throw ProcessGone(std::string(gone.what()) + "; process " + std::to_string(processes_->rank()) + " has done " +
                        std::to_string(step) + " of " + std::to_string(total_steps_) + " steps and kept them in '" +
                        checkpoint_.string() +
                        "': see why the other ended, copy that file into the work folders of "
                        "those that have done less, and start all again");
    } catch (const host::PluginError& error) {
      if (error.code() == RETORT_ERROR_STOPPED) save_before_stopping(step);
      throw;
    }
    update(step, loss);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (tokens_ > 0 && seconds > 0) hooks_.metric("tokens_per_second", step, static_cast<double>(tokens_) / seconds);
    hooks_.progress(label, step + 1, total_steps_, "steps");
    const std::int64_t done = step + 1;
    if (options_.checkpoint_steps > 0 && done - last_checkpoint_ >= options_.checkpoint_steps &&
        done % checkpoint_multiple_ == 0 && done < total_steps_) {
      save_checkpoint(done);
      last_checkpoint_ = done;
    }
  }
}

double Trainer::score_of_result() {
  torch::NoGradGuard no_grad;
  std::vector<Tensor> present;
  for (std::size_t i = 0; i < average_.size(); ++i) {
    present.push_back(weights_[i].detach().clone());
    weights_[i].copy_(average_[i]);
  }
  const auto restore = [&] {
    for (std::size_t i = 0; i < present.size(); ++i) weights_[i].copy_(present[i]);
  };
  try {
    const double score = validation_->score();
    restore();
    return score;
  } catch (...) {
    restore();
    throw;
  }
}

// Before the step that follows, and after a checkpoint: a run that continues from one validates again.
bool Trainer::validate(std::int64_t done) {
  if (!validation_ || done == 0 || !validation_->is_due(done)) return true;
  const double score = score_of_result();
  hooks_.metric("validation_exact_match", done - 1, score);
  best_.latest = score;
  best_.latest_steps = done;
  if (best_.steps > 0 && score <= best_.score) {
    ++best_.without;
  } else {
    best_.score = score;
    best_.steps = done;
    best_.without = 0;
    if (validation_->selection.keep == "best") {
      best_.values.clear();
      for (const Tensor& value : average_.empty() ? weights_ : average_) best_.values.push_back(value.detach().clone());
    }
  }
  const std::int64_t patience = validation_->selection.patience;
  if (patience == 0 || best_.without < patience || done >= total_steps_) return true;
  hooks_.metric("steps", -1, static_cast<double>(done));
  hooks_.log("ended after step " + std::to_string(done) + " of " + std::to_string(total_steps_) +
             ": no validation was better than that after step " + std::to_string(best_.steps) + " in the last " +
             std::to_string(patience));
  total_steps_ = done;
  return false;
}

std::optional<double> Trainer::use_kept_weights() {
  torch::NoGradGuard no_grad;
  const std::vector<Tensor>& kept = best_.values.empty() ? average_ : best_.values;
  for (std::size_t i = 0; i < kept.size(); ++i) weights_[i].copy_(kept[i]);
  if (!best_.values.empty()) {
    hooks_.metric("best_step", -1, static_cast<double>(best_.steps));
    return best_.score;
  }
  if (best_.latest_steps == total_steps_) return best_.latest;
  return std::nullopt;
}

MixedPrecision::MixedPrecision(const std::string& precision, torch::Device device)
    : device_(device.type()),
      active_(precision == "bf16" ||
              (precision == "auto" && (!device.is_cpu() || __builtin_cpu_supports("avx512bf16")))) {
  if (!active_) return;
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  // A forward pass uses each weight once, and LibTorch's cache of converted weights is shared by threads.
  at::autocast::set_autocast_cache_enabled(false);
  at::autocast::increment_nesting();
}

MixedPrecision::~MixedPrecision() {
  if (!active_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::set_autocast_cache_enabled(true);
  at::autocast::set_autocast_enabled(device_, false);
}

void use_threads(std::int64_t threads) {
  at::set_num_threads(static_cast<int>(threads));
}

}  // namespace retort::train
