// How long stages and components that make, read or ask for rows take to stop.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "stop_time.h"

namespace retort::faults {
namespace {

class StopTimesOfData : public FaultTest {
 protected:
  void expect_quick(const Json& stages, const std::vector<std::string>& wanted, std::chrono::milliseconds delay) {
    host::write_json(folder_ / "config.json", {{"name", "stops"}, {"stages", stages}});
    StopTimes runs(folder_, arguments("run"), run());
    const auto times = runs.measure(delay);
    for (const auto& [stage, time] : times) {
      EXPECT_LE(time.processor, 2.0) << stage;
      EXPECT_LE(time.wall, 20.0) << stage;  // whatever else the machine does
      std::printf("  %-14s stopped after %.2f s, %.2f s of processor time\n", stage.c_str(), time.wall, time.processor);
    }
    for (const std::string& stage : wanted) EXPECT_TRUE(times.count(stage)) << stage << " was over too soon";
  }
  /// Processor seconds from SIGINT to the end of a run that `ready` says is under way.
  template <typename Ready>
  double stop_once(const Json& stages, const Ready& ready) {
    host::write_json(folder_ / "config.json", {{"name", "stops"}, {"stages", stages}});
    const ChildCommand child(folder_, arguments("run"));
    EXPECT_TRUE(wait_for(ready)) << host::read_file(folder_ / "stderr.txt");
    const StopTime time = interrupt(child.id());
    EXPECT_TRUE(time.interrupted()) << host::read_file(folder_ / "stderr.txt");
    EXPECT_LE(time.wall, 20.0);  // whatever else the machine does
    std::printf("  stopped after %.2f s, %.2f s of processor time\n", time.wall, time.processor);
    return time.processor;
  }
  static Json utterances(int count) {
    return {{"name", "utterances"}, {"use", "stage.generate"}, {"environment", {{"use", "environment.home"}}},
            {"train", count},       {"validation", 50},        {"test", 50}};
  }
};

TEST_F(StopTimesOfData, OfStagesThatMakeAndChangeRows) {
  expect_quick({utterances(8000),
                {{"name", "prototype"},
                 {"use", "stage.prototype"},
                 {"inputs", {{"dataset", "utterances"}}},
                 {"teacher", {{"use", "teacher.rules"}}},
                 {"reward", {{"use", "reward.function_call"}}},
                 {"environment", {{"use", "environment.home"}}},
                 {"max_rejected_share", 0.3}},
                {{"name", "augment"}, {"use", "stage.augment"}, {"inputs", {{"dataset", "prototype"}}}, {"factor", 4}}},
               {"utterances", "prototype", "augment"}, std::chrono::milliseconds(150));
}

TEST_F(StopTimesOfData, OfImportedRows) {
  const fs::path bio = folder_ / "bio", chat = folder_ / "chat.jsonl";
  for (const auto& [split, rows] : {std::pair("train", 200000), std::pair("valid", 10), std::pair("test", 10)}) {
    fs::create_directories(bio / split);
    std::ofstream words(bio / split / "seq.in"), tags(bio / split / "seq.out"), labels(bio / split / "label");
    for (int i = 0; i < rows; ++i) {
      words << "play song " << i << " in the kitchen\n";
      tags << "O B-song I-song O O B-room\n";
      labels << "play\n";
    }
  }
  {
    const Json tool = {
        {"type", "function"},
        {"function",
         {{"name", "play"}, {"parameters", {{"type", "object"}, {"properties", {{"song", {{"type", "string"}}}}}}}}}};
    std::ofstream rows(chat);
    for (int i = 0; i < 60000; ++i) {
      const Json call = {{"name", "play"}, {"arguments", Json{{"song", std::to_string(i)}}.dump()}};
      rows << Json{{"tools", {tool}},
                   {"messages",
                    {{{"role", "user"}, {"content", "play song " + std::to_string(i)}},
                     {{"role", "assistant"}, {"tool_calls", {{{"type", "function"}, {"function", call}}}}}}}}
                  .dump()
           << "\n";
    }
  }
  expect_quick({{{"name", "bio"}, {"use", "stage.import_bio"}, {"path", bio.string()}},
                {{"name", "chat"}, {"use", "stage.import_chat"}, {"path", chat.string()}}},
               {"bio", "chat"}, std::chrono::milliseconds(100));
}

/// Weights are hashed and copied in pieces. What they hold is not looked at before.
TEST_F(StopTimesOfData, OfLargeImportedModels) {
  const fs::path weights = folder_ / "weights/model.safetensors";
  fs::create_directory(folder_ / "weights");
  std::ofstream(weights).close();
  const Json stages = {{{"name", "model"}, {"use", "stage.import_model"}, {"path", (folder_ / "weights").string()}}};
  fs::resize_file(weights, std::uintmax_t{8} << 30U);
  EXPECT_LE(stop_once(stages, [&] { return fs::exists(run() / "run.json"); }), 2.0) << "while it was hashed";
  const std::uintmax_t bytes = std::uintmax_t{1} << 29U;
  fs::resize_file(weights, bytes);
  std::uintmax_t copied = 0;
  const auto copying = [&] {
    std::error_code ignored;
    for (const auto& entry : fs::recursive_directory_iterator(run(), ignored))
      if (entry.path().filename() == "model.safetensors") copied = entry.file_size(ignored);
    return copied > 0;
  };
  EXPECT_LE(stop_once(stages, copying), 2.0) << "while it was copied";
  EXPECT_LT(copied, bytes) << "it was over too soon";
}

/// A server that takes connections and never answers: as teacher, and as the teacher that a reward asks.
TEST_F(StopTimesOfData, OfTeachersAndJudgesThatWait) {
  const Json rules = {{"use", "teacher.rules"}}, calls = {{"use", "reward.function_call"}};
  for (const bool judged : {false, true}) {
    const int server = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(server, reinterpret_cast<const sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(server, 64), 0);
    ASSERT_EQ(::getsockname(server, reinterpret_cast<sockaddr*>(&address), &size), 0);
    const Json silent = {{"use", "teacher.openai"},
                         {"base_url", "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/v1"},
                         {"api_key", ""}};
    const Json judge = {{"use", "reward.llm_judge"}, {"teacher", silent}};
    const Json labels = {{"name", "labels"},
                         {"use", "stage.prototype"},
                         {"inputs", {{"dataset", "utterances"}}},
                         {"teacher", judged ? rules : silent},
                         {"reward", judged ? judge : calls},
                         {"environment", {{"use", "environment.home"}}}};
    fs::remove_all(run());
    const auto connected = [server] {
      pollfd waiting{server, POLLIN, 0};
      return ::poll(&waiting, 1, 0) > 0;
    };
    EXPECT_LE(stop_once({utterances(200), labels}, connected), 2.0) << labels;
    ::close(server);
  }
}

/// The rules' answers, replayed.
TEST_F(StopTimesOfData, OfRecordedAnswers) {
  Json prototype = {{"name", "prototype"},
                    {"use", "stage.prototype"},
                    {"inputs", {{"dataset", "utterances"}}},
                    {"teacher", {{"use", "teacher.rules"}}},
                    {"reward", {{"use", "reward.function_call"}}},
                    {"environment", {{"use", "environment.home"}}},
                    {"max_rejected_share", 0.3}};
  Json replay = prototype;
  replay["name"] = "replay";
  replay["inputs"]["dataset"] = "prototype";
  replay["teacher"]["use"] = "teacher.recorded";
  expect_quick({utterances(8000), prototype, replay}, {"replay"}, std::chrono::milliseconds(150));
}

/// Millions of rows: 240 s once, in a loop of the environment's that did not ask.
TEST_F(StopTimesOfData, OfAVeryLargeGeneration) {
  host::write_json(folder_ / "config.json", {{"name", "stops"}, {"stages", Json::array({utterances(3000000)})}});
  for (const int seconds : {2, 6}) {
    const ChildCommand child(folder_, arguments("run"));
    ASSERT_TRUE(wait_for([&] { return fs::exists(run() / "run.json"); }));
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
    const StopTime time = interrupt(child.id());
    EXPECT_TRUE(time.interrupted()) << time.status;
    EXPECT_LE(time.processor, 2.0);
  }
}

}  // namespace
}  // namespace retort::faults
