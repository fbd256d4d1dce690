#include "train/recovery.h"

#include <stdexcept>

#include "host/base/files.h"
#include "train/distillation.h"
#include "train/fine_tuning.h"
#include "train/pruning.h"

namespace retort::train {
namespace {

/// The hooks of one of several rounds: its facts under the round's name, its steps behind those of the rounds before.
RunHooks of_round(const RunHooks& hooks, std::size_t round, std::size_t rounds, std::int64_t before) {
  RunHooks own = hooks;
  if (rounds == 1) return own;
  own.metric = [&hooks, prefix = "round_" + std::to_string(round + 1) + "/", before](std::string_view name,
                                                                                     std::int64_t step, double value) {
    if (step < 0)
      hooks.metric(prefix + std::string(name), -1, value);
    else
      hooks.metric(name, step + before, value);
  };
  return own;
}

void cut(const CutSchedule& job, std::size_t round, const std::filesystem::path& model,
         const std::filesystem::path& output, const RunHooks& hooks) {
  PruningJob pruning;
  pruning.dataset = job.dataset;
  pruning.model = model;
  pruning.pruner = job.pruners[round];
  pruning.max_rejected_share = job.max_rejected_share;
  pruning.seed = job.seed;
  pruning.threads = job.threads;
  pruning.output = output;
  prune(pruning, hooks);
}

void recover_round(const CutSchedule& job, std::size_t round, const std::filesystem::path& model,
                   const std::filesystem::path& output, const std::filesystem::path& work, const RunHooks& hooks) {
  recover({job.dataset, job.teacher.value_or(job.model), model, job.losses, job.recovery,
           static_cast<std::int64_t>(round), job.seed, job.threads, output, work},
          hooks);
}

}  // namespace

void make_once(const std::filesystem::path& folder, const std::function<void()>& make) {
  const std::filesystem::path mark = folder.string() + ".done";
  if (std::filesystem::exists(mark)) return;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  make();
  host::write_file_atomically(mark, "");
}

ModelSize recover(const RecoveryJob& job, const RunHooks& hooks) {
  DistillationJob distillation;
  distillation.dataset = job.dataset;
  distillation.validation_limit = job.options.validation_limit;
  distillation.training = training_of_round(job.options, job.round);
  distillation.seed = job.seed;
  distillation.threads = job.threads;
  distillation.output = job.output;
  distillation.work = job.work;
  distillation.teachers = {job.teacher};
  distillation.student = job.student;
  distillation.losses = job.losses;
  distillation.validation = job.options.validation;
  distillation.prompt_loss_weight = job.options.prompt_loss_weight;
  return distill(distillation, hooks);
}

TrainingOptions training_of_round(const RecoveryOptions& options, std::int64_t round) {
  TrainingOptions training = options.training;
  if (round == 0 || options.rewind) return training;
  if (training.schedule != "constant") training.learning_rate *= training.final_fraction;
  if (!(training.learning_rate > 0))
    throw std::invalid_argument(
        "final_fraction: expected above 0, since without \"rewind\" later rounds go on at the rate that the first ends "
        "with; found 0");
  training.schedule = "constant";
  training.warmup_fraction = 0;
  return training;
}

ModelSize cut_in_rounds(const CutSchedule& job, const RunHooks& hooks) {
  const std::size_t rounds = job.pruners.size();
  if (rounds == 0) throw std::invalid_argument("expected at least one pruner, found none");
  training_of_round(job.recovery, static_cast<std::int64_t>(rounds) - 1);  // before any work
  const bool recovers = !job.losses.empty();
  std::filesystem::path model = job.model;
  for (std::size_t round = 0; round < rounds; ++round) {
    const bool last = round + 1 == rounds;
    const std::filesystem::path work = job.work / ("round-" + std::to_string(round + 1));
    const std::int64_t steps = static_cast<std::int64_t>(round) * job.recovery.training.steps;
    const RunHooks own = of_round(hooks, round, rounds, steps);
    if (rounds > 1) hooks.log("round " + std::to_string(round + 1) + " of " + std::to_string(rounds));
    if (last && !recovers) {
      cut(job, round, model, job.output, own);
      break;
    }
    make_once(work / "cut", [&] { cut(job, round, model, work / "cut", own); });
    model = work / "cut";
    if (!recovers) continue;
    const std::filesystem::path training = work / "training";
    std::filesystem::create_directories(training);
    if (last)
      recover_round(job, round, model, job.output, training, own);
    else
      make_once(work / "recovered", [&] { recover_round(job, round, model, work / "recovered", training, own); });
    model = work / "recovered";
  }
  return model_size(job.output);
}

}  // namespace retort::train
