// retort.pruner/1 on a small decoder with seeded signals.
#include <retort/abi/pruner.h>

#include <algorithm>
#include <map>
#include <set>

#include "host/plugin/conformance_checks.h"
#include "host/plugin/conformance_tensor.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

constexpr std::int64_t L = 6, H = 8, K = 4, D = 128, F = 384, V = 1000;

retort_prune_requirements requirements_of(const Subject& subject) {
  retort_prune_requirements out{};
  out.struct_size = sizeof out;
  throw_if_error(subject.functions<retort_pruner_v1>().requirements(subject.instance, &out), "requirements()");
  return out;
}

void check_requirements(const Subject& subject) {
  const retort_prune_requirements wanted = requirements_of(subject);
  constexpr std::uint32_t known = RETORT_SIGNAL_HIDDEN_NORMS | RETORT_SIGNAL_FEED_FORWARD_NORMS |
                                  RETORT_SIGNAL_HEAD_NORMS | RETORT_SIGNAL_BLOCK_INFLUENCE | RETORT_SIGNAL_TOKEN_COUNTS;
  expect((wanted.signals & ~known) == 0, "unknown bits in signals: " + std::to_string(wanted.signals));
  expect(wanted.samples >= 0, "samples is negative");
}

struct Kept {
  std::uint32_t axis;
  std::int64_t layer;
  std::vector<std::int64_t> indices;
};
using Plan = std::vector<Kept>;

Plan plan_of(const Subject& subject) {
  const std::uint32_t signals = requirements_of(subject).signals;
  SeededNumbers numbers(20250416);
  const auto positive = [&] { return static_cast<float>(numbers.uniform(0.1, 1)); };
  OwnedTensor<float> hidden(D), feed_forward(L, F), heads(L, H), influence(L), counts(V);
  for (OwnedTensor<float>* tensor : {&hidden, &feed_forward, &heads, &influence, &counts}) tensor->fill(positive);
  counts.fill([&] { return static_cast<float>(numbers.below(50)); });

  retort_prune_structure structure{};
  structure.struct_size = sizeof structure;
  structure.tied_embedding = 1;
  structure.layers = L;
  structure.heads = H;
  structure.kv_heads = K;
  structure.head_dim = D / H;
  structure.hidden = D;
  structure.feed_forward = F;
  structure.vocabulary = V;
  structure.parameters = V * D + L * (2 * D * D + 2 * D * (D / H) * K + 3 * D * F + 2 * D) + D;
  retort_prune_signals given{};
  given.struct_size = sizeof given;
  const auto if_wanted = [&](std::uint32_t signal, auto& tensor) {
    return (signals & signal) != 0 ? tensor.input() : nullptr;
  };
  given.hidden_norms = if_wanted(RETORT_SIGNAL_HIDDEN_NORMS, hidden);
  given.feed_forward_norms = if_wanted(RETORT_SIGNAL_FEED_FORWARD_NORMS, feed_forward);
  given.head_norms = if_wanted(RETORT_SIGNAL_HEAD_NORMS, heads);
  given.block_influence = if_wanted(RETORT_SIGNAL_BLOCK_INFLUENCE, influence);
  given.token_counts = if_wanted(RETORT_SIGNAL_TOKEN_COUNTS, counts);

  Plan plan;
  const retort_prune_plan_sink keep{
      sizeof keep, 0, &plan,
      [](void* context, std::uint32_t axis, std::int64_t layer, const std::int64_t* indices, std::uint64_t count) {
        static_cast<Plan*>(context)->push_back({axis, layer, {indices, indices + count}});
      }};
  const retort_metric_sink sink{sizeof sink, 0, nullptr, [](void*, retort_string, double) {}};
  try {
    throw_if_error(subject.functions<retort_pruner_v1>().plan(subject.instance, &structure, &given, &keep, &sink),
                   "plan()");
  } catch (const PluginError& error) {
    if (error.code() != RETORT_ERROR_INVALID_ARGUMENT) throw;
    throw CheckSkipped{std::string("its defaults do not fit the small decoder of this check: ") + error.what()};
  }
  return plan;
}

std::string name_of(const Kept& kept) {
  return "axis " + std::to_string(kept.axis) + (kept.layer < 0 ? "" : " of layer " + std::to_string(kept.layer));
}

void check_entry(const Kept& kept) {
  static const std::map<std::uint32_t, std::int64_t> sizes = {{RETORT_AXIS_LAYERS, L},
                                                              {RETORT_AXIS_KV_HEADS, K},
                                                              {RETORT_AXIS_FEED_FORWARD, F},
                                                              {RETORT_AXIS_HIDDEN, D},
                                                              {RETORT_AXIS_VOCABULARY, V}};
  const auto size = sizes.find(kept.axis);
  expect(size != sizes.end(), "unknown " + name_of(kept));
  const bool per_layer = kept.axis == RETORT_AXIS_KV_HEADS || kept.axis == RETORT_AXIS_FEED_FORWARD;
  expect(per_layer ? kept.layer >= 0 && kept.layer < L : kept.layer == -1,
         name_of(kept) + ": layer " + std::to_string(kept.layer) + " does not fit the axis");
  expect(!kept.indices.empty(), name_of(kept) + " keeps nothing");
  expect(kept.indices.front() >= 0 && kept.indices.back() < size->second,
         name_of(kept) + " keeps an index outside 0 … " + std::to_string(size->second - 1));
  expect(std::adjacent_find(kept.indices.begin(), kept.indices.end(), std::greater_equal<>()) == kept.indices.end(),
         name_of(kept) + ": indices do not ascend");
}

void check_plan(const Plan& plan) {
  std::map<std::uint32_t, std::pair<std::size_t, std::set<std::int64_t>>> layers;  // axis → kept number, layers seen
  std::set<std::int64_t> kept_layers;
  for (std::int64_t l = 0; l < L; ++l) kept_layers.insert(l);
  for (const Kept& kept : plan) {
    check_entry(kept);
    if (kept.axis == RETORT_AXIS_LAYERS) kept_layers = {kept.indices.begin(), kept.indices.end()};
    auto& [number, seen] = layers.try_emplace(kept.axis, kept.indices.size(), std::set<std::int64_t>{}).first->second;
    expect(seen.insert(kept.layer).second, name_of(kept) + " is planned twice");
    expect(number == kept.indices.size(), name_of(kept) + " keeps another number than the layers before it");
  }
  for (const std::uint32_t axis : {RETORT_AXIS_KV_HEADS, RETORT_AXIS_FEED_FORWARD})
    if (const auto found = layers.find(axis); found != layers.end())
      for (const std::int64_t l : kept_layers)
        expect(found->second.second.count(l) == 1,
               "axis " + std::to_string(axis) + " is planned for some layers but not for layer " + std::to_string(l));
}

}  // namespace

void check_pruner(CheckLog& log, const Subject& subject) {
  if (!log.run(subject.id, "requirements are usable", [&] { check_requirements(subject); })) return;
  log.run(subject.id, "plan keeps ascending indices in range, equally in every layer",
          [&] { check_plan(plan_of(subject)); });
}

}  // namespace retort::host
