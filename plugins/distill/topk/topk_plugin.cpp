// distill.topk: a divergence on the teacher's k likeliest tokens, with every convention of the tail that projects use
// (outcomes.h); the formulas are divergences.h's. The metrics say how much of the tail matters: the mass of teacher and
// student on the teacher's k, and the share of these that is among the student's own k (as verl logs them).
//
// "bucket" and "uniform" compare whole distributions: never below 0, and 0 for the teacher itself (with "uniform" where
// its tail is even). "renormalise" makes the teacher surer than it is, "both_renormalise" does not see what the student
// puts elsewhere, "ignore" and "zero" are other projects' (axolotl, NeMo-RL) and no divergences. At T ≠ 1 the uniform
// tail is the one that stays near the truth: of V 151,936 with k 100 it keeps .848 of the mass at T 2, one tempered
// token .014.
#include <retort/plugin.hpp>
#include <stdexcept>

#include "token_loss.h"

namespace {

namespace distill = retort::distill;

class TopK : public distill::TokenLoss {
 public:
  struct Params : distill::TokenLossOptions {
    Params() { top_k = 32; }
    std::string divergence = "forward_kl";
    double beta = 0.5;
  };
  static auto schema() {
    return distill::token_loss_parameters<Params>(
               {"bucket", "uniform", "renormalise", "both_renormalise", "ignore", "zero"})
        .string("divergence", &Params::divergence)
        .one_of({"forward_kl", "reverse_kl", "jsd"})
        .doc("what is compared with: KL(p‖q), KL(q‖p), or the generalised Jensen-Shannon divergence")
        .number("beta", &Params::beta)
        .at_least(0)
        .at_most(1)
        .doc("the teacher's share of jsd's mixture");
  }
  explicit TopK(const Params& params)
      : TokenLoss("distill.topk", params),
        beta_(params.divergence == "forward_kl"   ? 0
              : params.divergence == "reverse_kl" ? 1
                                                  : params.beta),
        whole_(params.tail == "bucket" || params.tail == "uniform" || params.tail == "both_renormalise") {
    if (params.top_k < 1)
      throw std::invalid_argument("top_k: expected at least 1, found 0: distill.jsd takes full logits");
  }

 protected:
  double row_loss(const distill::RowPlace&, distill::Outcomes& row) override {
    return distill::mixture_divergence(beta_, row.log_p(), row.log_q(), row.by_log_q());
  }
  /// Where one side is no whole distribution the value may be below 0.
  bool is_divergence() const override { return whole_; }

 private:
  double beta_;
  bool whole_;
};

}  // namespace

RETORT_PLUGIN_LIST("topk", "1.0.0", "Apache-2.0",
                   retort::component<TopK>("distill.topk", "1.0.0",
                                           "a divergence on the teacher's top k, with every convention of the tail"));
