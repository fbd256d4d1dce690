// distill.constrained: STAR's constrained distillation (constrained.h) on every row. Temperature 1, as there.
#include <retort/plugin.hpp>

#include "constrained.h"
#include "token_loss.h"

namespace {

namespace distill = retort::distill;

class Constrained : public distill::TokenLoss {
 public:
  struct Params {
    std::int64_t top_k = 100, student_top = 100;
    double outside_weight = 10;
    double on_policy_fraction = 0;
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("top_k", &Params::top_k)
        .at_least(1)
        .doc(
            "k, the teacher's likeliest tokens, which are learnt as they are: the rest is neither renormalised nor a "
            "bucket")
        .integer("student_top", &Params::student_top)
        .at_least(1)
        .doc("m, the student's own likeliest tokens, of which those outside the teacher's k are punished")
        .number("outside_weight", &Params::outside_weight)
        .at_least(0)
        .doc("λ of the probability that these hold")
        .number("on_policy_fraction", &Params::on_policy_fraction)
        .at_least(0)
        .at_most(1)
        .doc("share λ of batches that the student samples itself");
  }
  explicit Constrained(const Params& params) : TokenLoss("distill.constrained", options_of(params)), params_(params) {}

 protected:
  double row_loss(const distill::RowPlace&, distill::Outcomes& row) override {
    const double kl = distill::forward_divergence(row.log_p(), row.log_q(), row.by_log_q());
    return kl + distill::outside_penalty(params_.outside_weight, params_.student_top, row.student(), row.ids(),
                                         row.by_student());
  }
  bool is_divergence() const override { return false; }

 private:
  static distill::TokenLossOptions options_of(const Params& params) {
    distill::TokenLossOptions options;
    options.top_k = params.top_k;
    options.tail = "ignore";
    options.on_policy_fraction = params.on_policy_fraction;
    return options;
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("constrained", "1.0.0", "Apache-2.0",
                   retort::component<Constrained>("distill.constrained", "1.0.0",
                                                  "forward KL on the teacher's top k, and a penalty on the student's "
                                                  "outside it (STAR)"));
