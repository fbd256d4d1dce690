// retort.distill/1 on a seeded batch of three sequences, through the call that stages use. N rows, V vocabulary, k kept
// teacher entries, D hidden.
#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>

#include "host/algorithm/distill_call.h"
#include "host/plugin/conformance_checks.h"
#include "host/plugin/conformance_distill_teacher.h"

namespace retort::host {
namespace {

using namespace distill_case;

/// Of central differences. Twice, with half the step as well: what the two disagree by is how far they can be trusted.
constexpr double step_width = 1e-2;
/// Of the largest derivative. A gradient whose scale is wrong by more than this cannot pass.
constexpr double tolerance = 0.01;

/// A trained parameter, or the gradient of one.
class Parameter {
 public:
  explicit Parameter(std::vector<std::int64_t> shape) : shape_(std::move(shape)), strides_(shape_.size(), 1) {
    for (std::size_t d = shape_.size(); d > 1; --d) strides_[d - 2] = strides_[d - 1] * shape_[d - 1];
    std::int64_t size = 1;
    for (const std::int64_t extent : shape_) size *= extent;
    values.assign(static_cast<std::size_t>(size), 0.0F);
    view_.struct_size = sizeof view_;
    view_.data = values.data();
    view_.device_type = RETORT_DEVICE_CPU;
    view_.dtype_code = RETORT_DTYPE_FLOAT;
    view_.dtype_bits = 32;
    view_.dtype_lanes = 1;
    view_.dimensions = static_cast<std::int32_t>(shape_.size());
    view_.shape = shape_.data();
    view_.strides = strides_.data();
  }
  Parameter(const Parameter&) = delete;
  Parameter& operator=(const Parameter&) = delete;
  const retort_tensor* view() const { return &view_; }

 private:
  std::vector<std::int64_t> shape_, strides_;
  retort_tensor view_{};

 public:
  std::vector<float> values;
};

using Parameters = std::vector<std::unique_ptr<Parameter>>;

struct Gradients {
  Gradients(std::size_t layers, const std::vector<DistillParameter>& declared) {
    for (std::size_t i = 0; i < layers; ++i) hidden.push_back(std::make_unique<OwnedTensor<float>>(N, student_width));
    for (const DistillParameter& parameter : declared)
      parameters.push_back(std::make_unique<Parameter>(parameter.shape));
  }

  OwnedTensor<float> logits{N, V};
  std::vector<Matrix> hidden;
  Parameters parameters;
};

/// A component with the batch that it asked for.
class Case {
 public:
  Case(const Subject& subject, std::size_t teacher_count)
      : call_(subject.id, subject.instance, subject.functions<retort_distill_v1>()) {
    ask(teacher_count, teacher_width);
    SeededNumbers numbers(20250413);
    student.fill([&] { return static_cast<float>(numbers.normal()); });
    for (std::size_t i = 0; i < wanted.student_layers.size(); ++i)
      student_hidden.push_back(normal_matrix(numbers, student_width));
    const std::int64_t kept = std::clamp<std::int64_t>(wanted.top_k, 1, V);
    for (const DistillModelShape& shape : setup.teachers)
      teachers.push_back(std::make_unique<Teacher>(numbers, kept, wanted.student_layers.size(), shape.hidden));
    labels_.fill([&] { return numbers.below(V); });
    mask.fill([&] { return static_cast<float>(numbers.uniform(0.25, 1)); });
    mask.at(2) = 0;
    number_rows();
    for (std::size_t i = 0; i < wanted.parameters.size(); ++i) parameters.push_back(initialised(i));
  }

  std::unique_ptr<Parameter> initialised(std::size_t index) const {
    auto parameter = std::make_unique<Parameter>(wanted.parameters[index].shape);
    call_.initialise(setup, index, *parameter->view());
    return parameter;
  }

  Gradients gradients() const { return {student_hidden.size(), wanted.parameters}; }

  /// Of rows [first, first + count); `into` may be null.
  double loss(Gradients* into, std::int64_t first = 0, std::int64_t count = N) {
    const DistillRows batch = rows(first, count);
    const retort_metric_sink sink{sizeof sink, 0, nullptr, [](void*, retort_string, double) {}};
    if (into == nullptr) return call_.loss(wanted, batch, nullptr, sink);
    DistillGradients out{into->logits.output_rows(first, count), {}, {}};
    for (const Matrix& matrix : into->hidden) out.hidden.push_back(matrix->output_rows(first, count));
    for (const auto& parameter : into->parameters) out.parameters.push_back(parameter->view());
    return call_.loss(wanted, batch, &out, sink);
  }

 private:
  /// Teachers are wider than the student. A loss that cannot do with that says so, and gets equal widths.
  void ask(std::size_t teacher_count, std::int64_t width) {
    setup = {{3, student_width, V}, {}, total_steps, 7};
    setup.teachers.assign(teacher_count, {4, width, V});
    try {
      wanted = call_.requirements(&setup);
    } catch (const std::invalid_argument&) {
      if (width == student_width) throw;
      ask(teacher_count, student_width);
    }
  }

  void number_rows() {
    std::int64_t row = 0;
    for (std::size_t s = 0; s < sequence_rows.size(); ++s)
      for (std::int64_t position = 0; position < sequence_rows[s]; ++position, ++row) {
        sequences_.at(row) = static_cast<std::int64_t>(s);
        positions_.at(row) = position;
        lengths_.at(row) = sequence_rows[s];
      }
  }

  DistillRows rows(std::int64_t first, std::int64_t count) {
    spans_.clear();
    DistillRows batch;
    batch.on_policy = on_policy;
    batch.student_logits = student.input_rows(first, count);
    for (const Matrix& matrix : student_hidden) batch.student_hidden.push_back(matrix->input_rows(first, count));
    for (const auto& teacher : teachers) {
      DistillTeacherView& view = batch.teachers.emplace_back();
      view.weight = 1.0 / static_cast<double>(teachers.size());
      view.logits = teacher->logits.input_rows(first, count);
      view.top_ids = teacher->top_ids.input_rows(first, count);
      view.top_log_probs = teacher->top_log_probs.input_rows(first, count);
      view.tail_mass = teacher->tail.input_rows(first, count);
      for (const Matrix& matrix : teacher->hidden) view.hidden.push_back(matrix->input_rows(first, count));
      if (wanted.wants(RETORT_SIGNAL_TEACHER_SPANS)) show_spans(first, count, *teacher, view);
    }
    batch.labels = labels_.input_rows(first, count);
    batch.mask = mask.input_rows(first, count);
    batch.sequences = sequences_.input_rows(first, count);
    batch.positions = positions_.input_rows(first, count);
    batch.lengths = lengths_.input_rows(first, count);
    for (const auto& parameter : parameters) batch.parameters.push_back(parameter->view());
    batch.step = step;
    batch.total_steps = total_steps;
    batch.step_sequences = static_cast<std::int64_t>(sequence_rows.size());
    for (std::int64_t n = 0; n < N; ++n) batch.step_weight += static_cast<double>(mask.at(n));
    return batch;
  }

  /// The teacher's own rows of the sequences that rows [first, first + count) are, and the pieces from there on.
  void show_spans(std::int64_t first, std::int64_t count, Teacher& teacher, DistillTeacherView& view) {
    std::vector<std::array<std::int64_t, 4>> spans;
    std::int64_t row = 0, other = 0, first_other = -1;
    for (std::size_t s = 0; s < sequence_rows.size(); ++s)
      for (const auto& [student_rows, teacher_rows] : pieces[s]) {
        if (row >= first && row < first + count) {
          if (first_other < 0) first_other = other;
          spans.push_back({row - first, student_rows, other - first_other, teacher_rows});
        }
        row += student_rows;
        other += teacher_rows;
      }
    auto& tensor = spans_.emplace_back(
        std::make_unique<OwnedTensor<std::int64_t>>(static_cast<std::int64_t>(spans.size()), std::int64_t{4}));
    for (std::size_t m = 0; m < spans.size(); ++m)
      for (std::size_t i = 0; i < 4; ++i)
        tensor->at(static_cast<std::int64_t>(m), static_cast<std::int64_t>(i)) = spans[m][i];
    const std::int64_t others = spans.back()[2] + spans.back()[3];
    view.logits = teacher.other_logits.input_rows(first_other, others);
    view.labels = teacher.other_labels.input_rows(first_other, others);
    view.spans = tensor->input();
  }

  std::vector<std::unique_ptr<OwnedTensor<std::int64_t>>> spans_;  ///< of the present call
  DistillCall call_;
  OwnedTensor<std::int64_t> labels_{N}, sequences_{N}, positions_{N}, lengths_{N};

 public:
  DistillSetup setup;
  DistillRequirements wanted;
  OwnedTensor<float> student{N, V}, mask{N};
  std::vector<Matrix> student_hidden;
  std::vector<std::unique_ptr<Teacher>> teachers;
  Parameters parameters;
  std::int64_t step = 0;
  bool on_policy = false;
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

/// What the loss depends on, element by element, and the gradient that it returned.
struct Derivative {
  std::string name;
  std::int64_t size;
  std::function<float&(std::int64_t)> input;
  std::function<float(std::int64_t)> gradient;
};

std::vector<Derivative> derivatives(Case& subject, const Gradients& gradients) {
  std::vector<Derivative> all;
  const auto add = [&](const std::string& name, OwnedTensor<float>& input, const OwnedTensor<float>& gradient) {
    all.push_back({name, input.size(), [&input](std::int64_t i) -> float& { return input.flat(i); },
                   [&gradient](std::int64_t i) { return gradient.flat(i); }});
  };
  add("student_logits", subject.student, gradients.logits);
  for (std::size_t i = 0; i < subject.student_hidden.size(); ++i)
    add("student_hidden[" + std::to_string(i) + "]", *subject.student_hidden[i], *gradients.hidden[i]);
  for (std::size_t i = 0; i < subject.parameters.size(); ++i) {
    std::vector<float>& values = subject.parameters[i]->values;
    const std::vector<float>& gradient = gradients.parameters[i]->values;
    all.push_back({subject.wanted.parameters[i].name, static_cast<std::int64_t>(values.size()),
                   [&values](std::int64_t at) -> float& { return values[static_cast<std::size_t>(at)]; },
                   [&gradient](std::int64_t at) { return gradient[static_cast<std::size_t>(at)]; }});
  }
  return all;
}

double central_difference(Case& subject, float& element, double width) {
  const float middle = element;
  element = static_cast<float>(middle + width);
  const double high = element, above = subject.loss(nullptr);
  element = static_cast<float>(middle - width);
  const double low = element, below = subject.loss(nullptr);
  element = middle;
  return (above - below) / (high - low);
}

/// Whether the loss depends on this input at all; the gradient is that of the loss, or the check fails.
bool compare_with_differences(Case& subject, const Derivative& derivative, double value) {
  std::vector<double> wide, half;
  double largest = 0, largest_gradient = 0;
  for (std::int64_t i = 0; i < derivative.size; ++i) {
    wide.push_back(central_difference(subject, derivative.input(i), step_width));
    half.push_back(central_difference(subject, derivative.input(i), step_width / 2));
    largest = std::max(largest, std::abs(half.back()));
    largest_gradient = std::max(largest_gradient, std::abs(static_cast<double>(derivative.gradient(i))));
  }
  const double rounding = 1e-6 * std::abs(value) / step_width;  // of a loss that is summed in single precision
  if (largest <= rounding && largest_gradient <= rounding) return false;
  std::int64_t kinks = 0;
  for (std::int64_t i = 0; i < derivative.size; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const double doubt = std::abs(wide[at] - half[at]);
    if (doubt > 0.1 * largest + rounding) {  // a kink between the two points: no derivative to compare with
      ++kinks;
      continue;
    }
    const double difference = (4 * half[at] - wide[at]) / 3;  // Richardson's extrapolation
    expect(std::abs(difference - derivative.gradient(i)) <= tolerance * largest + doubt + rounding,
           "d loss / d " + derivative.name + " at element " + std::to_string(i) + ", step " +
               std::to_string(subject.step) + ": " +
               pair_text("gradient", derivative.gradient(i), "finite difference", difference));
  }
  expect(4 * kinks <= derivative.size, "d loss / d " + derivative.name + ": " + std::to_string(kinks) + " of " +
                                           std::to_string(derivative.size) + " differences do not settle");
  return true;
}

/// A small step against a gradient that holds parts of the loss constant lowers the value all the same.
void expect_descent(Case& subject, const Gradients& gradients, double value) {
  double largest = 0;
  for (std::int64_t i = 0; i < subject.student.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(gradients.logits.flat(i))));
  expect(largest > 0, "the gradient is 0 at a loss of " + std::to_string(value));
  std::vector<float> before;
  for (std::int64_t i = 0; i < subject.student.size(); ++i) {
    before.push_back(subject.student.flat(i));
    subject.student.flat(i) -= static_cast<float>(step_width / largest) * gradients.logits.flat(i);
  }
  const double after = subject.loss(nullptr);
  for (std::int64_t i = 0; i < subject.student.size(); ++i)
    subject.student.flat(i) = before[static_cast<std::size_t>(i)];
  expect(after < value,
         "a small step against the gradient does not lower the loss: " + pair_text("before", value, "after", after));
}

void check_gradient(const Subject& subject) {
  Case tested(subject, 1);
  for (const std::int64_t step : {std::int64_t{0}, total_steps - 1}) {
    tested.step = step;
    tested.on_policy = step > 0 && tested.wanted.on_policy_fraction > 0;
    Gradients gradients = tested.gradients();
    const double value = tested.loss(&gradients);
    const double alone = tested.loss(nullptr);
    expect(near(value, alone, value),
           "the loss differs without a gradient: " + pair_text("with", value, "without", alone));
    if ((tested.wanted.flags & RETORT_DISTILL_STOPPED_GRADIENT) != 0) {
      expect_descent(tested, gradients, value);
      continue;
    }
    bool depends = false;
    for (const Derivative& derivative : derivatives(tested, gradients))
      depends = compare_with_differences(tested, derivative, value) || depends;
    expect(depends, "the loss depends on nothing of the student: its value is " + std::to_string(value));
  }
}

void check_zero_mask(const Subject& subject) {
  Case tested(subject, 1);
  tested.mask.fill_with(0);
  Gradients gradients = tested.gradients();
  const double value = tested.loss(&gradients);
  expect(value == 0, "the loss is " + std::to_string(value) + ", expected 0");
  for (const Derivative& derivative : derivatives(tested, gradients))
    for (std::int64_t i = 0; i < derivative.size; ++i)
      expect(derivative.gradient(i) == 0,
             "d loss / d " + derivative.name + " is not 0 at element " + std::to_string(i));
}

/// Rows [begin, end) of each part: whole sequences, or pairs of rows where the loss takes any.
std::vector<std::pair<std::int64_t, std::int64_t>> parts_of(bool whole_sequences) {
  std::vector<std::pair<std::int64_t, std::int64_t>> parts;
  std::int64_t first = 0;
  if (whole_sequences)
    for (const std::int64_t rows : sequence_rows) parts.emplace_back(first, rows), first += rows;
  else
    for (; first < N; first += 2) parts.emplace_back(first, 2);
  return parts;
}

void check_parts(const Subject& subject) {
  Case tested(subject, 1);
  Gradients whole = tested.gradients(), in_parts = tested.gradients();
  const double value = tested.loss(&whole);
  double sum = 0;
  std::vector<std::vector<double>> parameter_sums;
  for (const auto& parameter : whole.parameters) parameter_sums.emplace_back(parameter->values.size(), 0.0);
  for (const auto& [first, count] : parts_of(tested.wanted.whole_sequences())) {
    sum += tested.loss(&in_parts, first, count);
    for (std::size_t i = 0; i < parameter_sums.size(); ++i)
      for (std::size_t j = 0; j < parameter_sums[i].size(); ++j)
        parameter_sums[i][j] += static_cast<double>(in_parts.parameters[i]->values[j]);
  }
  for (std::size_t i = 0; i < parameter_sums.size(); ++i)
    std::transform(parameter_sums[i].begin(), parameter_sums[i].end(), in_parts.parameters[i]->values.begin(),
                   [](double number) { return static_cast<float>(number); });
  expect(near(sum, value, value), pair_text("whole", value, "sum of parts", sum));
  const auto expected = derivatives(tested, whole), found = derivatives(tested, in_parts);
  for (std::size_t d = 0; d < expected.size(); ++d)
    for (std::int64_t i = 0; i < expected[d].size; ++i)
      expect(near(expected[d].gradient(i), found[d].gradient(i), 0),
             "d loss / d " + expected[d].name + " depends on which rows are passed together: " +
                 pair_text("whole", expected[d].gradient(i), "in parts", found[d].gradient(i)));
}

void check_initial_values(const Subject& subject) {
  const Case tested(subject, 1);
  for (std::size_t i = 0; i < tested.wanted.parameters.size(); ++i)
    expect(tested.initialised(i)->values == tested.parameters[i]->values,
           tested.wanted.parameters[i].name + " begins differently when it is initialised again from the same setup");
}

void check_second_teacher(const Subject& subject) {
  Case tested(subject, 2);
  const double before = tested.loss(nullptr);
  SeededNumbers numbers(11);
  const Teacher& second = *tested.teachers[1];
  tested.teachers[1] = std::make_unique<Teacher>(numbers, second.top_ids.columns(), second.hidden.size(),
                                                 tested.setup.teachers[1].hidden);
  const double after = tested.loss(nullptr);
  expect(std::abs(after - before) > 1e-6 * std::abs(before),
         "says that it takes several teachers, and the loss is the same whatever the second one says: " +
             pair_text("before", before, "after", after));
}

void check_requirements(const Subject& subject) {
  const DistillCall call(subject.id, subject.instance, subject.functions<retort_distill_v1>());
  const DistillRequirements early = call.requirements(nullptr);
  const DistillRequirements late = Case(subject, 1).wanted;
  expect(early.signals == late.signals && early.flags == late.flags,
         "signals or flags change once the models are known: retort check would promise something else");
}

}  // namespace

void check_distill(CheckLog& log, const Subject& subject) {
  if (!log.run(subject.id, "requirements are usable", [&] { check_requirements(subject); })) return;
  log.run(subject.id, "gradient equals central finite differences", [&] { check_gradient(subject); });
  log.run(subject.id, "zero mask gives zero loss and gradient", [&] { check_zero_mask(subject); });
  log.run(subject.id, "sum over row chunks equals the whole", [&] { check_parts(subject); });
  const DistillRequirements wanted = Case(subject, 1).wanted;
  if (!wanted.parameters.empty())
    log.run(subject.id, "initial values depend on the setup alone", [&] { check_initial_values(subject); });
  if ((wanted.flags & RETORT_DISTILL_SEVERAL_TEACHERS) != 0)
    log.run(subject.id, "a second teacher counts", [&] { check_second_teacher(subject); });
}

}  // namespace retort::host
