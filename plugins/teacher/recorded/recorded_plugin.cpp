// ABI glue of teacher.recorded.
#include <retort/plugin.hpp>
#include <retort/teacher.hpp>
#include <string>

#include "recorded.h"

namespace {

class RecordedTeacher final : public retort::Teacher {
 public:
  using Params = retort::NoParams;
  explicit RecordedTeacher(const Params&) {}
  std::string complete(std::string_view requests) override { return retort::recorded::complete(requests); }
};

}  // namespace

RETORT_PLUGIN(RecordedTeacher, "teacher.recorded", "1.0.0", "replays the answers that a trace recorded");
