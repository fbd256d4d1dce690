// ABI glue of stage.generate: asks the environment and writes the dataset folder.
#include <retort/abi/environment.h>

#include <cstdint>
#include <filesystem>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "generate.h"
#include "host/algorithm/environment_call.h"
#include "host/base/json.h"
#include "task/dataset.h"

namespace {

namespace stages = retort::stages;
namespace task = retort::task;

class GenerateStage final : public retort::Stage {
 public:
  struct Params {
    std::int64_t train = 15000;
    std::int64_t validation = 500;
    std::int64_t test = 2000;
    std::int64_t seed = 0;
    bool label_train = false;
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("train", &Params::train)
        .at_least(1)
        .unit("utterances")
        .doc("utterances to train on; to be labelled later unless label_train is true")
        .integer("validation", &Params::validation)
        .at_least(0)
        .unit("utterances")
        .doc("labelled with the gold calls")
        .integer("test", &Params::test)
        .at_least(0)
        .unit("utterances")
        .doc("labelled; from templates that only it uses")
        .integer("seed", &Params::seed)
        .at_least(0)
        .doc("of the utterances; 0 takes the stage's own seed")
        .boolean("label_train", &Params::label_train)
        .doc(
            "train rows keep the calls that the environment meant, for teacher.recorded or for training without a "
            "teacher");
  }
  explicit GenerateStage(const Params& params) : params_(params) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape = retort::StageShape("dataset").slot(
        "environment", RETORT_ENVIRONMENT_INTERFACE, "the world that names tools and asks for things");
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    const retort::host::EnvironmentCall environment = environment_of(context);
    std::vector<std::string> findings;
    if (!environment.can_generate()) findings.push_back("environment: makes no rows; this stage asks for them");
    try {
      task::tools_from_json(environment.tools(), "environment: tools");
    } catch (const std::invalid_argument& error) {
      findings.emplace_back(error.what());
    }
    return findings;
  }

  void run(const retort::StageContext& context) override {
    const retort::host::EnvironmentCall environment = environment_of(context);
    const std::uint64_t seed = params_.seed == 0 ? context.seed() : static_cast<std::uint64_t>(params_.seed);
    const auto tools = environment.tools();
    task::tools_from_json(tools, "environment: tools");
    auto train = generate(context, environment, "train", params_.train, seed);
    auto validation = generate(context, environment, "validation", params_.validation, seed);
    auto test = generate(context, environment, "test", params_.test, seed);
    const auto labels = params_.label_train ? stages::TrainLabels::kept : stages::TrainLabels::removed;
    const stages::GeneratedDataset dataset =
        stages::assemble(std::move(train), std::move(validation), std::move(test), labels);

    const std::filesystem::path folder = context.output_folder();
    retort::host::write_json(folder / "tools.json", tools);
    task::write_split(folder / "train.jsonl", dataset.train);
    task::write_split(folder / "validation.jsonl", dataset.validation);
    task::write_split(folder / "test.jsonl", dataset.test);
    context.fact("train", std::to_string(dataset.train.size()));
    context.fact("validation", std::to_string(dataset.validation.size()));
    context.fact("test", std::to_string(dataset.test.size()));
  }

 private:
  static retort::host::EnvironmentCall environment_of(const retort::StageContext& context) {
    const retort::BoundComponent component = context.slot("environment").value();
    return {std::string(component.id()), component.instance(), component.functions<retort_environment_v1>()};
  }
  static std::vector<task::Example> generate(const retort::StageContext& context,
                                             const retort::host::EnvironmentCall& environment, const std::string& split,
                                             std::int64_t count, std::uint64_t seed) {
    retort::throw_if_stopped();
    context.progress(split, 0, count, "utterances");
    std::vector<task::Example> examples;
    examples.reserve(static_cast<std::size_t>(count));
    environment.generate(split, count, seed, [&](std::size_t index, const nlohmann::json& row) {
      if (index >= examples.size()) examples.resize(index + 1);
      examples[index] = stages::read_generated(split, index + 1, row);
      context.progress(split, static_cast<std::int64_t>(examples.size()), count, "utterances");
    });
    return examples;
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(GenerateStage, "stage.generate", "1.0.0", "utterances of an environment, as a dataset to be labelled");
