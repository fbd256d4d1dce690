// DistillStep of loss_calls.h. What a loss did not ask for, it does not get.
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

#include "loss_calls.h"
#include "owned_rows.h"

namespace retort::golden {

namespace {

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

std::vector<std::int64_t> DistillStep::pad_every_sequence(std::int64_t count) {
  std::vector<std::int64_t> places;
  const auto widen = [&](auto& all, std::int64_t columns, auto filling) {
    std::remove_reference_t<decltype(all)> wide;
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      wide.insert(wide.end(), all.begin() + begins[s] * columns, all.begin() + begins[s + 1] * columns);
      wide.insert(wide.end(), static_cast<std::size_t>(count * columns), filling);
    }
    all = std::move(wide);
  };
  const float nothing = -std::numeric_limits<float>::infinity();
  widen(student, vocabulary, nothing);
  widen(teacher, vocabulary, nothing);
  widen(mask, 1, 0.0F);
  widen(labels, 1, std::int64_t{0});
  for (auto& states : student_hidden) widen(states, student_width, not_written);
  for (auto& states : teacher_hidden) widen(states, teacher_width, not_written);
  for (std::size_t s = 0; s < lengths.size(); ++s)
    for (std::int64_t t = 0; t < lengths[s]; ++t)
      places.push_back(begins[s] + static_cast<std::int64_t>(s) * count + t);
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    lengths[s] += count;
    begins[s + 1] = begins[s] + lengths[s];
  }
  return places;
}

std::vector<std::int64_t> DistillStep::spans(std::size_t first, std::size_t count) const {
  std::vector<std::int64_t> pieces;
  for (std::size_t s = first; s < first + count; ++s)
    for (std::int64_t n = begins[s]; n < begins[s + 1];) {
      const auto at = static_cast<std::size_t>(n);
      const bool both = n + 1 < begins[s + 1] && mask[at] == 1 && mask[at + 1] == 1;
      const std::int64_t row = n - begins[first], length = both ? 2 : 1;
      pieces.insert(pieces.end(), {row, length, row, length});
      n += length;
    }
  return pieces;
}

namespace {

/// The tensors of some sequences of a step, by what the loss asked for.
class DistillPart {
 public:
  DistillPart(const LoadedComponent& loss, const DistillStep& step, std::size_t first, std::size_t count)
      : loss_(loss),
        step_(step),
        begin_(step.begins[first]),
        rows_(step.begins[first + count] - begin_),
        setup_{sizeof setup_, 1, &student_shape_, &teacher_shape_, 10, 7},
        gradient(unwritten(rows_, DistillStep::vocabulary)) {
    teacher_shape_.hidden = step.teacher_width;
    wanted_.struct_size = sizeof wanted_;
    throw_if_error(functions().requirements(loss.instance(), &setup_, &wanted_));
    batch.struct_size = sizeof batch;
    says_.struct_size = sizeof says_;
    says_.weight = 1;
    batch.teachers = &says_;
    batch.teacher_count = 1;
    number_rows(first, count);
    add_signals();
    if (wants(RETORT_SIGNAL_TEACHER_SPANS)) add_spans(first, count);
    if (wants(RETORT_SIGNAL_HIDDEN_STATES)) add_states();
    add_parameters();
  }
  DistillPart(const DistillPart&) = delete;
  DistillPart& operator=(const DistillPart&) = delete;

  Outcome outcome() {
    Outcome said;
    const retort_metric_sink sink = sink_into(said.metrics);
    retort_distill_result result{sizeof result,
                                 0,
                                 static_cast<double>(not_written),
                                 gradient->view(),
                                 state_gradient_views_.empty() ? nullptr : state_gradient_views_.data(),
                                 parameters_.empty() ? nullptr : parameter_gradient_views_.data(),
                                 &sink};
    throw_if_error(functions().loss(loss_.instance(), &batch, &result));
    said.loss = result.loss;
    said.gradients["logits"] = gradient->values;
    for (std::size_t l = 0; l < state_gradients_.size(); ++l)
      said.gradients["hidden" + std::to_string(l)] = state_gradients_[l]->values;
    for (std::size_t p = 0; p < parameter_gradients_.size(); ++p)
      said.gradients["parameter" + std::to_string(p)] = parameter_gradients_[p]->values;
    return said;
  }

 private:
  const retort_distill_v1& functions() const { return loss_.functions<retort_distill_v1>(RETORT_DISTILL_INTERFACE); }
  bool wants(std::uint64_t signal) const { return (wanted_.signals & signal) != 0; }
  const retort_tensor* take(const std::vector<float>& all, std::int64_t columns = 0) {
    floats_.push_back(slice(all, begin_, rows_, columns));
    return floats_.back()->view();
  }
  const retort_tensor* own(const std::vector<std::int64_t>& values, std::int64_t columns = 0) {
    integers_.push_back(slice(values, 0, rows_, columns));
    return integers_.back()->view();
  }

  void number_rows(std::size_t first, std::size_t count) {
    std::vector<std::int64_t> sequence, position, length;
    for (std::size_t s = first; s < first + count; ++s)
      for (std::int64_t t = 0; t < step_.lengths[s]; ++t) {
        sequence.push_back(static_cast<std::int64_t>(s));
        position.push_back(t);
        length.push_back(step_.lengths[s]);
      }
    batch.sequences = own(sequence);
    batch.positions = own(position);
    batch.lengths = own(length);
    batch.mask = take(step_.mask);
    batch.total_steps = setup_.total_steps;
    batch.step_weight = static_cast<double>(std::accumulate(step_.mask.begin(), step_.mask.end(), 0.0F));
    batch.step_sequences = static_cast<std::int64_t>(step_.lengths.size());
  }

  void add_signals() {
    batch.student_logits = take(step_.student, DistillStep::vocabulary);
    if (wants(RETORT_SIGNAL_TEACHER_LOGITS)) says_.logits = take(step_.teacher, DistillStep::vocabulary);
    if (wants(RETORT_SIGNAL_LABELS))
      batch.labels = own({step_.labels.begin() + begin_, step_.labels.begin() + begin_ + rows_});
    if (!wants(RETORT_SIGNAL_TEACHER_TOP_K)) return;
    const TopK top = top_of(step_.teacher, begin_, rows_, wanted_.top_k);
    says_.top_ids = own(top.ids, wanted_.top_k);
    floats_.push_back(slice(top.log_probs, 0, rows_, wanted_.top_k));
    says_.top_log_probs = floats_.back()->view();
    floats_.push_back(slice(top.tail, 0, rows_));
    says_.tail_mass = floats_.back()->view();
  }

  void add_spans(std::size_t first, std::size_t count) {
    const std::vector<std::int64_t> pieces = step_.spans(first, count);
    says_.labels = batch.labels;
    integers_.push_back(slice(pieces, 0, static_cast<std::int64_t>(pieces.size()) / 4, 4));
    says_.spans = integers_.back()->view();
  }

  void add_states() {
    const auto layer = [](std::int64_t index) {
      return static_cast<std::size_t>(index < 0 ? DistillStep::layers + index : index);
    };
    for (std::int64_t l = 0; l < wanted_.layer_count; ++l) {
      student_views_.push_back(
          take(step_.student_hidden[layer(wanted_.student_layers[l])], DistillStep::student_width));
      teacher_views_.push_back(take(step_.teacher_hidden[layer(wanted_.teacher_layers[l])], step_.teacher_width));
      state_gradients_.push_back(unwritten(rows_, DistillStep::student_width));
    }
    state_gradient_views_ = views(state_gradients_);
    batch.student_hidden = student_views_.data();
    says_.hidden = teacher_views_.data();
  }

  void add_parameters() {
    for (std::uint64_t p = 0; p < wanted_.parameter_count; ++p) {
      const std::int64_t* const shape = wanted_.parameters[p].shape;
      parameters_.push_back(unwritten(shape[0], shape[1]));
      parameter_gradients_.push_back(unwritten(shape[0], shape[1]));
      throw_if_error(functions().initialise(loss_.instance(), &setup_, p, parameters_.back()->view()));
    }
    parameter_views_ = views(parameters_);
    parameter_gradient_views_ = views(parameter_gradients_);
    if (!parameters_.empty()) batch.parameters = parameter_views_.data();
  }

  const LoadedComponent& loss_;
  const DistillStep& step_;
  std::int64_t begin_, rows_;
  retort_model_shape student_shape_{sizeof(retort_model_shape), 0, DistillStep::layers, DistillStep::student_width,
                                    DistillStep::vocabulary};
  retort_model_shape teacher_shape_ = student_shape_;
  retort_distill_setup setup_;
  retort_distill_requirements wanted_{};
  retort_distill_teacher says_{};
  std::vector<Owned<float>> floats_, state_gradients_, parameters_, parameter_gradients_;
  std::vector<Owned<std::int64_t>> integers_;
  std::vector<const retort_tensor*> student_views_, teacher_views_, state_gradient_views_, parameter_views_,
      parameter_gradient_views_;

 public:
  Owned<float> gradient;
  retort_distill_batch batch{};
};

}  // namespace

Outcome DistillStep::call(const LoadedComponent& loss, std::size_t first, std::size_t count) const {
  return DistillPart(loss, *this, first, count).outcome();
}

}  // namespace retort::golden
