// distill.skew_kl: DistiLLM's skewed divergences (skew_kl.h) on every row.
//
// "pair" is DistiLLM-2's pairing (Ko et al., arXiv 2503.07067, section 3; distillm-2
// src/distillm_trainer.py:1146-1210): the forward one on the teacher's answers, the reverse one on the student's own,
// so it wants on_policy_fraction ½ and a stage whose other answers are the teacher's (teacher_answers 1). The gradient
// runs through the mixture too. Their adaptive α and gradual β, off by default there, are not here.
#include <retort/plugin.hpp>
#include <stdexcept>

#include "skew_kl.h"
#include "token_loss.h"

namespace {

namespace distill = retort::distill;

class SkewKl : public distill::TokenLoss {
 public:
  struct Params : distill::TokenLossOptions {
    double alpha = 0.1;
    std::string direction = "forward";
  };
  static auto schema() {
    return distill::token_loss_parameters<Params>(distill::whole_tails)
        .number("alpha", &Params::alpha)
        .at_least(0)
        .below(1)
        .doc("skew α: the first distribution's share of the second; 0: the plain KL")
        .string("direction", &Params::direction)
        .one_of({"forward", "reverse", "pair"})
        .doc(
            "KL(p‖αp+(1−α)q), KL(q‖(1−α)p+αq), or DistiLLM-2's pair: forward, and reverse on the student's own "
            "answers, "
            "of which on_policy_fraction says how many there are");
  }
  explicit SkewKl(const Params& params)
      : TokenLoss("distill.skew_kl", params), alpha_(params.alpha), direction_(params.direction) {
    if (direction_ == "pair" && !(params.on_policy_fraction > 0))
      throw std::invalid_argument(
          "on_policy_fraction: expected a share above 0 with direction \"pair\", found 0; without answers of the "
          "student's own nothing would be reverse: set it to 0.5 (and the stage's teacher_answers to 1)");
  }

 protected:
  double row_loss(const distill::RowPlace& place, distill::Outcomes& row) override {
    const bool reverse = direction_ == "reverse" || (direction_ == "pair" && place.on_policy);
    return (reverse ? distill::skew_reverse : distill::skew_forward)(alpha_, row.log_p(), row.log_q(), row.by_log_q());
  }

 private:
  double alpha_;
  std::string direction_;
};

}  // namespace

RETORT_PLUGIN_LIST("skew_kl", "1.0.0", "Apache-2.0",
                   retort::component<SkewKl>("distill.skew_kl", "1.0.0",
                                             "skewed forward or reverse KL (DistiLLM), or both paired (DistiLLM-2)"));
