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
  explicit MyKd(Params params) : temperature(params.temperature) {}

  retort::Loss loss(const retort::DistillBatch& in, const retort::Gradient& gradient) override {
    const std::int64_t width = std::min(in.vocabulary(), in.teacher_logits.columns());  // of padded vocabularies
    double total = 0;
    for (std::int64_t n = 0; n < in.rows(); ++n) {
      const float *student = in.student_logits.row(n), *teacher = in.teacher_logits.row(n);
      const double weight = in.mask ? in.mask[n] : 1.0, q_sum = log_sum_exp(student, width),
                   p_sum = log_sum_exp(teacher, width);
      const auto log_q = [&](std::int64_t v) { return student[v] / temperature - q_sum; };
      const auto difference = [&](std::int64_t v) { return log_q(v) - (teacher[v] / temperature - p_sum); };
      double kl = 0;
      for (std::int64_t v = 0; v < width; ++v) kl += std::exp(log_q(v)) * difference(v);
      for (std::int64_t v = 0; gradient.logits && v < in.vocabulary(); ++v)  // d kl / d z = q·(log q − log p − kl) / T
        gradient.logits(n, v) =
            static_cast<float>(v < width ? weight * std::exp(log_q(v)) * (difference(v) - kl) / temperature : 0.0);
      total += weight * kl;
    }
    return {total, {{"reverse_kl", total}}};
  }

  double log_sum_exp(const float* z, std::int64_t width) const {
    double sum = 0, largest = *std::max_element(z, z + width) / temperature;
    for (std::int64_t v = 0; v < width; ++v) sum += std::exp(z[v] / temperature - largest);
    return largest + std::log(sum);
  }

  double temperature;
};

RETORT_PLUGIN(MyKd, "distill.my_kd", "1.0.0", "reverse KL to the teacher's full distribution");
