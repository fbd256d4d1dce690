// preference.orpo: parameters around orpo.h.
#include <retort/plugin.hpp>

#include "orpo.h"
#include "pair_preference.h"

namespace {

using namespace retort::preference;

class Orpo final : public PairPreference {
 public:
  struct Params {
    double lambda = 0.1;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("lambda", &Params::lambda)
        .above(0)
        .doc("λ: weight of the odds ratio beside the likelihood of the chosen answer (other trainers call it beta)");
  }
  explicit Orpo(const Params& params) : PairPreference({false, true}), lambda_(params.lambda) {}

 protected:
  PairLoss pair(const Sequence& chosen, const Sequence& rejected) const override {
    return orpo_loss(lambda_, chosen, rejected);
  }

 private:
  double lambda_;
};

}  // namespace

RETORT_PLUGIN_LIST("orpo", "1.0.0", "Apache-2.0",
                   retort::component<Orpo>("preference.orpo", "1.0.0",
                                           "odds ratio preference optimisation: fine-tuning on the chosen answer with "
                                           "the odds ratio beside it, no reference"));
