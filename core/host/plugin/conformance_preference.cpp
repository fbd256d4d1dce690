// retort.preference/1 on seeded sequences, called as stages call it (host/algorithm/preference_call.h): C chosen and J
// rejected ones, as many of each where they are pairs.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "host/algorithm/preference_call.h"
#include "host/plugin/conformance_checks.h"
#include "host/plugin/conformance_tensor.h"

namespace retort::host {
namespace {

/// Log-probabilities of whole sequences are tens; a step of this size is exact in single precision there.
constexpr float h = 1.0F / 64;

PreferenceCall preference_call_of(const Subject& subject) {
  return {subject.id, subject.instance, subject.functions<retort_preference_v1>()};
}

PreferenceSide seeded_side(SeededNumbers& numbers, std::size_t count) {
  PreferenceSide side;
  for (std::size_t i = 0; i < count; ++i) {
    const double length = 3 + static_cast<double>(numbers.below(9));
    side.lengths.push_back(static_cast<float>(length));
    side.log_probs.push_back(static_cast<float>(-length * numbers.uniform(0.3, 1.5)));
    side.reference_log_probs.push_back(side.log_probs.back() + static_cast<float>(2 * numbers.normal()));
    side.weights.push_back(static_cast<float>(numbers.uniform(0.25, 2)));
  }
  return side;
}

double sum(const std::vector<float>& values) {
  double total = 0;
  for (const float value : values) total += static_cast<double>(value);
  return total;
}

/// A step of five chosen sequences, with five rejected ones or, where they are not pairs, three.
struct SeededPairs {
  PreferenceStep step;
  PreferencePart part;
  explicit SeededPairs(const PreferenceCall& call, std::uint32_t seed = 20250415) {
    SeededNumbers numbers(seed);
    part.chosen = seeded_side(numbers, 5);
    part.rejected = seeded_side(numbers, call.unpaired() ? 3 : 5);
    if (!call.unpaired()) part.rejected.weights = part.chosen.weights;
    step = {sum(part.chosen.weights) + (call.unpaired() ? sum(part.rejected.weights) : 0), 3, 10};
  }
};

PreferenceSide rows_of(const PreferenceSide& side, std::size_t first, std::size_t last) {
  const auto slice = [&](const std::vector<float>& values) {
    return std::vector<float>(values.begin() + static_cast<std::ptrdiff_t>(std::min(first, values.size())),
                              values.begin() + static_cast<std::ptrdiff_t>(std::min(last, values.size())));
  };
  return {slice(side.log_probs), slice(side.lengths), slice(side.reference_log_probs), slice(side.weights)};
}

std::string text_of(double found, double expected) {
  std::ostringstream text;
  text.precision(8);
  text << "found " << found << ", expected " << expected;
  return text.str();
}

/// Where the loss has a kink (a hinge), both sides' differences disagree, and the element proves nothing.
void check_preference_gradient(const Subject& subject) {
  const PreferenceCall call = preference_call_of(subject);
  SeededPairs one(call);
  PreferenceMetrics metrics;
  const auto loss_now = [&] { return call.loss(one.step, one.part, false, metrics).loss; };
  const PreferenceLoss middle = call.loss(one.step, one.part, true, metrics);
  const auto compare = [&](std::vector<float>& input, const std::vector<float>& gradient, const std::string& name) {
    double largest = 0;
    for (const float g : gradient) largest = std::max(largest, std::abs(static_cast<double>(g)));
    expect(largest > 0, "the gradient by " + name + " is 0 everywhere");
    const double tolerance = 5e-3 * largest + 4e-7 * std::abs(middle.loss) / static_cast<double>(h);
    expect(tolerance < 0.2 * largest, "the gradient by " + name + " is too small beside the loss to be checked");
    std::size_t compared = 0;
    for (std::size_t i = 0; i < input.size(); ++i) {
      const float before = input[i];
      input[i] = before + h;
      const double above = loss_now(), high = static_cast<double>(input[i]);
      input[i] = before - h;
      const double below = loss_now(), low = static_cast<double>(input[i]);
      input[i] = before;
      const double right = (above - middle.loss) / (high - before), left = (middle.loss - below) / (before - low);
      if (std::abs(right - left) > 8 * tolerance) continue;
      ++compared;
      const double difference = (above - below) / (high - low);
      expect(std::abs(difference - gradient[i]) <= tolerance,
             "d loss / d " + name + " of sequence " + std::to_string(i) + ": " + text_of(gradient[i], difference));
    }
    expect(2 * compared >= input.size(), "the loss is not smooth at most sequences, so its gradient means nothing");
  };
  compare(one.part.chosen.log_probs, middle.by_chosen, "chosen_log_probs");
  compare(one.part.rejected.log_probs, middle.by_rejected, "rejected_log_probs");
}

/// What is chosen becomes likelier, what is rejected less so.
void check_direction(const Subject& subject) {
  const PreferenceCall call = preference_call_of(subject);
  SeededPairs one(call);
  PreferenceMetrics metrics;
  const PreferenceLoss loss = call.loss(one.step, one.part, true, metrics);
  expect(sum(loss.by_chosen) < 0, "the loss does not fall as chosen sequences become likelier");
  expect(sum(loss.by_rejected) > 0, "the loss does not rise as rejected sequences become likelier");
}

void check_preference_parts(const Subject& subject) {
  const PreferenceCall call = preference_call_of(subject);
  SeededPairs one(call);
  PreferenceMetrics metrics;
  const PreferenceLoss whole = call.loss(one.step, one.part, true, metrics);
  double total = 0;
  std::vector<float> gradient;
  for (const auto& [first, last] : {std::pair<std::size_t, std::size_t>(0, 1), {1, 3}, {3, 5}}) {
    const PreferenceLoss part = call.loss(
        one.step, {rows_of(one.part.chosen, first, last), rows_of(one.part.rejected, first, last)}, true, metrics);
    total += part.loss;
    gradient.insert(gradient.end(), part.by_chosen.begin(), part.by_chosen.end());
  }
  expect(std::abs(total - whole.loss) <= 1e-5 * (1 + std::abs(whole.loss)),
         "the parts of a step add up to another loss than the whole: " + text_of(total, whole.loss));
  for (std::size_t i = 0; i < gradient.size(); ++i)
    expect(std::abs(gradient[i] - whole.by_chosen[i]) <= 1e-4F * (1e-3F + std::abs(whole.by_chosen[i])),
           "the gradient of sequence " + std::to_string(i) + " in a part: " + text_of(gradient[i], whole.by_chosen[i]));
}

/// Twice the weights, twice the loss: weights belong to pairs, and the host divides.
void check_weights(const Subject& subject) {
  const PreferenceCall call = preference_call_of(subject);
  SeededPairs one(call);
  PreferenceMetrics metrics;
  const double loss = call.loss(one.step, one.part, false, metrics).loss;
  for (std::vector<float>* weights : {&one.part.chosen.weights, &one.part.rejected.weights})
    for (float& weight : *weights) weight *= 2;
  one.step.weight *= 2;
  const double twice = call.loss(one.step, one.part, false, metrics).loss;
  expect(std::abs(twice - 2 * loss) <= 1e-5 * (1 + std::abs(loss)),
         "the loss with every weight doubled: " + text_of(twice, 2 * loss));
}

void check_preference_dependence(const Subject& subject) {
  const PreferenceCall call = preference_call_of(subject);
  SeededPairs one(call), other(call, 7);
  PreferenceMetrics metrics;
  const double first = call.loss(one.step, one.part, false, metrics).loss;
  call.loss(other.step, other.part, true, metrics);
  expect(call.loss(one.step, one.part, false, metrics).loss == first,
         "the loss of the same batch changes after a call with another batch");
}

}  // namespace

void check_preference(CheckLog& log, const Subject& subject) {
  if (!log.run(subject.id, "requirements are usable", [&] { preference_call_of(subject); })) return;
  log.run(subject.id, "gradient equals central finite differences", [&] { check_preference_gradient(subject); });
  log.run(subject.id, "chosen becomes likelier, rejected less likely", [&] { check_direction(subject); });
  log.run(subject.id, "losses and gradients of the parts of a step add up", [&] { check_preference_parts(subject); });
  log.run(subject.id, "weights multiply the loss", [&] { check_weights(subject); });
  log.run(subject.id, "the loss depends on its batch alone", [&] { check_preference_dependence(subject); });
}

}  // namespace retort::host
