// ABI glue of stage.generate: asks the environment and writes the dataset folder.
#include <cstdint>
#include <filesystem>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>

#include "generate.h"
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
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("train", &Params::train)
        .at_least(1)
        .unit("utterances")
        .doc("unlabelled utterances to label later")
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
        .doc("of the utterances; 0 takes the stage's own seed");
  }
  explicit GenerateStage(const Params& params) : params_(params) {}

  const retort::StageShape& shape() const override {
    static const retort::StageShape shape = retort::StageShape("dataset").slot(
        "environment", RETORT_ENVIRONMENT_INTERFACE, "the world that names tools and asks for things");
    return shape;
  }

  void run(const retort::StageContext& context) override {
    const retort::SlotComponent environment = context.slot("environment").value();
    const std::uint64_t seed = params_.seed == 0 ? context.seed() : static_cast<std::uint64_t>(params_.seed);
    const auto tools = retort::host::parse_json(environment.tools(), "environment: tools");
    task::tools_from_json(tools, "environment: tools");
    const std::string train = generate(context, environment, "train", params_.train, seed);
    const std::string validation = generate(context, environment, "validation", params_.validation, seed);
    const std::string test = generate(context, environment, "test", params_.test, seed);
    const stages::GeneratedDataset dataset = stages::assemble(train, validation, test);

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
  static std::string generate(const retort::StageContext& context, const retort::SlotComponent& environment,
                              const std::string& split, std::int64_t count, std::uint64_t seed) {
    retort::throw_if_stopped();
    context.progress(split, 0, count, "utterances");
    std::string rows = environment.generate(split, count, seed);
    context.progress(split, count, count, "utterances");
    return rows;
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(GenerateStage, "stage.generate", "1.0.0", "utterances of an environment, as a dataset to be labelled");
