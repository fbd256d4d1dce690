// ABI glue of teacher.rules.
#include <retort/plugin.hpp>
#include <retort/teacher.hpp>
#include <string>

#include "rules.h"

namespace {

class RulesTeacher final : public retort::Teacher {
 public:
  struct Params {
    double forgets = 0;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("forgets", &Params::forgets)
        .at_least(0)
        .at_most(1)
        .doc(
            "share of the requests of which the last of several calls, or else the last argument that its tool does "
            "not require, is left out: a weaker prototype's mistakes");
  }
  explicit RulesTeacher(const Params& params) : forgets_(params.forgets) {}
  void complete(const retort::TeacherBatch& batch, const retort::ItemSink& responses) override {
    retort::rules::complete(batch.requests, forgets_, batch.tools,
                            [&](std::size_t index, const std::string& item) { responses.item(index, item); });
  }

 private:
  double forgets_;
};

}  // namespace

RETORT_PLUGIN(RulesTeacher, "teacher.rules", "1.2.0", "hand-written rules for the home assistant's requests");
