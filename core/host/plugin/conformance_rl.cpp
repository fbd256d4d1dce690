// retort.rl/1 on a seeded step: B prompts, G samples of each, T positions, R = B·G rows, called as stages call it
// (host/algorithm/rl_call.h).
#include <algorithm>
#include <cmath>
#include <sstream>

#include "host/algorithm/rl_call.h"
#include "host/plugin/conformance_checks.h"
#include "host/plugin/conformance_tensor.h"

namespace retort::host {
namespace {

constexpr std::int64_t B = 4, T = 5, part_count = 2;

/// Steps of finite differences: truncation O(h²) where the loss bends (the ratio is an exponential), rounding of a loss
/// in single precision about 1e-7·|loss|/h.
constexpr double log_prob_step = 2e-3, value_step = 1e-2, entropy_step = 0.1;

using Matrix = std::vector<float>;

RlCall rl_call_of(const Subject& subject) {
  return RlCall(subject.id, subject.instance, subject.functions<retort_rl_v1>());
}

/// Log-probabilities differ from the old ones by little, and at every fifth token by so much that ratios are clipped.
struct SeededStep {
  RlStep step;
  RlPolicy policy;

  explicit SeededStep(const RlCall& call, std::uint32_t seed = 20250414) {
    SeededNumbers numbers(seed);
    step.prompts = B;
    step.group_size = std::clamp<std::int64_t>(call.wanted().group_size, 1, 64);
    step.positions = T;
    step.maximum_tokens = T;
    step.temperature = 0.7;
    const auto filled = [&](std::int64_t count, auto make) {
      Matrix values;
      for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(make()));
      return values;
    };
    const std::int64_t R = step.rows(), cells = R * T;
    step.rewards = filled(R, [&] { return numbers.uniform(); });
    step.reward_parts = filled(R * part_count, [&] { return numbers.uniform(); });
    for (std::int64_t r = 0; r < R; ++r)
      step.reward_parts[static_cast<std::size_t>(r * part_count)] = step.rewards[index(r)];
    for (std::int64_t r = 0; r < R; ++r) {
      const std::int64_t length = 1 + numbers.below(T);
      step.finished.push_back(length < T || numbers.uniform() < 0.5 ? 1.0F : 0.0F);
      for (std::int64_t t = 0; t < T; ++t) step.mask.push_back(t < length ? 1.0F : 0.0F);
    }
    step.old_log_probs = filled(cells, [&] { return numbers.uniform(-3, -0.7); });
    step.old_values = filled(cells, [&] { return numbers.uniform(); });
    step.token_rewards = filled(cells, [&] { return numbers.uniform(-0.1, 0.1); });
    policy.entropies = filled(cells, [&] { return numbers.uniform(0.1, 2); });
    const auto near = [&](const Matrix& base, double width) {
      Matrix values;
      for (const float value : base) values.push_back(value + static_cast<float>(width * numbers.normal()));
      return values;
    };
    step.sampler_log_probs = near(step.old_log_probs, 0.01);
    step.reference_log_probs = near(step.old_log_probs, 0.2);
    policy.log_probs = near(step.old_log_probs, 0.05);
    policy.values = near(step.old_values, 0.05);
    for (std::size_t i = 0; i < policy.log_probs.size(); i += 5) policy.log_probs[i] += i % 2 == 0 ? 0.6F : -0.6F;
  }
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
};

/// A step with advantages, and one update of all rows that were kept.
class Update {
 public:
  explicit Update(const Subject& subject, std::uint32_t seed = 20250414)
      : call_(rl_call_of(subject)), seeded_(call_, seed) {
    call_.advantages(step(), metrics_);
    retort_rl_requirements once = call_.wanted();
    once.updates = once.mini_batches = 1;
    update_ = rl_updates(step(), once, 0).at(0);
    if (update_.rows.empty()) throw CheckFailed{"advantages() keeps no row of groups whose rewards differ"};
  }
  const RlCall& call() const { return call_; }
  RlStep& step() { return seeded_.step; }
  const RlUpdate& update() const { return update_; }
  /// What the policy says of all R rows; [R,T].
  RlPolicy& policy() { return seeded_.policy; }

  RlLoss loss(std::span<const std::int64_t> rows, bool with_gradient) {
    const auto of_rows = [&](const Matrix& all) {
      Matrix chosen;
      for (const std::int64_t row : rows)
        chosen.insert(chosen.end(), all.begin() + row * T, all.begin() + (row + 1) * T);
      return chosen;
    };
    const RlPolicy part{of_rows(policy().log_probs), of_rows(policy().values), of_rows(policy().entropies)};
    return call_.loss(step(), update_, rows, part, with_gradient, metrics_);
  }
  RlLoss whole(bool with_gradient) { return loss(update_.rows, with_gradient); }
  /// A log-probability moves; where the algorithm takes ratios as constants, the old one moves with it.
  void move_log_prob(std::size_t at, float to) {
    float& now = policy().log_probs[at];
    if ((call_.wanted().flags & RETORT_RL_CONSTANT_RATIO) != 0) step().old_log_probs[at] += to - now;
    now = to;
  }

 private:
  RlCall call_;
  SeededStep seeded_;
  RlUpdate update_;
  RlMetrics metrics_;
};

std::string place(std::size_t element) {
  return " at row " + std::to_string(element / T) + ", position " + std::to_string(element % T);
}

std::string numbers_text(double gradient, double difference) {
  std::ostringstream text;
  text.precision(8);
  text << ": gradient " << gradient << ", finite difference " << difference;
  return text.str();
}

double largest_of(const Matrix& values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

/// Compares where the loss is smooth: the differences to both sides agree. Clipping has kinks, and an element whose
/// step crosses one proves nothing.
void compare_with_differences(Update& one, Matrix& input, const Matrix& gradient, double h, const std::string& name) {
  const double middle_loss = one.whole(false).loss, largest = largest_of(gradient);
  const double tolerance = 5e-3 * largest + 1e-7 * std::abs(middle_loss) / h + 1e-9;
  expect(largest == 0 || tolerance < 0.2 * largest,
         "the gradient by " + name + " is too small beside the loss to be checked");
  std::size_t compared = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const auto at = static_cast<std::size_t>(one.update().rows[i / T]) * T + i % T;
    const auto move = [&](float to) {
      &input == &one.policy().log_probs ? one.move_log_prob(at, to) : void(input[at] = to);
    };
    const float middle = input[at], old = one.step().old_log_probs[at];
    move(static_cast<float>(middle + h));
    const double high = input[at], above = one.whole(false).loss;
    move(static_cast<float>(middle - h));
    const double low = input[at], below = one.whole(false).loss;
    input[at] = middle;
    one.step().old_log_probs[at] = old;
    const double right = (above - middle_loss) / (high - middle), left = (middle_loss - below) / (middle - low);
    if (std::abs(right - left) > 4 * tolerance) continue;
    ++compared;
    const double difference = (above - below) / (high - low);
    expect(std::abs(difference - gradient[i]) <= tolerance,
           "d loss / d " + name + place(i) + numbers_text(gradient[i], difference));
  }
  expect(2 * compared >= gradient.size(), "the loss is not smooth at most elements, so its gradient means nothing");
}

void check_rl_requirements(const Subject& subject) {
  rl_call_of(subject);
}

void check_advantages(const Subject& subject) {
  const RlCall call = rl_call_of(subject);
  RlMetrics metrics;
  SeededStep seeded(call);
  call.advantages(seeded.step, metrics);
  for (const float value : {0.0F, 1.0F, -1.0F}) {
    SeededStep equal(call);
    std::fill(equal.step.rewards.begin(), equal.step.rewards.end(), value);
    call.advantages(equal.step, metrics);
  }
}

/// Group b of the one step is group B-1-b of the other.
void check_group_order(const Subject& subject) {
  const RlCall call = rl_call_of(subject);
  RlMetrics metrics;
  SeededStep forward(call), backward(call);
  const auto turn = [&](Matrix& values) {
    const std::size_t block = values.size() / B;
    Matrix turned;
    for (std::size_t b = B; b-- > 0;)
      turned.insert(turned.end(), values.begin() + static_cast<std::ptrdiff_t>(b * block),
                    values.begin() + static_cast<std::ptrdiff_t>((b + 1) * block));
    values = std::move(turned);
  };
  RlStep& step = backward.step;
  for (Matrix* values : {&step.rewards, &step.finished, &step.reward_parts, &step.mask, &step.old_log_probs,
                         &step.token_rewards, &step.old_values, &step.sampler_log_probs, &step.reference_log_probs})
    turn(*values);
  call.advantages(forward.step, metrics);
  call.advantages(step, metrics);
  turn(step.advantages);
  turn(step.keep);
  for (std::size_t i = 0; i < step.advantages.size(); ++i)
    expect(std::abs(step.advantages[i] - forward.step.advantages[i]) <= 1e-4F * (1 + std::abs(step.advantages[i])),
           "the advantage" + place(i) + " is " + std::to_string(forward.step.advantages[i]) +
               ", and with the groups in another order " + std::to_string(step.advantages[i]));
  expect(step.keep == forward.step.keep, "the rows kept depend on the order of the groups");
}

void check_rl_gradient(const Subject& subject) {
  Update one(subject);
  const RlLoss loss = one.whole(true);
  expect(largest_of(loss.gradient.log_probs) > 0,
         "the gradient by log_probs is 0 everywhere, though the rewards of every group differ");
  compare_with_differences(one, one.policy().log_probs, loss.gradient.log_probs, log_prob_step, "log_probs");
  compare_with_differences(one, one.policy().values, loss.gradient.values, value_step, "values");
  compare_with_differences(one, one.policy().entropies, loss.gradient.entropies, entropy_step, "entropies");
}

/// Along the gradient the loss must change by its square: a factor that element-wise bounds let through shows here.
void check_descent(const Subject& subject) {
  Update one(subject);
  const RlLoss loss = one.whole(true);
  double square = 0;
  const double reach = 1e-3 / largest_of(loss.gradient.log_probs);
  const auto moved = [&](double by) {
    const Matrix before = one.policy().log_probs, old = one.step().old_log_probs;
    for (std::size_t i = 0; i < loss.gradient.log_probs.size(); ++i) {
      const auto at = static_cast<std::size_t>(one.update().rows[i / T]) * T + i % T;
      one.move_log_prob(at, before[at] + static_cast<float>(by * loss.gradient.log_probs[i]));
    }
    const double value = one.whole(false).loss;
    one.policy().log_probs = before;
    one.step().old_log_probs = old;
    return value;
  };
  for (const float g : loss.gradient.log_probs) square += static_cast<double>(g) * g;
  const double slope = (moved(reach) - moved(-reach)) / (2 * reach);
  expect(std::abs(slope - square) <= 0.05 * square,
         "along its gradient the loss rises by " + std::to_string(slope) + ", expected " + std::to_string(square));
}

void check_rl_parts(const Subject& subject) {
  Update one(subject);
  const RlLoss whole = one.whole(true);
  double sum = 0;
  Matrix gradient;
  for (const auto rows : rl_parts(one.update(), one.call().wanted(), 1)) {
    const RlLoss part = one.loss(rows, true);
    sum += part.loss;
    gradient.insert(gradient.end(), part.gradient.log_probs.begin(), part.gradient.log_probs.end());
  }
  expect(std::abs(sum - whole.loss) <= 1e-5 * (1 + std::abs(whole.loss)),
         "the whole update gives " + std::to_string(whole.loss) + ", its parts add up to " + std::to_string(sum));
  const double largest = largest_of(whole.gradient.log_probs);
  for (std::size_t i = 0; i < gradient.size(); ++i)
    expect(std::abs(gradient[i] - whole.gradient.log_probs[i]) <= 1e-4 * largest,
           "the gradient" + place(i) + " is " + std::to_string(whole.gradient.log_probs[i]) +
               " in the whole update and " + std::to_string(gradient[i]) + " in a part of it");
}

/// What another call, or a token outside the mask, says must not matter.
void check_rl_dependence(const Subject& subject) {
  Update one(subject);
  const double first = one.whole(false).loss;
  Update other(subject, 7);
  other.whole(true);
  expect(one.whole(false).loss == first, "the loss of the same batch changes after a call with another batch");
  for (std::size_t i = 0; i < one.step().mask.size(); ++i)
    if (one.step().mask[i] == 0) one.policy().log_probs[i] -= 1;
  expect(one.whole(false).loss == first, "the loss depends on log-probabilities outside the mask");
}

}  // namespace

void check_rl(CheckLog& log, const Subject& subject) {
  if (!log.run(subject.id, "requirements are usable", [&] { check_rl_requirements(subject); })) return;
  if (!log.run(subject.id, "advantages are finite", [&] { check_advantages(subject); })) return;
  log.run(subject.id, "advantages do not depend on the order of groups", [&] { check_group_order(subject); });
  log.run(subject.id, "gradient equals central finite differences", [&] { check_rl_gradient(subject); });
  log.run(subject.id, "the loss changes along its gradient by its square", [&] { check_descent(subject); });
  log.run(subject.id, "losses and gradients of the parts of an update add up", [&] { check_rl_parts(subject); });
  log.run(subject.id, "the loss depends on its batch alone", [&] { check_rl_dependence(subject); });
}

}  // namespace retort::host
