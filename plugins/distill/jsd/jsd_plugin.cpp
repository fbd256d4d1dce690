// distill.jsd: the generalised Jensen-Shannon divergence of GKD (Agarwal et al., arXiv 2306.13649, eq. 1 and algorithm
// 1; TRL experimental/gkd): m = (1−β)·q + β·p, β·KL(p‖m) + (1−β)·KL(q‖m). The formula is divergences.h's.
//
// β 0 is the forward KL and 1 the reverse one, as TRL has them (the limits of the formula itself are 0). GKD's
// defaults: β ½, half of the batches sampled by the student (on_policy_fraction λ) at temperature 0.9 (the stage's
// sampling_temperature).
#include <retort/plugin.hpp>

#include "token_loss.h"

namespace {

namespace distill = retort::distill;

class Jsd : public distill::TokenLoss {
 public:
  struct Params : distill::TokenLossOptions {
    Params() { on_policy_fraction = 0.5; }
    double beta = 0.5;
  };
  static auto schema() {
    return distill::token_loss_parameters<Params>(distill::whole_tails)
        .number("beta", &Params::beta)
        .at_least(0)
        .at_most(1)
        .doc("the teacher's share β of the mixture: 0 is the forward KL, 1 the reverse one");
  }
  explicit Jsd(const Params& params) : TokenLoss("distill.jsd", params), beta_(params.beta) {}

 protected:
  double row_loss(const distill::RowPlace&, distill::Outcomes& row) override {
    return distill::mixture_divergence(beta_, row.log_p(), row.log_q(), row.by_log_q());
  }

 private:
  double beta_;
};

}  // namespace

RETORT_PLUGIN_LIST("jsd", "1.0.0", "Apache-2.0",
                   retort::component<Jsd>("distill.jsd", "1.0.0",
                                          "generalised Jensen-Shannon divergence (GKD), half of it on-policy"));
