// preference.dpo: direct preference optimisation (Rafailov et al., arXiv 2305.18290, eq. 7), and cDPO's smoothing.
#include <retort/plugin.hpp>

#include "pair_preference.h"

namespace {

using namespace retort::preference;

class Dpo final : public PairLossPreference {
 public:
  struct Params {
    double beta = 0.1, label_smoothing = 0;
    bool length_normalised = false;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("beta", &Params::beta)
        .above(0)
        .doc("β: how strongly the policy is held to the reference")
        .number("label_smoothing", &Params::label_smoothing)
        .at_least(0)
        .below(0.5)
        .doc("share of pairs that are thought to be the wrong way round (cDPO)")
        .boolean("length_normalised", &Params::length_normalised)
        .doc("divide each sequence's log-ratio by its tokens, as some trainers do; the paper's equation has sums");
  }
  explicit Dpo(const Params& params) : PairLossPreference(options_of(params)) {}

 private:
  static DpoOptions options_of(const Params& params) {
    return {.beta = params.beta, .label_smoothing = params.label_smoothing, .by_length = params.length_normalised};
  }
};

}  // namespace

RETORT_PLUGIN_LIST("dpo", "1.1.0", "Apache-2.0",
                   retort::component<Dpo>("preference.dpo", "1.1.0",
                                          "direct preference optimisation against a reference, with label smoothing"));
