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
  void complete(const retort::TeacherBatch& batch, const retort::ItemSink& responses) override {
    retort::recorded::complete(batch.requests,
                               [&](std::size_t index, const std::string& item) { responses.item(index, item); });
  }
};

}  // namespace

RETORT_PLUGIN(RecordedTeacher, "teacher.recorded", "1.1.0", "replays the answers that a trace recorded");
