// distill.tvd: the total variation distance of tvd.h on every row.
#include <retort/plugin.hpp>

#include "token_loss.h"
#include "tvd.h"

namespace {

namespace distill = retort::distill;

class Tvd : public distill::TokenLoss {
 public:
  struct Params : distill::TokenLossOptions {};
  static auto schema() { return distill::token_loss_parameters<Params>(distill::whole_tails); }
  explicit Tvd(const Params& params) : TokenLoss("distill.tvd", params) {}

 protected:
  double row_loss(const distill::RowPlace&, distill::Outcomes& row) override {
    return distill::total_variation(row.log_p(), row.log_q(), row.by_log_q());
  }
};

}  // namespace

RETORT_PLUGIN_LIST("tvd", "1.0.0", "Apache-2.0",
                   retort::component<Tvd>("distill.tvd", "1.0.0", "total variation distance to the teacher"));
