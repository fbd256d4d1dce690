// ABI glue of stage.augment: enlarges the train split and passes the rest of the dataset on.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <string>
#include <vector>

#include "augment.h"
#include "host/base/files.h"
#include "task/dataset.h"
#include "task/example_file.h"

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
    bool by_novelty = false;
    std::vector<std::string> shared_arguments;
    std::string value_lists;
    double listed_share = 0.5;
    bool closed = false;
    double max_unreadable_share = 0.1;
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
        .boolean("by_novelty", &Params::by_novelty)
        .doc(
            "random_share counts times the share of the argument's values that the data hold once: how probable a new "
            "value is")
        .strings("shared_arguments", &Params::shared_arguments)
        .doc(
            "arguments that mean the same in every tool that has them, \"*\" for all: tools draw values from each "
            "other")
        .string("value_lists", &Params::value_lists)
        .existing_path()
        .doc(
            "folder with ARGUMENT.txt or TOOL.ARGUMENT.txt, a value a line in the form in which people say it: names "
            "that the data do not hold; empty is off")
        .number("listed_share", &Params::listed_share)
        .at_least(0)
        .at_most(1)
        .doc("of the swaps of an argument that has such a list: the share whose new value comes from it")
        .boolean("closed", &Params::closed)
        .doc("swap values of arguments with an enum too; right only where no wording depends on them")
        .number("max_unreadable_share", &Params::max_unreadable_share)
        .at_least(0)
        .at_most(1)
        .doc("the run stops when a larger share of a split's rows is bad; bad rows go to rejected.jsonl")
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
    const std::vector<task::Tool> tools = task::read_tools(input / "tools.json");
    stages::AugmentOptions options = options_of(context);
    stages::require_known_arguments(options, tools);
    if (!params_.value_lists.empty()) options.value_lists = stages::read_value_lists(params_.value_lists, tools);
    const task::Split train = task::read_split(input / "train.jsonl", params_.max_unreadable_share, task::Turns::all);
    std::vector<task::RejectedRow> rejected = train.rejected;
    for (task::RejectedRow& row : task::pass_on_held_out(input, output, params_.max_unreadable_share))
      rejected.push_back(std::move(row));
    std::vector<task::Example> held_out;
    for (const char* name : task::held_out_files)
      if (fs::exists(output / name))
        for (task::Example& example : task::read_split(output / name).examples) held_out.push_back(std::move(example));
    const auto examples = stages::augment(train.examples, tools, options, held_out);
    retort::throw_if_stopped();
    task::write_split(output / "train.jsonl", examples);
    task::write_rejected(output / "rejected.jsonl", rejected);
    retort::host::write_file_atomically(output / "tools.json", retort::host::read_file(input / "tools.json"));
    if (!rejected.empty()) {
      context.fact("rejected", std::to_string(rejected.size()));
      retort::log_warning(train.tally.summary("stage.augment: train") + "; rejected.jsonl has the rejected ones");
    }
    const auto kept_as_they_are = std::count_if(train.examples.begin(), train.examples.end(),
                                                [](const task::Example& example) { return example.has_context(); });
    if (kept_as_they_are > 0) {
      context.fact("not_augmented", std::to_string(kept_as_they_are));
      retort::log_info("stage.augment: " + std::to_string(kept_as_they_are) +
                       " rows with earlier turns or tools of their own are passed on as they are");
    }
    for (const auto& [name, values] : options.value_lists)
      context.fact("listed_" + name, std::to_string(values.size()));
    context.fact("train", std::to_string(examples.size()));
    context.fact("added", std::to_string(examples.size() - train.examples.size()));
  }

 private:
  stages::AugmentOptions options_of(const retort::StageContext& context) const {
    stages::AugmentOptions options;
    options.factor = params_.factor;
    options.swap_share = params_.swap_share;
    options.random_share = params_.random_share;
    options.longest_random = params_.longest_random;
    options.own_words_share = params_.own_words_share;
    options.spliced_share = params_.spliced_share;
    options.random_arguments = params_.random_arguments;
    options.by_novelty = params_.by_novelty;
    options.shared_arguments = params_.shared_arguments;
    options.listed_share = params_.listed_share;
    options.closed = params_.closed;
    options.seed = params_.seed == 0 ? context.seed() : static_cast<std::uint64_t>(params_.seed);
    return options;
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(AugmentStage, "stage.augment", "1.2.0", "more labelled rows by swapping free-text values between rows");
