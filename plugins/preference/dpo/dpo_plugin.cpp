// preference.dpo: parameters around pair_loss.h (Rafailov et al., arXiv 2305.18290, eq. 7). DPO and cDPO, and what lies
// between it, IPO and SimPO.
#include <retort/plugin.hpp>
#include <string>

#include "pair_preference.h"

namespace {

using namespace retort::preference;

class Dpo final : public PairPreference {
 public:
  struct Params {
    double beta = 0.1;
    std::string loss = "sigmoid";
    double label_smoothing = 0;
    bool reference_free = false, length_normalised = false;
    double margin = 0;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("beta", &Params::beta)
        .above(0)
        .doc("β: how strongly the policy is held to the reference (SimPO: 2 to 2.5)")
        .string("loss", &Params::loss)
        .one_of({"sigmoid", "ipo"})
        .doc("−log σ(β·d − margin), or (d − 1/(2β))², d being the difference of the pair's log-ratios")
        .number("label_smoothing", &Params::label_smoothing)
        .at_least(0)
        .below(0.5)
        .doc("with sigmoid: share of pairs that are thought to be the wrong way round (cDPO)")
        .boolean("reference_free", &Params::reference_free)
        .doc("leave the reference out: no reference model is loaded (SimPO)")
        .boolean("length_normalised", &Params::length_normalised)
        .doc("divide each sequence's log-ratio by its tokens (SimPO; IPO as some trainers have it)")
        .number("margin", &Params::margin)
        .at_least(0)
        .doc("with sigmoid: γ, by which the chosen answer should lead (SimPO: 0.5 to 1.5)");
  }

  explicit Dpo(const Params& params)
      : PairPreference({!params.reference_free, params.length_normalised}), options_(options_of(params)) {
    check(options_);
  }

 protected:
  PairLoss pair(const Sequence& chosen, const Sequence& rejected) const override {
    return pair_loss(options_, chosen, rejected);
  }

 private:
  static DpoOptions options_of(const Params& params) {
    DpoOptions options;
    options.beta = params.beta;
    options.form = params.loss == "ipo" ? Form::ipo : Form::sigmoid;
    options.label_smoothing = params.label_smoothing;
    options.margin = params.margin;
    options.reference = !params.reference_free;
    options.by_length = params.length_normalised;
    return options;
  }

  DpoOptions options_;
};

}  // namespace

RETORT_PLUGIN_LIST("dpo", "1.0.0", "Apache-2.0",
                   retort::component<Dpo>("preference.dpo", "1.0.0",
                                          "direct preference optimisation: DPO, with IPO's and SimPO's choices as "
                                          "parameters"));
