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
  std::string complete(std::string_view requests) override { return retort::rules::complete(requests); }
};

}  // namespace

RETORT_PLUGIN(RulesTeacher, "teacher.rules", "1.0.0", "hand-written rules for the home assistant's requests");
