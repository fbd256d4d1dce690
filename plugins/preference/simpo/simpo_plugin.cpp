// preference.simpo: simple preference optimisation (Meng et al., arXiv 2405.14734, eq. 6): the mean log-probability of
// a token is the reward, without a reference, and the chosen answer is to lead by γ.
//   −log σ(β/|y_c|·log π(y_c) − β/|y_r|·log π(y_r) − γ)
#include <retort/plugin.hpp>

#include "pair_preference.h"

namespace {

using namespace retort::preference;

class SimPo final : public PairLossPreference {
 public:
  struct Params {
    double beta = 2, margin = 1;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("beta", &Params::beta)
        .above(0)
        .doc("β: scale of the mean log-probabilities (2 to 2.5)")
        .number("margin", &Params::margin)
        .at_least(0)
        .doc("γ, by which the chosen answer should lead (0.5 to 1.5); trainers that ask for γ/β have 0.5 there");
  }
  explicit SimPo(const Params& params) : PairLossPreference(options_of(params)) {}

 private:
  static DpoOptions options_of(const Params& params) {
    return {.beta = params.beta, .margin = params.margin, .reference = false, .by_length = true};
  }
};

}  // namespace

RETORT_PLUGIN_LIST("simpo", "1.0.0", "Apache-2.0",
                   retort::component<SimPo>("preference.simpo", "1.0.0",
                                            "simple preference optimisation: mean log-probabilities, a margin and no "
                                            "reference"));
