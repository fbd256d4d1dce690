// ABI glue of reward.llm_judge.
#include <cstdint>
#include <retort/plugin.hpp>
#include <retort/reward.hpp>
#include <retort/teacher.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "llm_judge.h"

namespace {

class Judge final : public retort::Reward {
 public:
  struct Params {
    std::string prompt;
    std::int64_t samples = 1;
    double temperature = 0.0;
    std::int64_t max_tokens = 256;
    double most_spread = 1.0;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("prompt", &Params::prompt)
        .doc(
            "what the judge reads, with {tools}, {conversation}, {answer}, {reference} and {execution} put in; empty: "
            "a rubric for function calls. The judge answers with a number from 0 to 1, or {\"score\": number, "
            "\"reason\": text}")
        .integer("samples", &Params::samples)
        .at_least(1)
        .at_most(128)
        .doc("judgements of an answer, whose mean counts; above 1 needs a temperature")
        .number("temperature", &Params::temperature)
        .at_least(0)
        .doc("of the judge")
        .integer("max_tokens", &Params::max_tokens)
        .at_least(1)
        .unit("token")
        .doc("of a judgement")
        .number("most_spread", &Params::most_spread)
        .at_least(0)
        .at_most(1)
        .doc("between the judgements of an answer, of all judges; where they differ more, it has no score");
  }
  static const retort::SlotList& slots() {
    static const retort::SlotList list =
        retort::SlotList()
            .add("teacher", RETORT_TEACHER_INTERFACE, "the model that judges")
            .add("more_judges", RETORT_TEACHER_INTERFACE, "others, whose judgements count alike",
                 RETORT_SLOT_OPTIONAL | RETORT_SLOT_LIST);
    return list;
  }
  /// The host also makes instances without anything in their slots, to see whether the parameters will do.
  Judge(Params params, const retort::Slots& slots)
      : judge_({std::move(params.prompt), params.samples, params.temperature, params.max_tokens, params.most_spread}) {
    if (const auto component = slots.find("teacher")) teachers_.emplace_back(*component);
    for (const retort::BoundComponent& component : slots.list("more_judges")) teachers_.emplace_back(component);
  }

  std::string scores() const override { return retort::llm_judge::LlmJudge::scores(); }
  void score(const retort::RewardBatch& batch, const retort::ItemSink& scores) override {
    std::vector<retort::llm_judge::LlmJudge::Ask> judges;
    for (const retort::TeacherSlot& teacher : teachers_)
      judges.emplace_back([&teacher](const std::string& requests, std::size_t /*count*/, const auto& answered) {
        teacher.complete({"", requests}, [&](std::uint64_t index, std::string_view item) { answered(index, item); });
      });
    if (judges.empty())
      judges.emplace_back(
          [](const auto&...) { throw std::invalid_argument("slot \"teacher\": expected a component, found none"); });
    judge_.score(batch.tools, batch.items, judges,
                 [&](std::size_t index, const std::string& item) { scores.item(index, item); });
  }

 private:
  retort::llm_judge::LlmJudge judge_;
  std::vector<retort::TeacherSlot> teachers_;
};

}  // namespace

RETORT_PLUGIN(Judge, "reward.llm_judge", "1.1.0", "a teacher, or several, reads each answer and says how good it is");
