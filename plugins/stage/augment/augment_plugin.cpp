// ABI glue of stage.augment: enlarges the train split and passes the rest of the dataset on.
#include <cstdint>
#include <filesystem>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <string>
#include <vector>

#include "augment.h"
#include "host/base/files.h"
#include "task/dataset.h"

namespace {

namespace fs = std::filesystem;
namespace stages = retort::stages;
namespace task = retort::task;

class AugmentStage final : public retort::Stage {
 public:
  struct Params {
    double factor = 2.0;
    double swap_share = 0.5;
    double random_share = 0.0;
    std::int64_t longest_random = 4;
    double own_words_share = 0.0;
    double spliced_share = 0.0;
    std::vector<std::string> random_arguments;
    std::vector<std::string> shared_arguments;
    bool closed = false;
    std::int64_t seed = 0;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("factor", &Params::factor)
        .at_least(1)
        .doc("size of the train split afterwards, as a multiple; 1 is off")
        .number("swap_share", &Params::swap_share)
        .at_least(0)
        .at_most(1)
        .doc("chance of each free-text value of a chosen example to be swapped; one at least is")
        .number("random_share", &Params::random_share)
        .at_least(0)
        .at_most(1)
        .doc("share of the swaps whose new value is a row of known words, which teaches copying; 0 is off")
        .integer("longest_random", &Params::longest_random)
        .at_least(1)
        .unit("words")
        .doc("length of such a row at most")
        .number("own_words_share", &Params::own_words_share)
        .at_least(0)
        .at_most(1)
        .doc(
            "share of such rows whose words come from the argument's own values, so that they look like them; 0 is off")
        .number("spliced_share", &Params::spliced_share)
        .at_least(0)
        .at_most(1)
        .doc("of those words: the head of one known word and the tail of another; 0 is off")
        .strings("random_arguments", &Params::random_arguments)
        .doc("arguments that get such rows; empty: every free-text one")
        .strings("shared_arguments", &Params::shared_arguments)
        .doc("arguments that mean the same in every tool that has them: tools draw values from each other")
        .boolean("closed", &Params::closed)
        .doc("swap values of arguments with an enum too; right only where no wording depends on them")
        .integer("seed", &Params::seed)
        .at_least(0)
        .doc("of the choices; 0 takes the stage's own seed");
  }
  explicit AugmentStage(const Params& params) : params_(params) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("dataset").input("dataset", "dataset", "labelled rows to make more of");
    return shape;
  }

  void run(const retort::StageContext& context) override {
    const fs::path input = context.input_folder("dataset");
    const fs::path output = context.output_folder();
    const task::Split train = task::read_split(input / "train.jsonl");
    stages::AugmentOptions options;
    options.factor = params_.factor;
    options.swap_share = params_.swap_share;
    options.random_share = params_.random_share;
    options.longest_random = params_.longest_random;
    options.own_words_share = params_.own_words_share;
    options.spliced_share = params_.spliced_share;
    options.random_arguments = params_.random_arguments;
    options.shared_arguments = params_.shared_arguments;
    options.closed = params_.closed;
    options.seed = params_.seed == 0 ? context.seed() : static_cast<std::uint64_t>(params_.seed);
    std::vector<task::Example> held_out;
    for (const char* name : {"validation.jsonl", "test.jsonl"}) {
      if (!fs::exists(input / name)) continue;
      const task::Split split = task::read_split(input / name);
      held_out.insert(held_out.end(), split.examples.begin(), split.examples.end());
    }
    const auto examples = stages::augment(train.examples, task::read_tools(input / "tools.json"), options, held_out);
    retort::throw_if_stopped();
    task::write_split(output / "train.jsonl", examples);
    task::write_rejected(output / "rejected.jsonl", train.rejected);
    for (const char* name : {"validation.jsonl", "test.jsonl", "tools.json"}) {
      if (fs::exists(input / name))
        retort::host::write_file_atomically(output / name, retort::host::read_file(input / name));
    }
    context.fact("train", std::to_string(examples.size()));
    context.fact("added", std::to_string(examples.size() - train.examples.size()));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN(AugmentStage, "stage.augment", "1.1.0", "more labelled rows by swapping free-text values between rows");
