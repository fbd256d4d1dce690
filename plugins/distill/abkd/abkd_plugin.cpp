// distill.abkd: the α-β-divergence of abkd.h on every row. ABKD's default for instruction following is (0.2, 0.7): a
// larger α looks at where the teacher is sure, a larger β at where the student is.
#include <retort/plugin.hpp>
#include <stdexcept>

#include "abkd.h"
#include "token_loss.h"

namespace {

namespace distill = retort::distill;

class Abkd : public distill::TokenLoss {
 public:
  struct Params : distill::TokenLossOptions {
    double alpha = 0.2, beta = 0.7;
  };
  static auto schema() {
    return distill::token_loss_parameters<Params>(distill::whole_tails)
        .number("alpha", &Params::alpha)
        .at_least(0)
        .doc("power α of the teacher's probabilities; (1, 0) is the forward KL")
        .number("beta", &Params::beta)
        .at_least(0)
        .doc("power β of the student's; (0, 1) is the reverse KL");
  }
  explicit Abkd(const Params& params) : TokenLoss("distill.abkd", params), alpha_(params.alpha), beta_(params.beta) {
    if (alpha_ + beta_ <= 0) throw std::invalid_argument("alpha, beta: expected at least one above 0, found 0 and 0");
  }

 protected:
  double row_loss(const distill::RowPlace&, distill::Outcomes& row) override {
    return distill::alpha_beta_divergence(alpha_, beta_, row.log_p(), row.log_q(), row.by_log_q());
  }

 private:
  double alpha_, beta_;
};

}  // namespace

RETORT_PLUGIN_LIST("abkd", "1.0.0", "Apache-2.0",
                   retort::component<Abkd>("distill.abkd", "1.0.0",
                                           "alpha-beta divergence: forward KL, reverse KL, Hellinger and between"));
