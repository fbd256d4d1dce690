// Algorithms of every kind that ask for signals of another interface, or for ones that nobody knows.
#include <retort/sdk.hpp>

namespace {

struct GreedyLoss : retort::DistillStrategy {
  using Params = retort::NoParams;
  explicit GreedyLoss(Params) {}
  retort::DistillRequirements requirements(const retort::DistillSetup*) const override {
    retort::DistillRequirements wanted;
    wanted.signals = RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_VALUES;
    return wanted;
  }
  retort::Loss loss(const retort::DistillBatch&, const retort::Gradient&) override { return {}; }
};

struct GreedyPolicy : retort::RlAlgorithm {
  using Params = retort::NoParams;
  explicit GreedyPolicy(Params) {}
  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted;
    wanted.signals = RETORT_SIGNAL_TEACHER_TOP_K;
    return wanted;
  }
  retort::Metrics advantages(const retort::RlBatch&, const retort::RlAdvantages&) override { return {}; }
  Result loss(const retort::RlBatch&, const retort::RlGradient&) override { return {}; }
};

struct GreedyPreference : retort::Preference {
  using Params = retort::NoParams;
  explicit GreedyPreference(Params) {}
  retort::PreferenceRequirements requirements() const override { return {RETORT_SIGNAL_ENTROPIES, 0}; }
  Result loss(const retort::PreferenceBatch&, const retort::PreferenceGradient&) override { return {}; }
};

struct GreedyPruner : retort::Pruner {
  using Params = retort::NoParams;
  explicit GreedyPruner(Params) {}
  retort::PruneRequirements requirements() const override { return {RETORT_SIGNAL_INPUT_HESSIAN, 8, 0}; }
  retort::PrunePlan plan(const retort_prune_structure&, const retort::PruneSignals&,
                         const retort::PruneModel&) override {
    return {};
  }
};

struct GreedySparsifier : retort::Sparsifier {
  using Params = retort::NoParams;
  explicit GreedySparsifier(Params) {}
  retort::SparsifyRequirements requirements() const override { return {RETORT_SIGNAL_HEAD_NORMS, 8}; }
  retort::Metrics sparsify(const retort::Site&, std::size_t, const retort::SparsifyOutput&) override { return {}; }
};

struct GreedyQuantizer : retort::Quantizer {
  using Params = retort::NoParams;
  explicit GreedyQuantizer(Params) {}
  retort::QuantizeRequirements requirements() const override { return {std::uint64_t{1} << 57, 8}; }
  retort::QuantizeScheme scheme(const retort::Site&) override { return {}; }
  retort::Metrics quantize(const retort::Site&, std::size_t, const retort::QuantizeScheme&,
                           const retort::QuantizeOutput&) override {
    return {};
  }
};

}  // namespace

RETORT_PLUGIN_LIST("greedy", "1.0.0", "Apache-2.0",
                   retort::component<GreedyLoss>("distill.greedy", "1.0.0", "asks for VALUES"),
                   retort::component<GreedyPolicy>("rl.greedy", "1.0.0", "asks for TEACHER_TOP_K"),
                   retort::component<GreedyPreference>("preference.greedy", "1.0.0", "asks for ENTROPIES"),
                   retort::component<GreedyPruner>("prune.greedy", "1.0.0", "asks for INPUT_HESSIAN"),
                   retort::component<GreedySparsifier>("sparsify.greedy", "1.0.0", "asks for HEAD_NORMS"),
                   retort::component<GreedyQuantizer>("quantize.greedy", "1.0.0", "asks for bit 57"));
