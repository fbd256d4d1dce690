// retort.pruner/1 on a small decoder with seeded signals and weights, through the code that stages call it with.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <retort/tensor.hpp>

#include "host/algorithm/pruner_call.h"
#include "host/plugin/conformance_checks.h"
#include "host/plugin/conformance_tensor.h"

namespace retort::host {
namespace {

constexpr std::int64_t L = 6, H = 8, K = 4, D = 128, F = 384, V = 1000;

/// A decoder of these sizes that a pruner can ask: every tensor is made from its name, a candidate's loss from what it
/// keeps.
class SmallDecoder {
 public:
  explicit SmallDecoder(std::uint64_t signals)
      : wanted_(signals),
        hidden_(D),
        feed_forward_(L, F),
        heads_(L, H),
        influence_(L),
        similarity_(L, L),
        counts_(V),
        required_(13) {
    SeededNumbers numbers(20250416);
    const auto positive = [&] { return static_cast<float>(numbers.uniform(0.1, 1)); };
    for (OwnedTensor<float>* tensor : {&hidden_, &feed_forward_, &heads_, &influence_}) tensor->fill(positive);
    similarity_.fill_with(0);
    for (std::int64_t i = 0; i < L; ++i)
      for (std::int64_t j = i; j < L; ++j)
        similarity_.at(i, j) = i == j ? 1 - influence_.at(i) : similarity_.at(i, j - 1) * (1 - influence_.at(j));
    counts_.fill([&] { return static_cast<float>(numbers.below(50)); });
    for (std::int64_t i = 0; i < required_.size(); ++i) required_.at(i) = i < 10 ? i : V - 13 + i;
  }

  retort_prune_structure structure() const {
    const std::int64_t head_dim = D / H;
    return {sizeof(retort_prune_structure),
            1,
            L,
            H,
            K,
            head_dim,
            D,
            F,
            V,
            V * D + L * (2 * D * D + 2 * D * head_dim * K + 3 * D * F + 2 * D) + D};
  }
  retort_prune_signals signals() {
    return {sizeof(retort_prune_signals),
            0,
            if_wanted(RETORT_SIGNAL_HIDDEN_NORMS, hidden_),
            if_wanted(RETORT_SIGNAL_FEED_FORWARD_NORMS, feed_forward_),
            if_wanted(RETORT_SIGNAL_HEAD_NORMS, heads_),
            if_wanted(RETORT_SIGNAL_BLOCK_INFLUENCE, influence_),
            if_wanted(RETORT_SIGNAL_BLOCK_SIMILARITY, similarity_),
            if_wanted(RETORT_SIGNAL_TOKEN_COUNTS, counts_),
            required_.input()};
  }
  PruneModelAnswers answers(bool evaluates) {
    const auto of_signal = [this](std::uint64_t signal) {
      return [this, signal](const std::string& name) -> const retort_tensor& {
        if ((wanted_ & signal) == 0) throw std::invalid_argument("these gradients were not asked for");
        return tensor(name);
      };
    };
    return {[this](const std::string& name) -> const retort_tensor& { return tensor(name); },
            of_signal(RETORT_SIGNAL_GRADIENTS),
            of_signal(RETORT_SIGNAL_SQUARED_GRADIENTS),
            [this, evaluates](const PruneKeeps& plan) {
              if (!evaluates) throw std::invalid_argument("RETORT_PRUNE_EVALUATES was not asked for");
              return loss(plan);
            },
            [this](std::int64_t layer) -> const retort_tensor& {
              if ((wanted_ & RETORT_SIGNAL_FEED_FORWARD_HESSIAN) == 0)
                throw std::invalid_argument("FEED_FORWARD_HESSIAN was not asked for");
              return hessian(layer);
            },
            [](const std::string& name, const retort_tensor& values) { check_new_weight(name, values); }};
  }

 private:
  const retort_tensor* if_wanted(std::uint64_t signal, OwnedTensor<float>& tensor) {
    return (wanted_ & signal) != 0 ? tensor.input() : nullptr;
  }
  /// More where more is cut, by an amount of each index's own.
  double loss(const PruneKeeps& plan) const {
    double loss = 2;
    for (const PruneKeep& keep : plan) {
      const std::int64_t size = axis_size(structure(), keep.axis);
      for (std::int64_t i = 0; i < size; ++i)
        if (!std::binary_search(keep.indices.begin(), keep.indices.end(), i))
          loss += (1 + static_cast<double>((i * 7919 + keep.layer * 104729) % 97) / 97) / static_cast<double>(size);
    }
    return loss;
  }
  const retort_tensor& tensor(const std::string& name) {
    const auto [rows, columns] = shape(name);
    std::uint32_t seed = 7;
    for (const char letter : name) seed = seed * 31 + static_cast<std::uint8_t>(letter);
    SeededNumbers numbers(seed);
    current_ =
        columns > 0 ? std::make_unique<OwnedTensor<float>>(rows, columns) : std::make_unique<OwnedTensor<float>>(rows);
    current_->fill([&] { return static_cast<float>(0.05 * numbers.normal()); });
    return *current_->input();
  }
  /// A diagonal and one direction that all channels share.
  const retort_tensor& hessian(std::int64_t layer) {
    current_ = std::make_unique<OwnedTensor<float>>(F, F);
    SeededNumbers numbers(static_cast<std::uint32_t>(17 + layer));
    std::vector<float> shared, own;
    for (std::int64_t i = 0; i < F; ++i) {
      shared.push_back(static_cast<float>(numbers.normal()));
      own.push_back(static_cast<float>(numbers.uniform(0.1, 1)));
    }
    for (std::int64_t i = 0; i < F; ++i)
      for (std::int64_t j = 0; j < F; ++j) {
        const auto a = static_cast<std::size_t>(i), b = static_cast<std::size_t>(j);
        current_->at(i, j) = shared[a] * shared[b] + (i == j ? own[a] : 0);
      }
    return *current_->input();
  }
  static void check_new_weight(const std::string& name, const retort_tensor& values) {
    const auto [rows, columns] = shape(name);
    const TensorView<const float> view(&values, name.c_str(), columns > 0 ? 2 : 1);
    expect_shape(view, name.c_str(), rows, std::max<std::int64_t>(1, columns));
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t column = 0; column < columns; ++column)
        if (!std::isfinite(view(row, column)))
          throw std::runtime_error(name + ": expected finite new values, found others");
  }
  static std::pair<std::int64_t, std::int64_t> shape(const std::string& name) {
    static const std::map<std::string, std::pair<std::int64_t, std::int64_t>, std::less<>> of_layer = {
        {"input_layernorm", {D, 0}},
        {"post_attention_layernorm", {D, 0}},
        {"self_attn.q_proj", {D, D}},
        {"self_attn.k_proj", {D / H * K, D}},
        {"self_attn.v_proj", {D / H * K, D}},
        {"self_attn.o_proj", {D, D}},
        {"mlp.gate_proj", {F, D}},
        {"mlp.up_proj", {F, D}},
        {"mlp.down_proj", {D, F}}};
    if (name == "model.embed_tokens.weight") return {V, D};
    if (name == "model.norm.weight") return {D, 0};
    constexpr std::string_view prefix = "model.layers.", suffix = ".weight";
    if (name.starts_with(prefix) && name.ends_with(suffix)) {
      std::int64_t layer = -1;
      const char* end = name.data() + name.size() - suffix.size();
      const auto [rest, code] = std::from_chars(name.data() + prefix.size(), end, layer);
      const auto found = rest < end ? of_layer.find(std::string_view(rest + 1, end)) : of_layer.end();
      if (code == std::errc() && layer >= 0 && layer < L && found != of_layer.end()) return found->second;
    }
    throw std::invalid_argument("the model has no weight named " + name);
  }

  std::uint64_t wanted_;
  OwnedTensor<float> hidden_, feed_forward_, heads_, influence_, similarity_, counts_;
  OwnedTensor<std::int64_t> required_;
  std::unique_ptr<OwnedTensor<float>> current_;
};

PruneKeeps plan_of(const PrunerCall& pruner) {
  const retort_prune_requirements wanted = pruner.requirements();
  SmallDecoder decoder(wanted.signals);
  CallMetrics metrics;
  return pruner.plan(decoder.structure(), decoder.signals(),
                     decoder.answers((wanted.flags & RETORT_PRUNE_EVALUATES) != 0), metrics);
}

/// A component that finds its defaults too large or too small for this decoder has said so, and is not at fault.
PruneKeeps plan_or_skip(const PrunerCall& pruner) {
  try {
    return plan_of(pruner);
  } catch (const PlanRefused& refused) {
    throw CheckSkipped{std::string("its defaults do not fit the small decoder of this check: ") + refused.what()};
  }
}

bool same(const PruneKeeps& a, const PruneKeeps& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const PruneKeep& left, const PruneKeep& right) {
    return left.axis == right.axis && left.layer == right.layer && left.indices == right.indices;
  });
}

}  // namespace

void check_pruner(CheckLog& log, const Subject& subject) {
  const PrunerCall pruner(subject.id, subject.instance, subject.functions<retort_pruner_v1>());
  if (!log.run(subject.id, "requirements are usable", [&] { pruner.requirements(); })) return;
  PruneKeeps plan;
  const bool planned = log.run(subject.id, "plan keeps ascending indices in range, equally in every layer",
                               [&] { plan = plan_or_skip(pruner); });
  if (!planned) return;
  log.run(subject.id, "same signals give the same plan",
          [&] { expect(same(plan, plan_of(pruner)), "the same signals gave two different plans"); });
}

}  // namespace retort::host
