// prune.vocabulary: signals, plan and parameters around vocabulary.h.
#include <retort/plugin.hpp>
#include <retort/pruner.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "vocabulary.h"

namespace {

class VocabularyPruner : public retort::Pruner {
 public:
  struct Params : retort::prune::VocabularyOptions {
    std::int64_t samples = 4096;
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("minimum_count", &Params::minimum_count)
        .at_least(0)
        .unit("occurrence")
        .doc(
            "a token stays that occurs so often in the calibration data; special tokens and bytes always stay; not "
            "read with a size")
        .integer("size", &Params::size)
        .at_least(0)
        .unit("token")
        .doc(
            "the most frequent tokens that stay, required ones among them; merges may need a few more. 0: as many as "
            "minimum_count lets")
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("sequence")
        .doc("calibration sequences that tokens are counted in; a token that none of them has is lost to the model");
  }

  explicit VocabularyPruner(Params params) : params_(std::move(params)) {}

  retort::PruneRequirements requirements() const override { return {RETORT_SIGNAL_TOKEN_COUNTS, params_.samples, 0}; }

  retort::PrunePlan plan(const retort_prune_structure& structure, const retort::PruneSignals& signals,
                         const retort::PruneModel& /*model*/) override {
    const std::int64_t vocabulary = structure.vocabulary;
    retort::expect_shape(signals.token_counts, "token_counts", vocabulary);
    if (!signals.required_tokens)
      throw std::invalid_argument("required_tokens: expected the ids that must stay, found no tensor");
    std::vector<float> counts;
    for (std::int64_t id = 0; id < vocabulary; ++id) counts.push_back(signals.token_counts[id]);
    std::vector<std::int64_t> required;
    for (std::int64_t i = 0; i < signals.required_tokens.rows(); ++i) required.push_back(signals.required_tokens[i]);
    retort::PrunePlan result;
    std::vector<std::int64_t> kept = retort::prune::kept_tokens(params_, counts, required);
    double total = 0, covered = 0;
    for (const float count : counts) total += static_cast<double>(count);
    for (const std::int64_t id : kept) covered += static_cast<double>(counts[static_cast<std::size_t>(id)]);
    result.metrics = {{"tokens_before", static_cast<double>(vocabulary)},
                      {"tokens_kept", static_cast<double>(kept.size())},
                      {"tokens_required", static_cast<double>(required.size())},
                      {"covered", total > 0 ? covered / total : 1.0}};
    if (kept.empty()) throw std::invalid_argument("minimum_count: expected one that leaves a token, found none left");
    if (static_cast<std::int64_t>(kept.size()) < vocabulary)
      result.keep.push_back({RETORT_AXIS_VOCABULARY, -1, std::move(kept)});
    return result;
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("vocabulary", "1.0.0", "Apache-2.0",
                   retort::component<VocabularyPruner>("prune.vocabulary", "1.0.0",
                                                       "keeps the tokens that the data uses and those that must stay"));
