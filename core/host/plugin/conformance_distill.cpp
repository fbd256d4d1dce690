// retort.distill/1 on a seeded batch: N rows, V vocabulary, k kept teacher entries, D hidden.
#include <retort/abi/distill.h>

#include <algorithm>
#include <numeric>
#include <sstream>

#include "host/plugin/conformance_checks.h"
#include "host/plugin/conformance_tensor.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

constexpr std::int64_t N = 6, V = 9, D = 5;

/// Central differences in single precision: truncation O(h²), rounding about 1e-7·|loss|/h.
constexpr double step = 1e-2;

retort_distill_requirements requirements_of(const Subject& subject) {
  retort_distill_requirements out{};
  out.struct_size = sizeof out;
  throw_if_error(subject.functions<retort_distill_v1>().requirements(subject.instance, &out), "requirements()");
  return out;
}

class Batch {
 public:
  explicit Batch(const retort_distill_requirements& wanted)
      : signals_(wanted.signals),
        kept_(std::clamp<std::int64_t>(wanted.top_k, 1, V)),
        student(N, V),
        mask(N),
        student_hidden(N, D),
        teacher_(N, V),
        top_ids_(N, kept_),
        top_log_probs_(N, kept_),
        teacher_hidden_(N, D),
        labels_(N) {
    SeededNumbers numbers(20250413);
    const auto normal = [&] { return static_cast<float>(numbers.normal()); };
    student.fill(normal);
    teacher_.fill(normal);
    student_hidden.fill(normal);
    teacher_hidden_.fill(normal);
    labels_.fill([&] { return numbers.below(V); });
    mask.fill([&] { return static_cast<float>(numbers.uniform(0.25, 1)); });
    mask.at(2) = 0;
    for (std::int64_t n = 0; n < N; ++n) keep_top(n);
  }

  bool has_hidden() const { return (signals_ & RETORT_SIGNAL_HIDDEN_STATES) != 0; }

  /// Rows [first, first + count).
  retort_distill_batch rows(std::int64_t first, std::int64_t count) {
    retort_distill_batch batch{};
    batch.struct_size = sizeof batch;
    const auto if_wanted = [&](std::uint32_t signal, auto& tensor) {
      return (signals_ & signal) != 0 ? tensor.input_rows(first, count) : nullptr;
    };
    batch.student_logits = student.input_rows(first, count);
    batch.teacher_logits = if_wanted(RETORT_SIGNAL_TEACHER_LOGITS, teacher_);
    batch.teacher_top_ids = if_wanted(RETORT_SIGNAL_TEACHER_TOP_K, top_ids_);
    batch.teacher_top_log_probs = if_wanted(RETORT_SIGNAL_TEACHER_TOP_K, top_log_probs_);
    batch.student_hidden = if_wanted(RETORT_SIGNAL_HIDDEN_STATES, student_hidden);
    batch.teacher_hidden = if_wanted(RETORT_SIGNAL_HIDDEN_STATES, teacher_hidden_);
    batch.labels = if_wanted(RETORT_SIGNAL_LABELS, labels_);
    batch.mask = mask.input_rows(first, count);
    return batch;
  }

 private:
  void keep_top(std::int64_t n) {
    std::vector<std::int64_t> order(V);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return teacher_.at(n, a) > teacher_.at(n, b); });
    double sum = 0;
    for (std::int64_t v = 0; v < V; ++v) sum += std::exp(teacher_.at(n, v));
    for (std::int64_t k = 0; k < kept_; ++k) {
      top_ids_.at(n, k) = order[static_cast<std::size_t>(k)];
      top_log_probs_.at(n, k) = static_cast<float>(teacher_.at(n, top_ids_.at(n, k)) - std::log(sum));
    }
  }

  std::uint32_t signals_;
  std::int64_t kept_;

 public:
  OwnedTensor<float> student, mask, student_hidden;

 private:
  OwnedTensor<float> teacher_;
  OwnedTensor<std::int64_t> top_ids_;
  OwnedTensor<float> top_log_probs_, teacher_hidden_;
  OwnedTensor<std::int64_t> labels_;
};

struct Gradients {
  OwnedTensor<float> logits{N, V}, hidden{N, D};
};

class Loss {
 public:
  explicit Loss(const Subject& subject) : subject_(subject), batch(requirements_of(subject)) {}

  double value(std::int64_t first = 0, std::int64_t count = N) { return call(first, count, nullptr); }
  double with_gradient(Gradients& gradients, std::int64_t first = 0, std::int64_t count = N) {
    return call(first, count, &gradients);
  }

 private:
  double call(std::int64_t first, std::int64_t count, Gradients* gradients) {
    const retort_distill_batch rows = batch.rows(first, count);
    const retort_tensor* logits = gradients != nullptr ? gradients->logits.output_rows(first, count) : nullptr;
    const retort_tensor* hidden =
        gradients != nullptr && batch.has_hidden() ? gradients->hidden.output_rows(first, count) : nullptr;
    const retort_metric_sink sink{sizeof sink, 0, nullptr, [](void*, retort_string, double) {}};
    double loss = std::numeric_limits<double>::quiet_NaN();
    throw_if_error(subject_.functions<retort_distill_v1>().loss(subject_.instance, &rows, &loss, logits, hidden, &sink),
                   "loss()");
    return loss;
  }

  const Subject& subject_;

 public:
  Batch batch;
};

bool near(double a, double b, double scale) {
  return std::abs(a - b) <= 1e-5 * (1 + std::abs(scale));
}

std::string pair_text(const char* first, double a, const char* second, double b) {
  std::ostringstream text;
  text.precision(8);
  text << first << " " << a << ", " << second << " " << b;
  return text.str();
}

void check_requirements(const Subject& subject) {
  const retort_distill_requirements wanted = requirements_of(subject);
  constexpr std::uint32_t known =
      RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_TEACHER_TOP_K | RETORT_SIGNAL_HIDDEN_STATES | RETORT_SIGNAL_LABELS;
  expect((wanted.signals & ~known) == 0, "unknown bits in signals: " + std::to_string(wanted.signals));
  expect((wanted.signals & RETORT_SIGNAL_TEACHER_TOP_K) == 0 || wanted.top_k > 0, "wants top-k with top_k below 1");
  expect(wanted.on_policy_fraction >= 0 && wanted.on_policy_fraction <= 1, "on_policy_fraction is outside [0,1]");
}

void compare_with_differences(Loss& loss, OwnedTensor<float>& input, const OwnedTensor<float>& gradient,
                              const char* name) {
  double largest = 0;
  for (std::int64_t i = 0; i < gradient.size(); ++i) {
    expect(std::isfinite(gradient.flat(i)),
           std::string("d loss / d ") + name + " is not finite, or not written, at element " + std::to_string(i));
    largest = std::max(largest, std::abs(static_cast<double>(gradient.flat(i))));
  }
  for (std::int64_t i = 0; i < input.size(); ++i) {
    const float middle = input.flat(i);
    input.flat(i) = static_cast<float>(middle + step);
    const double high = input.flat(i), above = loss.value();
    input.flat(i) = static_cast<float>(middle - step);
    const double low = input.flat(i), below = loss.value();
    input.flat(i) = middle;
    const double difference = (above - below) / (high - low);
    expect(std::abs(difference - gradient.flat(i)) <= 0.01 * largest + 5e-4,
           std::string("d loss / d ") + name + " at row " + std::to_string(i / input.columns()) + ", column " +
               std::to_string(i % input.columns()) + ": " +
               pair_text("gradient", gradient.flat(i), "finite difference", difference));
  }
}

void check_gradient(const Subject& subject) {
  Loss loss(subject);
  Gradients gradients;
  const double value = loss.with_gradient(gradients);
  expect(std::isfinite(value), "the loss is not finite");
  expect(near(value, loss.value(), value),
         "the loss differs without a gradient: " + pair_text("with", value, "without", loss.value()));
  compare_with_differences(loss, loss.batch.student, gradients.logits, "student_logits");
  if (loss.batch.has_hidden())
    compare_with_differences(loss, loss.batch.student_hidden, gradients.hidden, "student_hidden");
}

void check_zero_mask(const Subject& subject) {
  Loss loss(subject);
  loss.batch.mask.fill_with(0);
  Gradients gradients;
  const double value = loss.with_gradient(gradients);
  expect(value == 0, "the loss is " + std::to_string(value) + ", expected 0");
  for (std::int64_t i = 0; i < gradients.logits.size(); ++i)
    expect(gradients.logits.flat(i) == 0, "the gradient is not 0, or not written, at element " + std::to_string(i));
}

void check_parts(const Subject& subject) {
  Loss loss(subject);
  Gradients whole, parts;
  const double value = loss.with_gradient(whole);
  double sum = 0;
  for (std::int64_t first = 0; first < N; first += 2) sum += loss.with_gradient(parts, first, 2);
  expect(near(sum, value, value), pair_text("whole", value, "sum of parts", sum));
  for (std::int64_t i = 0; i < whole.logits.size(); ++i)
    expect(near(whole.logits.flat(i), parts.logits.flat(i), 0),
           "the gradient of a row depends on the other rows: " +
               pair_text("whole", whole.logits.flat(i), "in parts", parts.logits.flat(i)));
}

}  // namespace

void check_distill(CheckLog& log, const Subject& subject) {
  if (!log.run(subject.id, "requirements are usable", [&] { check_requirements(subject); })) return;
  log.run(subject.id, "gradient equals central finite differences", [&] { check_gradient(subject); });
  log.run(subject.id, "zero mask gives zero loss and gradient", [&] { check_zero_mask(subject); });
  log.run(subject.id, "sum over row chunks equals the whole", [&] { check_parts(subject); });
}

}  // namespace retort::host
