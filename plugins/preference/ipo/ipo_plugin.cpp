// preference.ipo: identity preference optimisation (Azar et al., arXiv 2310.12036, eq. 17): the difference of the
// pair's log-ratios is drawn to 1/(2τ) instead of to infinity.
#include <retort/plugin.hpp>

#include "pair_preference.h"

namespace {

using namespace retort::preference;

class Ipo final : public PairLossPreference {
 public:
  struct Params {
    double tau = 0.1;
    bool length_normalised = false;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("tau", &Params::tau)
        .above(0)
        .doc("τ: how strongly the policy is held to the reference; the log-ratios are to differ by 1/(2τ)")
        .boolean("length_normalised", &Params::length_normalised)
        .doc("divide each sequence's log-ratio by its tokens, as some trainers do; the paper's equation has sums");
  }
  explicit Ipo(const Params& params) : PairLossPreference(options_of(params)) {}

 private:
  static DpoOptions options_of(const Params& params) {
    return {.beta = params.tau, .form = Form::ipo, .by_length = params.length_normalised};
  }
};

}  // namespace

RETORT_PLUGIN_LIST("ipo", "1.0.0", "Apache-2.0",
                   retort::component<Ipo>("preference.ipo", "1.0.0",
                                          "identity preference optimisation: a margin of 1/(2τ) between the pair's "
                                          "log-ratios"));
