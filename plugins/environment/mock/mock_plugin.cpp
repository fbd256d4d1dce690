// ABI glue of environment.mock.
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <retort/teacher.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "guarded_environment.h"
#include "mock_world.h"

namespace {

namespace environments = retort::environments;
namespace mock = retort::mock;
using environments::Json;

class MockEnvironment final : public retort::Environment {
 public:
  struct Params {
    std::string tools, state, prompt;
    double temperature = 0;
    std::int64_t most_failures = 10;
    std::int64_t cache_entries = 100000;
    std::string cache_file;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("tools", &Params::tools)
        .existing_path()
        .required()
        .doc("tools.json, OpenAI's array: what the world offers")
        .string("state", &Params::state)
        .doc("of the world when a session begins, in words or JSON")
        .string("prompt", &Params::prompt)
        .doc(
            "asks for the result of {call} to {tool} in {state}: a JSON object with \"ok\", \"content\" and the new "
            "\"state\"; empty: a text in English")
        .number("temperature", &Params::temperature)
        .at_least(0)
        .doc("of the teacher")
        .integer("most_failures", &Params::most_failures)
        .at_least(0)
        .doc("sessions in a row that may fail; each is a failed result of its calls, one more ends the run")
        .integer("cache_entries", &Params::cache_entries)
        .at_least(0)
        .doc("outcomes of calls that are kept, so that the same calls have the same outcome; 0 is off")
        .string("cache_file", &Params::cache_file)
        .doc("file that keeps these outcomes for later runs; empty: memory only");
  }
  static const retort::SlotList& slots() {
    static const retort::SlotList list =
        retort::SlotList().add("teacher", RETORT_TEACHER_INTERFACE, "the model that plays the world");
    return list;
  }
  /// The host also makes instances without anything in their slots, to see whether the parameters will do.
  MockEnvironment(const Params& params, const retort::Slots& slots)
      : surroundings_(limits_of(params).surroundings("mock\n" + params.state + "\n" + params.prompt)),
        world_({tools_in(params.tools), params.state, params.prompt, params.temperature},
               [this](const Json& request) { return ask(request); }) {
    if (const auto component = slots.find("teacher")) teacher_.emplace(*component);
  }

  std::string tools() const override { return world_.tools(); }
  std::unique_ptr<retort::Session> start(std::string_view start) const override {
    return environments::guarded_session(*surroundings_, world_, start);
  }

 private:
  static environments::WorldLimits limits_of(const Params& params) {
    environments::WorldLimits limits;
    limits.most_failures = params.most_failures;
    limits.cache_entries = params.cache_entries;
    limits.cache_file = params.cache_file;
    return limits;
  }
  static Json tools_in(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    const Json tools = Json::parse(std::string(std::istreambuf_iterator<char>(stream), {}), nullptr, false);
    if (tools.is_discarded()) throw std::invalid_argument("tools: '" + file + "' holds no JSON");
    return tools;
  }
  Json ask(const Json& request) {
    if (!teacher_) throw std::invalid_argument("slot \"teacher\": expected a component, found none");
    const std::lock_guard lock(mutex_);  // a teacher answers one batch at a time
    Json answer;
    const std::string requests = environments::written(Json::array({request}));
    teacher_->complete({"", requests}, [&](std::uint64_t, std::string_view item) { answer = Json::parse(item); });
    return answer;
  }

  std::unique_ptr<environments::SessionSurroundings> surroundings_;
  std::mutex mutex_;
  std::optional<retort::TeacherSlot> teacher_;
  mock::MockWorld world_;
};

}  // namespace

RETORT_PLUGIN(MockEnvironment, "environment.mock", "1.0.0", "a world that a teacher plays, under a state in words");
