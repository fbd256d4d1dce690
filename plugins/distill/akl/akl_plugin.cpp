// distill.akl: the adaptive KL of akl.h on every row. Its weights are constants to the gradient, as in the authors'
// code, so that the gradient is not the derivative of the value.
#include <retort/plugin.hpp>

#include "akl.h"
#include "token_loss.h"

namespace {

namespace distill = retort::distill;

class Akl : public distill::TokenLoss {
 public:
  struct Params : distill::TokenLossOptions {
    double mu = 0.5;
  };
  static auto schema() {
    return distill::token_loss_parameters<Params>(distill::whole_tails)
        .number("mu", &Params::mu)
        .above(0)
        .below(1)
        .doc("mass μ of the teacher's likeliest tokens that count as the head, where forward KL is wanted");
  }
  explicit Akl(const Params& params) : TokenLoss("distill.akl", params), mu_(params.mu) {
    flags_ |= RETORT_DISTILL_STOPPED_GRADIENT;
  }

 protected:
  double row_loss(const distill::RowPlace&, distill::Outcomes& row) override {
    return distill::akl(mu_, row.log_p(), row.log_q(), row.by_log_q());
  }

 private:
  double mu_;
};

}  // namespace

RETORT_PLUGIN_LIST("akl", "1.0.0", "Apache-2.0",
                   retort::component<Akl>("distill.akl", "1.0.0",
                                          "forward and reverse KL, weighted by where the student misses (AKL)"));
