// rl.gspo: batches and parameters around gspo.h.
#include <retort/plugin.hpp>
#include <string>

#include "group_algorithm.h"
#include "gspo.h"

namespace {

class Gspo final : public retort::rl::GroupAlgorithm {
 public:
  struct Params : retort::rl::GroupAlgorithmParams, retort::rl::ClipParams {
    std::string form = "sequence";
    Params() {
      clip_distance_below = 3e-4;
      clip_distance_above = 4e-4;
      loss_aggregation = "sequence_mean";
    }
  };
  static auto schema() {
    auto set = retort::params<Params>();
    retort::rl::add_group_algorithm(retort::rl::add_clip(set));
    return set.string("form", &Params::form)
        .one_of({"sequence", "token"})
        .doc("the advantage is the sequence's (the mean of its tokens'), or each token's own (GSPO-token)");
  }
  explicit Gspo(const Params& params)
      : GroupAlgorithm(params), clip_(params.clip()), by_token_(params.form == "token") {}

 protected:
  retort::rl::TokenLoss token_loss(const retort::rl::TokenInputs& at) const override {
    return retort::rl::gspo_token_loss(clip_, by_token_ ? at.advantage : at.row_advantage, at.row_log_ratio);
  }

 private:
  retort::rl::Clip clip_;
  bool by_token_;
};

}  // namespace

RETORT_PLUGIN_LIST("gspo", "1.0.0", "Apache-2.0",
                   retort::component<Gspo>("rl.gspo", "1.0.0",
                                           "group sequence policy optimisation: the ratio is the whole response's "
                                           "geometric mean"));
