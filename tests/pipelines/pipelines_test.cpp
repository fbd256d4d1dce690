// Every config under configs/ is a test: it validates, it runs shrunk to a few steps, and killed halfway it goes on and
// ends with the same bytes. How a config is shrunk stands in it: "smoke": {"set": {"sft.epochs": 1, …}}.
// configs/tasks/ holds tool sets, not configs. A small model with random weights stands in for pretrained ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "child_command.h"
#include "host/base/files.h"
#include "runtime/random_model.h"
#include "text/bpe_trainer.h"
#include "text/tokenizer.h"

namespace retort::apps {
namespace {

using Json = nlohmann::json;

/// Of the stand-in for pretrained models: of tools their names alone.
constexpr const char* chat_template =
    "{% if tools %}{% for tool in tools %}{{ tool.function.name }} {% endfor %}{% endif %}"
    "{% for message in messages %}{{ message.role }}:{{ message.content }}"
    "{% if message.tool_calls %}{% for call in message.tool_calls %}{{ call.function | tojson }}{% endfor %}{% endif %}"
    "<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}";

std::vector<std::string> all_configs() {
  const std::filesystem::path folder = std::filesystem::path(RETORT_SOURCE) / "configs";
  std::vector<std::string> configs;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().lexically_relative(folder).string();
    if (entry.is_regular_file() && entry.path().extension() == ".json" && !path.starts_with("tasks/"))
      configs.push_back(path);
  }
  std::sort(configs.begin(), configs.end());
  return configs;
}

class PipelineConfigTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!RETORT_WITH_TRAINING) GTEST_SKIP() << "built without the training stages (RETORT_TRAIN=OFF)";
    std::filesystem::current_path(RETORT_SOURCE);
    config_ = (std::filesystem::path("configs") / GetParam()).string();
    std::ifstream file(config_);
    const Json json = Json::parse(file, nullptr, true, true);
    if (json.dump().find("environment.mcp") != std::string::npos && std::system("python3 -c '' 2>/dev/null") != 0)
      GTEST_SKIP() << config_ << " starts a server that needs python3";
    find_data(json.value("data", Json()));
    if (IsSkipped()) return;
    if (json.contains("smoke"))
      for (const auto& [key, value] : json["smoke"].at("set").items())
        overrides_.insert(overrides_.end(), {"--set", key + "=" + value.dump()});
    std::string pattern = (std::filesystem::temp_directory_path() / "retort-pipeline-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    for (const Json& stage : json.at("stages")) {
      stages_.push_back(stage.at("name"));
      if (stage.at("use") == "stage.import_model") write_stand_in(stage.at("name"));
    }
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  /// "data" in the shared folder is looked for in RETORT_SHARED, where that is set; a test without its data is skipped.
  void find_data(const Json& data) {
    const std::string shared = "../../shared";  // seen from the config
    if (!data.is_string() || !data.get<std::string>().starts_with(shared)) return;
    const char* folder = std::getenv("RETORT_SHARED");
    const std::string path = (folder == nullptr ? std::string(RETORT_SOURCE) + "/configs/" + shared : folder) +
                             data.get<std::string>().substr(shared.size());
    if (!std::filesystem::exists(path)) GTEST_SKIP() << config_ << " needs " << path << "; set RETORT_SHARED";
    data_.insert(data_.end(), {"--set", "data=" + path});
  }
  /// What an import stage reads instead of a pretrained model.
  void write_stand_in(const std::string& stage) {
    const std::filesystem::path model = folder_ / ("pretrained-" + stage);
    const std::string tokenizer = text::train_byte_level_bpe({"play some music", "what is the weather in the city"},
                                                             {.vocabulary_size = 300, .special_tokens = {"<|eot|>"}});
    model::ModelConfig config = runtime::testing::awkward_config();
    config.vocabulary_size = text::Tokenizer::parse(tokenizer, "the stand-in's tokenizer").vocabulary_size();
    runtime::testing::write_model(model, config, runtime::testing::random_weights(config, 1),
                                  runtime::testing::Storage::f32);
    host::write_file_atomically(model / "tokenizer.json", tokenizer);
    host::write_file_atomically(model / "chat_template.jinja", chat_template);
    data_.insert(data_.end(), {"--set", stage + ".path=" + model.string()});
  }
  std::vector<std::string> arguments(const std::string& command, const std::string& run = "") const {
    std::vector<std::string> all = {command, config_, "--allow-writable-plugins"};
    if (!run.empty()) all.insert(all.end(), {"--run-dir", (folder_ / run).string()});
    all.insert(all.end(), data_.begin(), data_.end());
    all.insert(all.end(), overrides_.begin(), overrides_.end());
    return all;
  }
  Json manifest(const std::string& run, const std::string& stage) const {
    std::ifstream file(folder_ / run / "stages" / stage / "manifest.json");
    return Json::parse(file);
  }
  /// Reports hold measured times, and what is made from a report may too.
  bool depends_on_times(const Json& made) const {
    if (made.at("kind") == "report") return true;
    for (const Json& input : made.at("inputs"))
      if (depends_on_times(manifest("whole", input.at("stage")))) return true;
    return false;
  }
  std::string config_;
  std::vector<std::string> data_, overrides_, stages_;
  std::filesystem::path folder_;
};

TEST_P(PipelineConfigTest, Validates) {
  std::vector<std::string> unchanged = {"check", config_, "--allow-writable-plugins"};
  unchanged.insert(unchanged.end(), data_.begin(), data_.end());
  const Outcome plain = ChildCommand(folder_, unchanged).wait();
  EXPECT_EQ(plain.code, 0) << plain.err;
  const Outcome smoke = ChildCommand(folder_, arguments("check")).wait();
  EXPECT_EQ(smoke.code, 0) << smoke.err;
}

TEST_P(PipelineConfigTest, RunsAndResumesToTheSameBytes) {
  ASSERT_FALSE(overrides_.empty()) << config_ << " needs \"smoke\": {\"set\": {…}} that shrinks it to a few steps";
  const auto start = std::chrono::steady_clock::now();
  const Outcome whole = ChildCommand(folder_, arguments("run", "whole")).wait();
  ASSERT_EQ(whole.code, 0) << whole.err;
  const auto duration = std::chrono::steady_clock::now() - start;

  // Killed after half of the time that the whole run took; where exactly does not matter (`make soak` kills anywhere).
  {
    const ChildCommand child(folder_, arguments("run", "resumed"));
    std::this_thread::sleep_for(duration / 2);
    ::kill(child.id(), SIGKILL);
    child.wait();
  }
  const Outcome resumed = ChildCommand(folder_, arguments("run", "resumed")).wait();
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  for (const std::string& stage : stages_) {
    const Json one = manifest("whole", stage), other = manifest("resumed", stage);
    if (depends_on_times(one)) continue;
    EXPECT_EQ(one.at("sha256"), other.at("sha256")) << stage;
  }
}

INSTANTIATE_TEST_SUITE_P(Configs, PipelineConfigTest, ::testing::ValuesIn(all_configs()), [](const auto& parameter) {
  std::string name = parameter.param;
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PipelineConfigTest);

}  // namespace
}  // namespace retort::apps
