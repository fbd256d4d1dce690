// distill.taid: the interpolated teacher of taid.h on every row, for students far smaller than their teachers.
#include <retort/plugin.hpp>

#include "taid.h"
#include "token_loss.h"

namespace {

namespace distill = retort::distill;

class Taid : public distill::TokenLoss {
 public:
  struct Params : distill::TokenLossOptions {
    double start = 0.4, end = 1;
  };
  static auto schema() {
    return distill::token_loss_parameters<Params>(distill::whole_tails)
        .number("start", &Params::start)
        .above(0)
        .at_most(1)
        .doc("the teacher's share t of the first step's target; the rest is the student's own")
        .number("end", &Params::end)
        .above(0)
        .at_most(1)
        .doc("t after the last step, reached in even steps");
  }
  explicit Taid(const Params& params) : TokenLoss("distill.taid", params), schedule_{params.start, params.end} {
    flags_ |= RETORT_DISTILL_STOPPED_GRADIENT;
  }

 protected:
  double row_loss(const distill::RowPlace& place, distill::Outcomes& row) override {
    return distill::taid(distill::interpolation(schedule_, place.step, place.total_steps), row.log_p(), row.log_q(),
                         row.by_log_q());
  }

 private:
  distill::TaidSchedule schedule_;
};

}  // namespace

RETORT_PLUGIN_LIST("taid", "1.0.0", "Apache-2.0",
                   retort::component<Taid>("distill.taid", "1.0.0",
                                           "forward KL to a teacher that begins near the student (TAID)"));
