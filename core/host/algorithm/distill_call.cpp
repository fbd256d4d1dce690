#include "host/algorithm/distill_call.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <set>
#include <stdexcept>

#include "host/algorithm/component_failure.h"
#include "host/algorithm/output_tensor.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/signal_names.h"

namespace retort::host {
namespace {

constexpr std::uint32_t known_flags =
    RETORT_DISTILL_WHOLE_SEQUENCES | RETORT_DISTILL_SEVERAL_TEACHERS | RETORT_DISTILL_STOPPED_GRADIENT;

/// The ABI's setup and what it points to.
class AbiSetup {
 public:
  explicit AbiSetup(const DistillSetup& setup) : student_(shape_of(setup.student)) {
    for (const DistillModelShape& teacher : setup.teachers) teachers_.push_back(shape_of(teacher));
    setup_ = {sizeof setup_,     static_cast<std::uint32_t>(teachers_.size()),
              &student_,         teachers_.data(),
              setup.total_steps, setup.seed};
  }
  AbiSetup(const AbiSetup&) = delete;
  AbiSetup& operator=(const AbiSetup&) = delete;
  const retort_distill_setup* get() const { return &setup_; }

 private:
  static retort_model_shape shape_of(const DistillModelShape& shape) {
    return {sizeof(retort_model_shape), 0, shape.layers, shape.hidden, shape.vocabulary};
  }
  retort_model_shape student_;
  std::vector<retort_model_shape> teachers_;
  retort_distill_setup setup_{};
};

/// The ABI's array of pointers: NULL where the list is empty or was not asked for.
const retort_tensor* const* addresses(const std::vector<const retort_tensor*>& tensors, bool wanted = true) {
  return wanted && !tensors.empty() ? tensors.data() : nullptr;
}

std::vector<DistillParameter> parameters_of(const retort_distill_requirements& out, const std::string& id) {
  std::vector<DistillParameter> parameters;
  std::set<std::string> names;
  const char* next = reinterpret_cast<const char*>(out.parameters);
  for (std::uint64_t i = 0; i < out.parameter_count; ++i) {
    const auto& entry = *reinterpret_cast<const retort_trained_parameter*>(next);
    DistillParameter parameter{to_std(entry.name), {}};
    const std::string what = id + ": trained parameter '" + parameter.name + "'";
    if (parameter.name.empty() || !names.insert(parameter.name).second)
      throw std::runtime_error(what + ": expected a name of its own");
    if (entry.dimensions < 0 || entry.dimensions > 4)
      throw std::runtime_error(what + ": expected 0 to 4 dimensions, found " + std::to_string(entry.dimensions));
    for (std::int32_t d = 0; d < entry.dimensions; ++d) {
      if (entry.shape[d] < 1)
        throw std::runtime_error(what + ": expected sizes of at least 1, found " + std::to_string(entry.shape[d]));
      parameter.shape.push_back(entry.shape[d]);
    }
    parameters.push_back(std::move(parameter));
    next += entry.struct_size;
  }
  return parameters;
}

/// Layers as the component gave them, resolved for a model of `layers` layers.
std::vector<std::int64_t> resolved(const std::vector<std::int64_t>& given, std::int64_t layers,
                                   const std::string& what) {
  std::vector<std::int64_t> outputs;
  for (const std::int64_t layer : given) {
    outputs.push_back(hidden_output(layer, layers));
    if (outputs.back() < 0)
      throw std::invalid_argument(what + ": expected a layer from 0 to " + std::to_string(layers - 1) +
                                  ", or from -1 to " + std::to_string(-layers - 1) + " counted from the end, found " +
                                  std::to_string(layer));
  }
  return outputs;
}

/// A teacher with another tokenizer has rows of its own, which top k and states are not laid out for.
void check_spans(const retort_distill_requirements& out, const std::string& id) {
  constexpr std::uint64_t together = RETORT_SIGNAL_TEACHER_SPANS | RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_LABELS;
  if (const std::string others = unknown_signals(out.signals, together); !others.empty())
    throw std::invalid_argument(id + ": asks for TEACHER_SPANS together with " + others + "; expected only " +
                                signal_names(together));
  if ((out.flags & RETORT_DISTILL_WHOLE_SEQUENCES) == 0)
    throw std::invalid_argument(id + ": asks for TEACHER_SPANS without RETORT_DISTILL_WHOLE_SEQUENCES");
  if (out.on_policy_fraction > 0)
    throw std::invalid_argument(id +
                                ": asks for TEACHER_SPANS and answers of the student; only a data set's answers "
                                "are read by both tokenizers");
}

void check_numbers(const retort_distill_requirements& out, const std::string& id) {
  if (const std::string unknown = unknown_signals(out.signals, distill_signals); !unknown.empty())
    throw std::invalid_argument(id + ": asks for " + unknown + ", which retort.distill/1 does not know");
  if ((out.flags & ~known_flags) != 0)
    throw std::invalid_argument(id + ": unknown bits in flags: " + std::to_string(out.flags & ~known_flags));
  if ((out.signals & RETORT_SIGNAL_TEACHER_TOP_K) != 0 && out.top_k < 1)
    throw std::invalid_argument(id + ": asks for TEACHER_TOP_K with top_k " + std::to_string(out.top_k) +
                                ", expected at least 1");
  if (!(out.on_policy_fraction >= 0 && out.on_policy_fraction <= 1))
    throw std::invalid_argument(id + ": expected an on_policy_fraction in [0,1], found " +
                                std::to_string(out.on_policy_fraction));
  if ((out.signals & RETORT_SIGNAL_TEACHER_SPANS) != 0) check_spans(out, id);
  if (out.layer_count < 0 || (out.layer_count > 0 && (out.student_layers == nullptr || out.teacher_layers == nullptr)))
    throw std::runtime_error(id + ": layer_count " + std::to_string(out.layer_count) + " without layers");
}

void apply_setup(DistillRequirements& wanted, const DistillSetup& setup, const std::string& id) {
  if (setup.teachers.size() > 1 && (wanted.flags & RETORT_DISTILL_SEVERAL_TEACHERS) == 0)
    throw std::invalid_argument(id + ": compares with one teacher, found " + std::to_string(setup.teachers.size()) +
                                ": leave one, or take a loss that says RETORT_DISTILL_SEVERAL_TEACHERS");
  if (wanted.wants(RETORT_SIGNAL_HIDDEN_STATES) && wanted.student_layers.empty())
    throw std::invalid_argument(id + ": asks for HIDDEN_STATES and declares no layers");
  const std::vector<std::int64_t> given = wanted.teacher_layers.front();
  wanted.student_layers = resolved(wanted.student_layers, setup.student.layers, id + ": student_layers");
  wanted.teacher_layers.clear();
  for (const DistillModelShape& teacher : setup.teachers)
    wanted.teacher_layers.push_back(resolved(given, teacher.layers, id + ": teacher_layers"));
}

}  // namespace

std::int64_t hidden_output(std::int64_t layer, std::int64_t layers) {
  if (layer >= layers) return -1;
  return layer >= 0 ? layer : std::max<std::int64_t>(layers + 1 + layer, -1);
}

DistillCall::DistillCall(std::string id, retort_instance* instance, const retort_distill_v1& functions)
    : id_(std::move(id)), instance_(instance), functions_(functions) {
  if (functions.struct_size < RETORT_DISTILL_V1_SIZE || functions.requirements == nullptr || functions.loss == nullptr)
    throw std::runtime_error(id_ + ": its table of " RETORT_DISTILL_INTERFACE " lacks requirements() or loss()");
}

DistillRequirements DistillCall::requirements(const DistillSetup* setup) const {
  retort_distill_requirements out{};
  out.struct_size = sizeof out;
  std::optional<AbiSetup> known;
  if (setup != nullptr) known.emplace(*setup);
  throw_component_failure(functions_.requirements(instance_, known ? known->get() : nullptr, &out),
                          id_ + ": requirements()");
  check_numbers(out, id_);
  DistillRequirements wanted{out.flags, out.signals, out.top_k, out.on_policy_fraction, {}, {{}}, {}};
  if (wanted.wants(RETORT_SIGNAL_HIDDEN_STATES) && out.layer_count > 0) {
    wanted.student_layers.assign(out.student_layers, out.student_layers + out.layer_count);
    wanted.teacher_layers.front().assign(out.teacher_layers, out.teacher_layers + out.layer_count);
  }
  wanted.parameters = parameters_of(out, id_);
  if (!wanted.parameters.empty() && functions_.initialise == nullptr)
    throw std::runtime_error(id_ + ": declares trained parameters and has no initialise()");
  if (setup != nullptr) apply_setup(wanted, *setup, id_);
  return wanted;
}

void DistillCall::initialise(const DistillSetup& setup, std::uint64_t index, const retort_tensor& values) const {
  const AbiSetup known(setup);
  const std::string what = id_ + ": initialise() of parameter " + std::to_string(index);
  fill_with_nan(values);
  throw_component_failure(functions_.initialise(instance_, known.get(), index, &values), what);
  expect_written(values, what);
}

namespace {

/// What a loss asked for must be there: that it is not is the host's mistake.
void expect_given(bool given, const char* name) {
  if (!given)
    throw std::logic_error(std::string("the loss was promised ") + name + ", and the host did not compute it");
}

retort_distill_teacher abi_teacher(const DistillRequirements& wanted, const DistillTeacherView& view) {
  const bool logits = wanted.wants(RETORT_SIGNAL_TEACHER_LOGITS), top = wanted.wants(RETORT_SIGNAL_TEACHER_TOP_K),
             hidden = wanted.wants(RETORT_SIGNAL_HIDDEN_STATES);
  expect_given(!logits || view.logits != nullptr, "a teacher's logits");
  expect_given(!top || (view.top_ids != nullptr && view.top_log_probs != nullptr && view.tail_mass != nullptr),
               "a teacher's top k");
  expect_given(!hidden || view.hidden.size() == wanted.student_layers.size(), "a teacher's hidden states");
  retort_distill_teacher teacher{};
  teacher.struct_size = sizeof teacher;
  teacher.weight = view.weight;
  teacher.logits = logits ? view.logits : nullptr;
  teacher.top_ids = top ? view.top_ids : nullptr;
  teacher.top_log_probs = top ? view.top_log_probs : nullptr;
  teacher.tail_mass = top ? view.tail_mass : nullptr;
  teacher.hidden = addresses(view.hidden, hidden);
  if (wanted.wants(RETORT_SIGNAL_TEACHER_SPANS)) {
    expect_given(view.labels != nullptr && view.spans != nullptr, "a teacher's own tokens and spans");
    teacher.labels = view.labels;
    teacher.spans = view.spans;
  }
  return teacher;
}

retort_distill_batch abi_batch(const DistillRequirements& wanted, const DistillRows& rows,
                               const std::vector<retort_distill_teacher>& teachers) {
  const bool hidden = wanted.wants(RETORT_SIGNAL_HIDDEN_STATES), labels = wanted.wants(RETORT_SIGNAL_LABELS);
  expect_given(rows.student_logits != nullptr && rows.mask != nullptr && rows.sequences != nullptr &&
                   rows.positions != nullptr && rows.lengths != nullptr && !teachers.empty(),
               "its rows");
  expect_given(!labels || rows.labels != nullptr, "labels");
  expect_given(!hidden || rows.student_hidden.size() == wanted.student_layers.size(), "the student's hidden states");
  expect_given(rows.parameters.size() == wanted.parameters.size(), "its parameters");
  retort_distill_batch batch{};
  batch.struct_size = sizeof batch;
  batch.on_policy = rows.on_policy ? 1 : 0;
  batch.student_logits = rows.student_logits;
  batch.student_hidden = addresses(rows.student_hidden, hidden);
  batch.teachers = teachers.data();
  batch.teacher_count = teachers.size();
  batch.labels = labels ? rows.labels : nullptr;
  batch.mask = rows.mask;
  batch.sequences = rows.sequences;
  batch.positions = rows.positions;
  batch.lengths = rows.lengths;
  batch.parameters = addresses(rows.parameters);
  batch.step = rows.step;
  batch.total_steps = rows.total_steps;
  batch.step_weight = rows.step_weight;
  batch.step_sequences = rows.step_sequences;
  return batch;
}

/// Calls `visit(tensor, name)` for every gradient that the loss is to write.
template <typename Visit>
void for_each_gradient(const DistillRequirements& wanted, const DistillGradients& gradients, const Visit& visit) {
  visit(*gradients.logits, std::string("student_logits"));
  for (std::size_t i = 0; i < gradients.hidden.size(); ++i)
    visit(*gradients.hidden[i], "student_hidden[" + std::to_string(i) + "]");
  for (std::size_t i = 0; i < gradients.parameters.size(); ++i)
    visit(*gradients.parameters[i], wanted.parameters[i].name);
}

}  // namespace

double DistillCall::loss(const DistillRequirements& wanted, const DistillRows& rows, const DistillGradients* gradients,
                         const retort_metric_sink& metrics) const {
  std::vector<retort_distill_teacher> teachers;
  for (const DistillTeacherView& view : rows.teachers) teachers.push_back(abi_teacher(wanted, view));
  const retort_distill_batch batch = abi_batch(wanted, rows, teachers);
  retort_distill_result result{};
  result.struct_size = sizeof result;
  result.loss = std::numeric_limits<double>::quiet_NaN();
  result.metrics = &metrics;
  if (gradients != nullptr) {
    result.logits_gradient = gradients->logits;
    result.hidden_gradients = addresses(gradients->hidden);
    result.parameter_gradients = addresses(gradients->parameters);
    for_each_gradient(wanted, *gradients,
                      [](const retort_tensor& tensor, const std::string&) { fill_with_nan(tensor); });
  }
  throw_component_failure(functions_.loss(instance_, &batch, &result), id_ + ": loss()");
  if (!std::isfinite(result.loss))
    throw std::runtime_error(id_ + ": loss(): expected a finite loss, found " + std::to_string(result.loss));
  if (gradients != nullptr)
    for_each_gradient(wanted, *gradients, [&](const retort_tensor& tensor, const std::string& name) {
      expect_written(tensor, id_ + ": loss(): d loss / d " + name);
    });
  return result.loss;
}

}  // namespace retort::host
