#include "distill_fixture.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "train/epochs.h"

namespace retort::train::testing {
namespace {

FakeDistill& fake_distill(retort_instance* instance) {
  return *reinterpret_cast<FakeDistill*>(instance);
}

retort_error* fake_requirements(retort_instance* instance, const retort_distill_setup* setup,
                                retort_distill_requirements* out) {
  FakeDistill& fake = fake_distill(instance);
  out->signals = fake.signals;
  out->flags = fake.flags;
  out->top_k = fake.top_k;
  out->on_policy_fraction = fake.on_policy_fraction;
  if (setup == nullptr) return nullptr;
  out->layer_count = static_cast<std::int64_t>(fake.student_layers.size());
  out->student_layers = fake.student_layers.data();
  out->teacher_layers = fake.teacher_layers.data();
  if (!fake.projection) return nullptr;
  fake.parameter_shape = {setup->student->hidden, setup->teachers->hidden};
  fake.parameter = {sizeof fake.parameter, 2, {"projection", 10}, fake.parameter_shape.data()};
  out->parameter_count = 1;
  out->parameters = &fake.parameter;
  return nullptr;
}

retort_error* fake_initialise(retort_instance*, const retort_distill_setup* setup, std::uint64_t,
                              const retort_tensor* values) {
  std::vector<float> initial;
  for (std::int64_t i = 0; i < values->shape[0] * values->shape[1]; ++i)
    initial.push_back(0.1F * static_cast<float>((i + static_cast<std::int64_t>(setup->seed)) % 7 - 3));
  write(values, initial);
  return nullptr;
}

SeenDistill remember(const FakeDistill& fake, const retort_distill_batch& batch) {
  SeenDistill seen;
  seen.batch = batch;
  const auto add = [&](const std::string& name, const retort_tensor* tensor) {
    if (tensor != nullptr) seen.floats[name] = floats_of(tensor);
  };
  const auto add_integers = [&](const std::string& name, const retort_tensor* tensor) {
    if (tensor != nullptr) seen.integers[name] = integers_of(tensor);
  };
  add("student_logits", batch.student_logits);
  add("mask", batch.mask);
  add_integers("labels", batch.labels);
  add_integers("sequences", batch.sequences);
  add_integers("positions", batch.positions);
  add_integers("lengths", batch.lengths);
  for (std::size_t i = 0; batch.student_hidden != nullptr && i < fake.student_layers.size(); ++i)
    add("student_hidden" + std::to_string(i), batch.student_hidden[i]);
  for (std::uint64_t a = 0; a < batch.teacher_count; ++a) {
    const retort_distill_teacher& teacher = batch.teachers[a];
    const std::string prefix = "teacher" + std::to_string(a) + ".";
    add(prefix + "logits", teacher.logits);
    add(prefix + "top_log_probs", teacher.top_log_probs);
    add(prefix + "tail_mass", teacher.tail_mass);
    add_integers(prefix + "top_ids", teacher.top_ids);
    add_integers(prefix + "labels", teacher.labels);
    add_integers(prefix + "spans", teacher.spans);
    seen.floats[prefix + "weight"] = {static_cast<float>(teacher.weight)};
    for (std::size_t i = 0; teacher.hidden != nullptr && i < fake.teacher_layers.size(); ++i)
      add(prefix + "hidden" + std::to_string(i), teacher.hidden[i]);
  }
  if (batch.parameters != nullptr) add("parameter0", batch.parameters[0]);
  return seen;
}

/// log_softmax of row `n` of [N,V].
std::vector<double> log_softmax_row(const std::vector<float>& logits, std::size_t n, std::size_t V) {
  std::vector<double> row(logits.begin() + static_cast<std::ptrdiff_t>(n * V),
                          logits.begin() + static_cast<std::ptrdiff_t>((n + 1) * V));
  const double most = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const double z : row) sum += std::exp(z - most);
  for (double& z : row) z -= most + std::log(sum);
  return row;
}

double kl_loss(const FakeDistill& fake, SeenDistill& seen, std::vector<float>& gradient) {
  const std::vector<float>&student = seen.floats["student_logits"], &mask = seen.floats["mask"];
  const std::size_t N = mask.size(), V = student.size() / N;
  gradient.assign(student.size(), 0.0F);
  double loss = 0;
  const std::uint64_t teachers = fake.ignores_second_teacher ? 1 : seen.batch.teacher_count;
  for (std::uint64_t a = 0; a < teachers; ++a) {
    const std::string prefix = "teacher" + std::to_string(a) + ".";
    const double weight = static_cast<double>(seen.floats[prefix + "weight"].front());
    for (std::size_t n = 0; n < N; ++n) {
      const auto log_q = log_softmax_row(student, n, V), log_p = log_softmax_row(seen.floats[prefix + "logits"], n, V);
      for (std::size_t v = 0; v < V; ++v) {
        const double p = std::exp(log_p[v]), scale = weight * static_cast<double>(mask[n]);
        loss += scale * p * (log_p[v] - log_q[v]);
        gradient[n * V + v] += static_cast<float>(scale * (std::exp(log_q[v]) - p) * fake.logits_scale);
      }
    }
  }
  return loss;
}

double projection_loss(const FakeDistill& fake, SeenDistill& seen, std::vector<float>& by_hidden,
                       std::vector<float>& by_parameter) {
  const std::vector<float>&mask = seen.floats["mask"], &hidden = seen.floats["student_hidden0"],
        &target = seen.floats["teacher0.hidden0"], &matrix = seen.floats["parameter0"];
  const std::size_t N = mask.size(), D = hidden.size() / N, E = target.size() / N;
  by_hidden.assign(hidden.size(), 0.0F);
  std::vector<double> sums(matrix.size(), 0.0);
  double loss = 0;
  for (std::size_t n = 0; n < N; ++n)
    for (std::size_t e = 0; e < E; ++e) {
      double miss = -static_cast<double>(target[n * E + e]);
      for (std::size_t d = 0; d < D; ++d) miss += static_cast<double>(hidden[n * D + d]) * matrix[d * E + e];
      const double m = static_cast<double>(mask[n]);
      loss += m * miss * miss / 2;
      for (std::size_t d = 0; d < D; ++d) {
        by_hidden[n * D + d] += static_cast<float>(m * miss * matrix[d * E + e]);
        sums[d * E + e] += m * miss * static_cast<double>(hidden[n * D + d]);
      }
    }
  for (const double sum : sums) by_parameter.push_back(static_cast<float>(sum * fake.parameter_scale));
  return loss;
}

retort_error* fake_loss(retort_instance* instance, const retort_distill_batch* batch, retort_distill_result* result) {
  FakeDistill& fake = fake_distill(instance);
  if (fake.inside.fetch_add(1) != 0) fake.met_another_thread = true;
  SeenDistill seen = remember(fake, *batch);
  const auto rows = static_cast<double>(seen.floats["mask"].size());
  std::vector<float> gradient(seen.floats["student_logits"].size(), 0.0F), by_hidden, by_parameter;
  result->loss = 0;
  const bool by_row = (fake.signals & RETORT_SIGNAL_TEACHER_SPANS) == 0;  // pieces are looked at, not learnt from
  if (by_row && (fake.signals & RETORT_SIGNAL_TEACHER_LOGITS) != 0) result->loss += kl_loss(fake, seen, gradient);
  if (fake.projection) result->loss += projection_loss(fake, seen, by_hidden, by_parameter);
  if (fake.mean_instead_of_sum) {
    result->loss /= rows;
    for (float& element : gradient) element = static_cast<float>(element / rows);
  }
  if (fake.leaves_unwritten) gradient.back() = NAN;
  if (result->logits_gradient != nullptr) write(result->logits_gradient, gradient);
  for (std::size_t i = 0; result->hidden_gradients != nullptr && i < fake.student_layers.size(); ++i)
    write(result->hidden_gradients[i],
          i == 0 && fake.projection ? by_hidden
                                    : std::vector<float>(seen.floats["student_hidden" + std::to_string(i)].size()));
  if (result->parameter_gradients != nullptr) write(result->parameter_gradients[0], by_parameter);
  result->metrics->metric(result->metrics->context, {"rows", 4}, rows);
  fake.seen.push_back(std::move(seen));
  fake.inside.fetch_sub(1);
  return nullptr;
}

}  // namespace

const retort_distill_v1& FakeDistill::table() {
  static const retort_distill_v1 functions{RETORT_DISTILL_V1_SIZE, 0, fake_requirements, fake_initialise, fake_loss};
  return functions;
}

DistillPlugin FakeDistill::plugin() {
  return {reinterpret_cast<retort_instance*>(this), &table(), [](retort_error*) {}, "distill.fake"};
}

DistillLoopJob distill_job(const Workplace& place, const std::string& name, std::int64_t steps,
                           const std::filesystem::path& teacher, FakeDistill& loss) {
  auto job = place.job<DistillLoopJob>(name, steps);
  job.student = job.policy;
  job.teachers = {teacher};
  job.losses = {loss.plugin()};
  job.training.batch_size = 8;
  return job;
}

std::vector<double> distil(const DistillLoopJob& job) {
  Recorder recorder;
  distill(job, recorder.hooks());
  return recorder.metrics["loss"];
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return HUGE_VAL;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  return largest;
}

std::filesystem::path trained_teacher(const Workplace& place, const std::string& name, std::int64_t steps) {
  struct Job : FineTuningJob {
    std::filesystem::path policy;
  };
  auto job = place.job<Job>(name, steps);
  job.start = job.policy;
  job.training.learning_rate = 1e-2;
  Recorder recorder;
  fine_tune(job, recorder.hooks());
  return job.output;
}

std::vector<ExpectedRow> expected_rows(const DistillLoopJob& job, std::int64_t step) {
  const CallModule module = load_call_module(*job.student);
  const auto examples = task::read_split(job.dataset / "train.jsonl").examples;
  const std::vector<Sequence> all = to_sequences(examples, module.contract, module.tokenizer, 64);
  EpochBatches batches(all, job.training, job.seed);
  std::vector<ExpectedRow> rows;
  std::int64_t number = 0;
  for (const std::size_t i : batches.at(step)) {
    std::vector<std::int64_t> prefix(all[i].prompt.begin(), all[i].prompt.end());
    std::int64_t position = 0;
    for (const text::TokenId token : all[i].response) {
      rows.push_back({number, position++, static_cast<std::int64_t>(all[i].response.size()), token, 1.0F, prefix});
      prefix.push_back(token);
    }
    ++number;
  }
  return rows;
}

std::vector<float> logits_after(const std::filesystem::path& model, const std::vector<std::int64_t>& prefix) {
  const torch::NoGradGuard no_grad;
  const CallModule module = load_call_module(model);
  const torch::Tensor hidden = module.decoder->hidden(torch::tensor(prefix, torch::kInt64).unsqueeze(0)).squeeze(0);
  const torch::Tensor logits = module.decoder->logits(hidden.narrow(0, hidden.size(0) - 1, 1)).contiguous();
  return {logits.data_ptr<float>(), logits.data_ptr<float>() + logits.numel()};
}

std::vector<float> state_after(const std::filesystem::path& model, const std::vector<std::int64_t>& prefix,
                               std::int64_t layer) {
  const torch::NoGradGuard no_grad;
  const CallModule module = load_call_module(model);
  torch::Tensor chosen;
  module.decoder->observer = [&](Site site, std::int64_t index, const torch::Tensor& activation) {
    const bool wanted = layer == module.decoder->config().layers ? site == Site::head_input
                                                                 : site == Site::layer_output && index == layer;
    if (wanted) chosen = activation.clone();
  };
  module.decoder->hidden(torch::tensor(prefix, torch::kInt64).unsqueeze(0));
  const torch::Tensor last = chosen.squeeze(0)[static_cast<std::int64_t>(prefix.size()) - 1].contiguous();
  return {last.data_ptr<float>(), last.data_ptr<float>() + last.numel()};
}

}  // namespace retort::train::testing
