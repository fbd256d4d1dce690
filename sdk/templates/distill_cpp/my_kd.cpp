// A distillation loss in C++: reverse KL, Σ q·(log q − log p), of a student q against a teacher p. Copy this folder to
// start your own; what stands below is all that a plugin needs.
#include <algorithm>
#include <cmath>
#include <retort/distill.hpp>
#include <retort/plugin.hpp>

struct MyKd : retort::DistillStrategy {
  struct Params {
    double temperature = 1.0;
  };
  static auto schema() {
    return retort::params<Params>().number("temperature", &Params::temperature).above(0).doc("softmax temperature");
  }
  explicit MyKd(Params params) : t(params.temperature) {}

  retort::Loss loss(const retort::DistillBatch& in, const retort::Gradient& gradient) override {
    const auto& teacher_logits = in.teacher().logits;
    const auto width = std::min(in.vocabulary(), teacher_logits.columns());  // vocabularies may be padded differently
    double total = 0;
    for (std::int64_t n = 0; n < in.rows(); ++n) {
      const float *student = in.student_logits.row(n), *teacher = teacher_logits.row(n);
      const double weight = in.mask ? in.mask[n] : 1.0;
      if (weight == 0 && gradient.logits) std::fill_n(gradient.logits.row(n), in.vocabulary(), 0.0f);
      if (weight == 0) continue;  // a row that is left out is not read
      double q_sum = 0, p_sum = 0, kl = 0;
      for (std::int64_t v = 0; v < width; ++v) q_sum += std::exp(student[v] / t), p_sum += std::exp(teacher[v] / t);
      const auto q = [&](std::int64_t v) { return std::exp(student[v] / t) / q_sum; };
      const auto log_ratio = [&](std::int64_t v) { return (student[v] - teacher[v]) / t - std::log(q_sum / p_sum); };
      for (std::int64_t v = 0; v < width; ++v) kl += q(v) * log_ratio(v);
      for (std::int64_t v = 0; gradient.logits && v < in.vocabulary(); ++v)  // d kl / d z = q·(log q − log p − kl) / T
        gradient.logits(n, v) = static_cast<float>(v < width ? weight * q(v) * (log_ratio(v) - kl) / t : 0.0);
      total += weight * kl;
    }
    return {total, {{"reverse_kl", total}}};
  }
  double t;
};

RETORT_PLUGIN(MyKd, "distill.my_kd", "1.0.0", "reverse KL to the teacher's full distribution");
