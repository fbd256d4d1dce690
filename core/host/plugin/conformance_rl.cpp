// retort.rl/1 on a seeded step: B prompts, G samples of each, T positions, R = B·G rows.
#include <retort/abi/rl.h>

#include <algorithm>
#include <sstream>

#include "host/plugin/conformance_checks.h"
#include "host/plugin/conformance_tensor.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

constexpr std::int64_t B = 3, T = 5;
constexpr double step = 2e-3;

retort_rl_requirements requirements_of(const Subject& subject) {
  retort_rl_requirements out{};
  out.struct_size = sizeof out;
  throw_if_error(subject.functions<retort_rl_v1>().requirements(subject.instance, &out), "requirements()");
  return out;
}

/// One step's tensors. Old and new log-probabilities are near each other: most ratios lie inside any clip range.
class Step {
 public:
  explicit Step(const Subject& subject) : Step(subject, requirements_of(subject)) {}

  /// What advantages() says, kept for loss().
  void compute_advantages() {
    const retort_rl_batch batch = groups(0, B);
    throw_if_error(table().advantages(subject_.instance, &batch, advantages.output(), keep.output(), &sink_),
                   "advantages()");
  }

  /// The loss of the rows of prompts [first, first + count).
  double loss(std::int64_t first, std::int64_t count, bool with_gradient) {
    const retort_rl_batch batch = groups(first, count);
    double value = std::numeric_limits<double>::quiet_NaN();
    const retort_tensor* by_log_probs = with_gradient ? gradient.output_rows(first * G, count * G) : nullptr;
    const retort_tensor* by_values = with_gradient && (needs_ & RETORT_RL_NEEDS_VALUES) != 0
                                         ? value_gradient.output_rows(first * G, count * G)
                                         : nullptr;
    throw_if_error(table().loss(subject_.instance, &batch, &value, by_log_probs, by_values, &sink_), "loss()");
    return value;
  }
  bool has_values() const { return (needs_ & RETORT_RL_NEEDS_VALUES) != 0; }
  std::int64_t rows() const { return B * G; }

 private:
  Step(const Subject& subject, const retort_rl_requirements& wanted)
      : subject_(subject),
        needs_(wanted.needs),
        G(std::clamp<std::int64_t>(wanted.group_size, 1, 64)),
        mask(B * G, T),
        log_probs(B * G, T),
        values(B * G, T),
        advantages(B * G, T),
        keep(B),
        gradient(B * G, T),
        value_gradient(B * G, T),
        rewards_(B, G),
        old_(B * G, T),
        reference_(B * G, T) {
    SeededNumbers numbers(20250414);
    rewards_.fill([&] { return static_cast<float>(numbers.uniform()); });
    if ((needs_ & RETORT_RL_NEEDS_PAIRS) != 0)
      for (std::int64_t b = 0; b < B; ++b) rewards_.at(b, 0) = rewards_.at(b, G - 1) + 0.5F;
    old_.fill([&] { return static_cast<float>(numbers.uniform(-3, -0.2)); });
    values.fill([&] { return static_cast<float>(numbers.uniform()); });
    for (std::int64_t i = 0; i < old_.size(); ++i) {
      log_probs.flat(i) = old_.flat(i) + static_cast<float>(0.05 * numbers.normal());
      reference_.flat(i) = old_.flat(i) + static_cast<float>(0.2 * numbers.normal());
    }
    for (std::int64_t r = 0; r < rows(); ++r) {
      const std::int64_t length = 1 + numbers.below(T);
      for (std::int64_t t = 0; t < T; ++t) mask.at(r, t) = t < length ? 1.0F : 0.0F;
      tokens_ += length;
    }
  }

  const retort_rl_v1& table() const { return subject_.functions<retort_rl_v1>(); }

  retort_rl_batch groups(std::int64_t first, std::int64_t count) {
    retort_rl_batch batch{};
    batch.struct_size = sizeof batch;
    batch.rewards = rewards_.input_rows(first, count);
    batch.mask = mask.input_rows(first * G, count * G);
    batch.log_probs = log_probs.input_rows(first * G, count * G);
    batch.old_log_probs = old_.input_rows(first * G, count * G);
    if ((needs_ & RETORT_RL_NEEDS_REFERENCE) != 0)
      batch.reference_log_probs = reference_.input_rows(first * G, count * G);
    if (has_values()) batch.values = values.input_rows(first * G, count * G);
    batch.advantages = advantages_view(first, count);
    batch.step_rows = rows();
    batch.step_tokens = tokens_;
    batch.maximum_tokens = T;
    return batch;
  }
  /// NULL until they were computed: advantages() must not read what it is to write.
  const retort_tensor* advantages_view(std::int64_t first, std::int64_t count) {
    if (!std::isfinite(advantages.at(0, 0))) return nullptr;
    return advantages.input_rows(first * G, count * G);
  }

  const Subject& subject_;
  std::uint32_t needs_;
  std::int64_t tokens_ = 0;
  retort_metric_sink sink_{sizeof(retort_metric_sink), 0, nullptr, [](void*, retort_string, double) {}};

 public:
  const std::int64_t G;
  OwnedTensor<float> mask, log_probs, values, advantages, keep, gradient, value_gradient;

 private:
  OwnedTensor<float> rewards_, old_, reference_;
};

std::string numbers_text(double gradient, double difference) {
  std::ostringstream text;
  text.precision(8);
  text << "gradient " << gradient << ", finite difference " << difference;
  return text.str();
}

void check_requirements(const Subject& subject) {
  const retort_rl_requirements wanted = requirements_of(subject);
  constexpr std::uint32_t known = RETORT_RL_NEEDS_REFERENCE | RETORT_RL_NEEDS_VALUES | RETORT_RL_NEEDS_PAIRS;
  expect((wanted.needs & ~known) == 0, "unknown bits in needs: " + std::to_string(wanted.needs));
  expect(wanted.group_size >= 1, "group_size is " + std::to_string(wanted.group_size) + ", expected at least 1");
  expect((wanted.needs & RETORT_RL_NEEDS_PAIRS) == 0 || wanted.group_size == 2, "pairs need a group_size of 2");
}

void check_advantages(const Subject& subject) {
  Step one(subject);
  one.compute_advantages();
  for (std::int64_t i = 0; i < one.advantages.size(); ++i)
    expect(std::isfinite(one.advantages.flat(i)),
           "an advantage is not finite, or not written, at element " + std::to_string(i));
  for (std::int64_t b = 0; b < B; ++b)
    expect(one.keep.at(b) == 0 || one.keep.at(b) == 1, "keep is neither 0 nor 1 for group " + std::to_string(b));
}

/// Compares where the loss is smooth: the differences to both sides agree. Clipping has kinks, and an element whose
/// step crosses one proves nothing.
void compare_with_differences(Step& one, OwnedTensor<float>& input, const OwnedTensor<float>& gradient,
                              const char* name) {
  const double middle_loss = one.loss(0, B, false);
  double largest = 0;
  for (std::int64_t i = 0; i < gradient.size(); ++i) {
    expect(std::isfinite(gradient.flat(i)),
           std::string("d loss / d ") + name + " is not finite, or not written, at element " + std::to_string(i));
    largest = std::max(largest, std::abs(static_cast<double>(gradient.flat(i))));
  }
  std::int64_t compared = 0;
  const double tolerance = 0.02 * largest + 1e-3;
  for (std::int64_t i = 0; i < input.size(); ++i) {
    const float middle = input.flat(i);
    input.flat(i) = static_cast<float>(middle + step);
    const double high = input.flat(i), above = one.loss(0, B, false);
    input.flat(i) = static_cast<float>(middle - step);
    const double low = input.flat(i), below = one.loss(0, B, false);
    input.flat(i) = middle;
    const double right = (above - middle_loss) / (high - middle), left = (middle_loss - below) / (middle - low);
    if (std::abs(right - left) > tolerance) continue;
    ++compared;
    const double difference = (above - below) / (high - low);
    expect(std::abs(difference - gradient.flat(i)) <= tolerance,
           std::string("d loss / d ") + name + " at row " + std::to_string(i / T) + ", position " +
               std::to_string(i % T) + ": " + numbers_text(gradient.flat(i), difference));
  }
  expect(2 * compared >= input.size(), "the loss is not smooth at most elements, so its gradient means nothing");
}

void check_gradient(const Subject& subject) {
  Step one(subject);
  one.compute_advantages();
  const double value = one.loss(0, B, true);
  expect(std::isfinite(value), "the loss is not finite");
  for (std::int64_t i = 0; i < one.mask.size(); ++i)
    expect(one.mask.flat(i) != 0 || one.gradient.flat(i) == 0,
           "the gradient outside the mask is not 0, or not written, at element " + std::to_string(i));
  compare_with_differences(one, one.log_probs, one.gradient, "log_probs");
  if (one.has_values()) compare_with_differences(one, one.values, one.value_gradient, "values");
}

void check_parts(const Subject& subject) {
  Step one(subject);
  one.compute_advantages();
  const double whole = one.loss(0, B, false);
  double sum = 0;
  for (std::int64_t b = 0; b < B; ++b) sum += one.loss(b, 1, false);
  expect(std::abs(sum - whole) <= 1e-5 * (1 + std::abs(whole)),
         "the whole step gives " + std::to_string(whole) + ", its parts add up to " + std::to_string(sum));
}

}  // namespace

void check_rl(CheckLog& log, const Subject& subject) {
  if (!log.run(subject.id, "requirements are usable", [&] { check_requirements(subject); })) return;
  if (!log.run(subject.id, "advantages are finite", [&] { check_advantages(subject); })) return;
  log.run(subject.id, "gradient equals central finite differences", [&] { check_gradient(subject); });
  log.run(subject.id, "losses of the parts of a step add up", [&] { check_parts(subject); });
}

}  // namespace retort::host
