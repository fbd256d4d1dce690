// See loss_calls.h. What a component did not ask for, it does not get.
#include "loss_calls.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <random>

namespace retort::golden {

namespace {

const float not_written = std::numeric_limits<float>::quiet_NaN();

template <typename T>
using Owned = std::unique_ptr<Tensor<T>>;

/// Rows [first, first + count) of a row-major matrix, or elements of a vector (columns 0).
template <typename T>
Owned<T> slice(const std::vector<T>& all, std::int64_t first, std::int64_t count, std::int64_t columns = 0) {
  const std::int64_t width = std::max<std::int64_t>(columns, 1);
  std::vector<std::int64_t> shape{count};
  if (columns > 0) shape.push_back(columns);
  return std::make_unique<Tensor<T>>(
      shape, std::vector<T>(all.begin() + first * width, all.begin() + (first + count) * width));
}

Owned<float> unwritten(std::int64_t rows, std::int64_t columns = 0) {
  return slice(std::vector<float>(static_cast<std::size_t>(rows * std::max<std::int64_t>(columns, 1)), not_written), 0,
               rows, columns);
}

std::vector<float> normal_numbers(std::mt19937& random, std::int64_t count, float mean = 0, float deviation = 1) {
  std::normal_distribution<float> normal(mean, deviation);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

/// A retort_tensor pointer list over owned tensors.
std::vector<const retort_tensor*> views(const std::vector<Owned<float>>& tensors) {
  std::vector<const retort_tensor*> list;
  for (const auto& tensor : tensors) list.push_back(tensor->view());
  return list;
}

/// The teacher's k most likely tokens of some rows.
struct TopK {
  std::vector<std::int64_t> ids;
  std::vector<float> log_probs, tail;
};

TopK top_of(const std::vector<float>& logits, std::int64_t first, std::int64_t count, std::int64_t k) {
  constexpr std::int64_t V = DistillStep::vocabulary;
  TopK top;
  for (std::int64_t n = first; n < first + count; ++n) {
    const float* const row = logits.data() + n * V;
    double total = 0, kept = 0;
    for (std::int64_t v = 0; v < V; ++v) total += std::exp(static_cast<double>(row[v]));
    std::vector<std::int64_t> order(V);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return row[a] > row[b]; });
    for (std::int64_t i = 0; i < k; ++i) {
      top.ids.push_back(order[static_cast<std::size_t>(i)]);
      const double log_p = static_cast<double>(row[top.ids.back()]) - std::log(total);
      top.log_probs.push_back(static_cast<float>(log_p));
      kept += std::exp(log_p);
    }
    top.tail.push_back(static_cast<float>(std::max(0.0, 1 - kept)));
  }
  return top;
}

}  // namespace

void append(Outcome& whole, const Outcome& part) {
  whole.loss += part.loss;
  for (const auto& [name, value] : part.metrics) whole.metrics[name] += value;
  for (const auto& [name, values] : part.gradients) {
    auto& sum = whole.gradients[name];
    if (name.rfind("parameter", 0) != 0) {
      sum.insert(sum.end(), values.begin(), values.end());
      continue;
    }
    sum.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) sum[i] += values[i];
  }
}

DistillStep::DistillStep(std::int64_t width) : teacher_width(width), lengths{3, 1, 5, 2, 4, 1, 6, 2}, begins{0} {
  for (const std::int64_t length : lengths) begins.push_back(begins.back() + length);
  std::mt19937 random(20250415);
  student = normal_numbers(random, rows() * vocabulary);
  teacher = normal_numbers(random, rows() * vocabulary);
  for (std::int64_t l = 0; l < layers; ++l) {
    student_hidden.push_back(normal_numbers(random, rows() * student_width));
    teacher_hidden.push_back(normal_numbers(random, rows() * teacher_width));
  }
  for (std::int64_t n = 0; n < rows(); ++n) {
    labels.push_back(static_cast<std::int64_t>(random() % vocabulary));
    mask.push_back(n % 5 == 1 ? 0.0F : n % 3 == 0 ? 0.5F : 1.0F);
  }
}

void DistillStep::teach_the_student(bool shifted_by_one) {
  const auto from = [&](const std::vector<float>& source, std::int64_t columns) {
    std::vector<float> copy = source;
    if (shifted_by_one) std::rotate(copy.begin(), copy.begin() + columns, copy.end());
    return copy;
  };
  teacher = from(student, vocabulary);
  for (std::size_t l = 0; l < student_hidden.size(); ++l) teacher_hidden[l] = from(student_hidden[l], student_width);
}

Outcome DistillStep::call(const LoadedComponent& loss, std::size_t first, std::size_t count) const {
  const auto& functions = loss.functions<retort_distill_v1>(RETORT_DISTILL_INTERFACE);
  const retort_model_shape student_shape{sizeof(retort_model_shape), 0, layers, student_width, vocabulary};
  const retort_model_shape teacher_shape{sizeof(retort_model_shape), 0, layers, teacher_width, vocabulary};
  const retort_distill_setup setup{sizeof(retort_distill_setup), 1, &student_shape, &teacher_shape, 10, 7};
  retort_distill_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_if_error(functions.requirements(loss.instance(), &setup, &wanted));
  const auto wants = [&](std::uint64_t signal) { return (wanted.signals & signal) != 0; };

  const std::int64_t begin = begins[first], n = begins[first + count] - begin;
  const auto student_rows = slice(student, begin, n, vocabulary), teacher_rows = slice(teacher, begin, n, vocabulary);
  const auto mask_rows = slice(mask, begin, n);
  const auto label_rows = slice(labels, begin, n);
  std::vector<std::int64_t> sequence_of, position, length;
  for (std::size_t s = first; s < first + count; ++s)
    for (std::int64_t t = 0; t < lengths[s]; ++t) {
      sequence_of.push_back(static_cast<std::int64_t>(s));
      position.push_back(t);
      length.push_back(lengths[s]);
    }
  const auto sequence_rows = slice(sequence_of, 0, n), position_rows = slice(position, 0, n),
             length_rows = slice(length, 0, n);
  const std::int64_t k = wants(RETORT_SIGNAL_TEACHER_TOP_K) ? wanted.top_k : 1;
  const TopK top = top_of(teacher, begin, n, k);
  const auto top_ids = slice(top.ids, 0, n, k);
  const auto top_log_probs = slice(top.log_probs, 0, n, k), tail = slice(top.tail, 0, n);
  std::vector<Owned<float>> student_states, teacher_states, state_gradients, parameters, parameter_gradients;
  const auto layer = [](std::int64_t index) { return static_cast<std::size_t>(index < 0 ? layers + index : index); };
  for (std::int64_t l = 0; l < wanted.layer_count; ++l) {
    student_states.push_back(slice(student_hidden[layer(wanted.student_layers[l])], begin, n, student_width));
    teacher_states.push_back(slice(teacher_hidden[layer(wanted.teacher_layers[l])], begin, n, teacher_width));
    state_gradients.push_back(unwritten(n, student_width));
  }
  for (std::uint64_t p = 0; p < wanted.parameter_count; ++p) {
    const std::int64_t* const shape = wanted.parameters[p].shape;
    parameters.push_back(unwritten(shape[0], shape[1]));
    parameter_gradients.push_back(unwritten(shape[0], shape[1]));
    throw_if_error(functions.initialise(loss.instance(), &setup, p, parameters.back()->view()));
  }
  const auto student_views = views(student_states), teacher_views = views(teacher_states),
             state_views = views(state_gradients), parameter_views = views(parameters),
             parameter_gradient_views = views(parameter_gradients);

  retort_distill_teacher says{};
  says.struct_size = sizeof says;
  says.weight = 1;
  if (wants(RETORT_SIGNAL_TEACHER_LOGITS)) says.logits = teacher_rows->view();
  if (wants(RETORT_SIGNAL_TEACHER_TOP_K)) {
    says.top_ids = top_ids->view();
    says.top_log_probs = top_log_probs->view();
    says.tail_mass = tail->view();
  }
  retort_distill_batch batch{};
  batch.struct_size = sizeof batch;
  batch.student_logits = student_rows->view();
  if (wants(RETORT_SIGNAL_HIDDEN_STATES)) {
    batch.student_hidden = student_views.data();
    says.hidden = teacher_views.data();
  }
  batch.teachers = &says;
  batch.teacher_count = 1;
  if (wants(RETORT_SIGNAL_LABELS)) batch.labels = label_rows->view();
  batch.mask = mask_rows->view();
  batch.sequences = sequence_rows->view();
  batch.positions = position_rows->view();
  batch.lengths = length_rows->view();
  batch.parameters = parameters.empty() ? nullptr : parameter_views.data();
  batch.total_steps = 10;
  batch.step_weight = static_cast<double>(std::accumulate(mask.begin(), mask.end(), 0.0F));
  batch.step_sequences = static_cast<std::int64_t>(lengths.size());

  Outcome outcome;
  const auto gradient = unwritten(n, vocabulary);
  const retort_metric_sink sink = sink_into(outcome.metrics);
  retort_distill_result result{sizeof result,
                               0,
                               static_cast<double>(not_written),
                               gradient->view(),
                               state_views.empty() ? nullptr : state_views.data(),
                               parameters.empty() ? nullptr : parameter_gradient_views.data(),
                               &sink};
  throw_if_error(functions.loss(loss.instance(), &batch, &result));
  outcome.loss = result.loss;
  outcome.gradients["logits"] = gradient->values;
  for (std::size_t l = 0; l < state_gradients.size(); ++l)
    outcome.gradients["hidden" + std::to_string(l)] = state_gradients[l]->values;
  for (std::size_t p = 0; p < parameter_gradients.size(); ++p)
    outcome.gradients["parameter" + std::to_string(p)] = parameter_gradients[p]->values;
  return outcome;
}

RlStep::RlStep() : rewards{1, 0, .25F, .5F, -.5F, 1, .75F, 0}, finished(rows, 1.0F), keep(rows, 1.0F) {
  const std::int64_t lengths[] = {3, 1, 6, 2, 0, 4, 1, 5};
  std::mt19937 random(20250416);
  const std::int64_t count = rows * positions;
  old_log_probs = normal_numbers(random, count, -1.5F, .4F);
  const auto near = [&](float deviation) {
    auto numbers = normal_numbers(random, count, 0, deviation);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] += old_log_probs[i];
    return numbers;
  };
  log_probs = near(.2F);
  sampler_log_probs = near(.5F);
  reference_log_probs = near(.3F);
  old_values = normal_numbers(random, count, .4F, .3F);
  values = old_values;
  for (float& value : values) value += normal_numbers(random, 1, 0, .3F)[0];
  entropies = normal_numbers(random, count, 2, .3F);
  token_rewards = normal_numbers(random, count, 0, .1F);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t t = 0; t < positions; ++t) mask.push_back(t < lengths[r] && t != 2 ? 1.0F : 0.0F);  // a gap at 2
}

std::int64_t RlStep::tokens() const {
  return std::llround(std::accumulate(mask.begin(), mask.end(), 0.0F));
}

retort_rl_batch RlStep::sizes() const {
  retort_rl_batch batch{};
  batch.struct_size = sizeof batch;
  batch.update_rows = rows;
  batch.update_tokens = tokens();
  batch.update_groups = rows / group;
  batch.group_size = group;
  batch.maximum_tokens = positions;
  batch.temperature = 1;
  return batch;
}

namespace {

/// The tensors of some rows of a step, by what the algorithm asked for.
class RlRows {
 public:
  RlRows(const LoadedComponent& algorithm, const RlStep& step, std::int64_t first, std::int64_t count,
         retort_rl_batch& batch)
      : first_(first), count_(count) {
    const auto& functions = algorithm.functions<retort_rl_v1>(RETORT_RL_INTERFACE);
    wanted.struct_size = sizeof wanted;
    throw_if_error(functions.requirements(algorithm.instance(), &wanted));
    for (std::int64_t r = first; r < first + count; ++r) {
      numbers_.push_back(r);
      groups_.push_back(r / RlStep::group);
    }
    row_numbers_ = slice(numbers_, 0, count);
    group_numbers_ = slice(groups_, 0, count);
    batch.rows = row_numbers_->view();
    batch.groups = group_numbers_->view();
    batch.rewards = take(step.rewards, 0);
    batch.reward_parts = take(step.rewards, 1);
    batch.finished = take(step.finished, 0);
    batch.mask = take(step.mask);
    batch.log_probs = take(step.log_probs);
    batch.old_log_probs = take(step.old_log_probs);
    batch.sampler_log_probs = wants(RETORT_SIGNAL_SAMPLER_LOG_PROBS) ? take(step.sampler_log_probs) : nullptr;
    batch.reference_log_probs = wants(RETORT_SIGNAL_REFERENCE_LOG_PROBS) ? take(step.reference_log_probs) : nullptr;
    batch.values = wants(RETORT_SIGNAL_VALUES) ? take(step.values) : nullptr;
    batch.old_values = wants(RETORT_SIGNAL_VALUES) ? take(step.old_values) : nullptr;
    batch.entropies = wants(RETORT_SIGNAL_ENTROPIES) ? take(step.entropies) : nullptr;
    batch.token_rewards = wants(RETORT_SIGNAL_TOKEN_REWARDS) ? take(step.token_rewards) : nullptr;
    if (!step.advantages.empty()) batch.advantages = take(step.advantages);
    if (!step.returns.empty() && wants(RETORT_SIGNAL_VALUES)) batch.returns = take(step.returns);
  }
  bool wants(std::uint64_t signal) const { return (wanted.signals & signal) != 0; }
  retort_rl_requirements wanted{};

 private:
  const retort_tensor* take(const std::vector<float>& all, std::int64_t columns = RlStep::positions) {
    tensors_.push_back(slice(all, first_, count_, columns));
    return tensors_.back()->view();
  }
  std::int64_t first_, count_;
  std::vector<std::int64_t> numbers_, groups_;
  Owned<std::int64_t> row_numbers_, group_numbers_;
  std::vector<Owned<float>> tensors_;
};

}  // namespace

MetricMap RlStep::compute_advantages(const LoadedComponent& algorithm) {
  advantages.clear();
  returns.clear();
  retort_rl_batch batch = sizes();
  const RlRows all(algorithm, *this, 0, rows, batch);
  const auto advantage = unwritten(rows, positions), target = unwritten(rows, positions);
  const auto kept = slice(std::vector<float>(rows, 1.0F), 0, rows);
  MetricMap metrics;
  const retort_metric_sink sink = sink_into(metrics);
  retort_rl_advantages out{sizeof out,        0,
                           advantage->view(), all.wants(RETORT_SIGNAL_VALUES) ? target->view() : nullptr,
                           kept->view(),      &sink};
  throw_if_error(algorithm.functions<retort_rl_v1>(RETORT_RL_INTERFACE).advantages(algorithm.instance(), &batch, &out));
  advantages = advantage->values;
  returns = target->values;
  keep = kept->values;
  return metrics;
}

Outcome RlStep::call(const LoadedComponent& algorithm, std::int64_t first, std::int64_t count) const {
  retort_rl_batch batch = sizes();
  const RlRows part(algorithm, *this, first, count, batch);
  const auto by_log_probs = unwritten(count, positions), by_values = unwritten(count, positions),
             by_entropies = unwritten(count, positions);
  Outcome outcome;
  const retort_metric_sink sink = sink_into(outcome.metrics);
  const bool values_wanted = part.wants(RETORT_SIGNAL_VALUES), entropies_wanted = part.wants(RETORT_SIGNAL_ENTROPIES);
  retort_rl_result result{sizeof result,
                          0,
                          static_cast<double>(not_written),
                          by_log_probs->view(),
                          values_wanted ? by_values->view() : nullptr,
                          entropies_wanted ? by_entropies->view() : nullptr,
                          &sink};
  throw_if_error(algorithm.functions<retort_rl_v1>(RETORT_RL_INTERFACE).loss(algorithm.instance(), &batch, &result));
  outcome.loss = result.loss;
  outcome.gradients["log_probs"] = by_log_probs->values;
  if (values_wanted) outcome.gradients["values"] = by_values->values;
  if (entropies_wanted) outcome.gradients["entropies"] = by_entropies->values;
  return outcome;
}

PreferenceStep::PreferenceStep()
    : chosen_lengths{8, 3, 12, 1, 5, 7, 2, 9},
      rejected_lengths{4, 6, 2, 2, 11, 3, 8, 1},
      weights{1, 1, .5F, 1, 2, 1, 0, 1} {
  std::mt19937 random(20250417);
  chosen = normal_numbers(random, pairs, -12, 4);
  rejected = normal_numbers(random, pairs, -14, 4);
  reference_chosen = normal_numbers(random, pairs, -13, 4);
  reference_rejected = normal_numbers(random, pairs, -13, 4);
}

Outcome PreferenceStep::call(const LoadedComponent& loss, std::int64_t first, std::int64_t count) const {
  const auto& functions = loss.functions<retort_preference_v1>(RETORT_PREFERENCE_INTERFACE);
  retort_preference_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_if_error(functions.requirements(loss.instance(), &wanted));
  const bool reference = (wanted.signals & RETORT_SIGNAL_REFERENCE_LOG_PROBS) != 0;
  const auto part = [&](const std::vector<float>& all) { return slice(all, first, count); };
  const auto c = part(chosen), r = part(rejected), rc = part(reference_chosen), rr = part(reference_rejected),
             cl = part(chosen_lengths), rl = part(rejected_lengths), w = part(weights);
  const retort_preference_batch batch{sizeof batch,
                                      0,
                                      c->view(),
                                      r->view(),
                                      cl->view(),
                                      rl->view(),
                                      reference ? rc->view() : nullptr,
                                      reference ? rr->view() : nullptr,
                                      w->view(),
                                      w->view(),
                                      static_cast<double>(std::accumulate(weights.begin(), weights.end(), 0.0F)),
                                      0,
                                      10};
  const auto by_chosen = unwritten(count), by_rejected = unwritten(count);
  Outcome outcome;
  const retort_metric_sink sink = sink_into(outcome.metrics);
  retort_preference_result result{sizeof result,       0,    static_cast<double>(not_written), by_chosen->view(),
                                  by_rejected->view(), &sink};
  throw_if_error(functions.loss(loss.instance(), &batch, &result));
  outcome.loss = result.loss;
  outcome.gradients["chosen"] = by_chosen->values;
  outcome.gradients["rejected"] = by_rejected->values;
  return outcome;
}

}  // namespace retort::golden
