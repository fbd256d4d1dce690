// ABI glue of teacher.rules.
#include <retort/plugin.hpp>
#include <retort/teacher.hpp>
#include <string>

#include "rules.h"

namespace {

class RulesTeacher final : public retort::Teacher {
 public:
  using Params = retort::NoParams;
  explicit RulesTeacher(const Params&) {}
  void complete(const retort::TeacherBatch& batch, const retort::ItemSink& responses) override {
    retort::rules::complete(batch.requests,
                            [&](std::size_t index, const std::string& item) { responses.item(index, item); });
  }
};

}  // namespace

RETORT_PLUGIN(RulesTeacher, "teacher.rules", "1.1.0", "hand-written rules for the home assistant's requests");
