// reward.execution: what the world says of an answer, whatever its calls look like. 1 where carrying it out worked and
// left the state that the reference leaves (any state, where the reference gives none), `different_state` where it
// worked and left another, `failed` where the world refused it, `malformed` for an answer that is none.
#include <algorithm>
#include <retort/plugin.hpp>
#include <retort/reward.hpp>
#include <stdexcept>

#include "items.h"

namespace {

using nlohmann::json;

class Execution final : public retort::Reward {
 public:
  struct Params {
    double different_state = 0, failed = 0, malformed = 0;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("different_state", &Params::different_state)
        .at_least(-1)
        .at_most(1)
        .doc("score of calls that the world carries out and that leave another state than the reference's")
        .number("failed", &Params::failed)
        .at_least(-1)
        .at_most(1)
        .doc("score of calls that the world refuses")
        .number("malformed", &Params::malformed)
        .at_least(-1)
        .at_most(1)
        .doc("score of an answer that is no list of valid calls");
  }
  explicit Execution(const Params& params) : params_(params) {}
  std::string scores() const override {
    const double lowest = std::min({params_.different_state, params_.failed, params_.malformed});
    return retort::rewards::text_of({{{"name", "score"},
                                      {"minimum", std::min(lowest, 0.0)},
                                      {"maximum", 1},
                                      {"summary", "what carrying the answer out gave"}}});
  }
  void score(const retort::RewardBatch& batch, const retort::ItemSink& scores) override {
    retort::rewards::score_items(batch, scores, [this](const json& item, const json&) { return judge(item); });
  }

 private:
  static const json* member(const json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }
  static json verdict(double score, const std::string& reason) {
    return {{"scores", {{"score", score}}}, {"reason", reason}};
  }
  json judge(const json& item) const {
    if (!item.is_object()) throw std::invalid_argument(std::string("expected an object, found ") + item.type_name());
    const json* response = member(item, "response");
    if (response == nullptr)
      throw std::invalid_argument("response: expected {\"calls\"} or {\"malformed\"}, found none");
    if (const json* malformed = member(*response, "malformed")) {
      json result = verdict(params_.malformed, malformed->is_string() ? malformed->get<std::string>() : "malformed");
      result["malformed"] = true;
      return result;
    }
    const json* execution = member(item, "execution");
    if (execution == nullptr)
      throw std::invalid_argument("execution: the answer was not carried out; fill the stage's slot \"environment\"");
    const json* ok = member(*execution, "ok");
    if (ok == nullptr || !ok->is_boolean() || !ok->get<bool>()) {
      const json* error = member(*execution, "error");
      return verdict(params_.failed, error != nullptr && error->is_string() ? error->get<std::string>()
                                                                            : "the execution failed without a reason");
    }
    const json* expected = member(item, "reference_execution");
    const json* state = member(*execution, "state");
    const json* expected_state = expected == nullptr ? nullptr : member(*expected, "state");
    if (state != nullptr && expected_state != nullptr && *state != *expected_state)
      return verdict(params_.different_state, "the calls leave another state than the reference's");
    return verdict(1, "");
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(Execution, "reward.execution", "1.0.0",
              "what carrying the calls out gives: refused, another state than the reference's, or the same");
