// retort.sparsifier/1 on seeded sites, through the code that stages call it with: O output rows, I input columns.
#include <cmath>

#include "host/algorithm/sparsifier_call.h"
#include "host/plugin/conformance_checks.h"
#include "host/plugin/conformance_site.h"

namespace retort::host {
namespace {

constexpr std::uint32_t sparse_producers[] = {RETORT_PRODUCER_NORM, RETORT_PRODUCER_VALUE, RETORT_PRODUCER_UP};

/// One module with what a sparsifier writes for it.
struct Sparse {
  explicit Sparse(const OwnedTensor<float>& original)
      : mask(original.rows(), original.columns()), weight(original.rows(), original.columns()) {}
  OwnedTensor<std::uint8_t> mask;
  OwnedTensor<float> weight;
  std::int64_t zeros = 0;
  CallMetrics metrics;
};

struct SparseSite {
  std::unique_ptr<SeededSite> site;
  std::vector<std::unique_ptr<Sparse>> modules;
};

SparseSite sparse_site(const SparsifierCall& sparsifier, std::uint32_t producer) {
  SparseSite made{std::make_unique<SeededSite>(producer, 256), {}};
  const SiteView view = made.site->view(sparsifier.requirements().signals);
  for (std::size_t i = 0; i < view.modules.size(); ++i) {
    made.modules.push_back(std::make_unique<Sparse>(made.site->weight(i)));
    Sparse& module = *made.modules.back();
    module.zeros = sparsifier.sparsify(view, i, *module.mask.output(), *module.weight.output(), module.metrics);
  }
  return made;
}

/// Dropping weights at random costs their share of the output, in the mean; a method that looks costs less. A mask
/// that is turned around costs more.
void check_choice(const SparseSite& made) {
  for (std::size_t m = 0; m < made.modules.size(); ++m) {
    const Sparse& module = *made.modules[m];
    const OwnedTensor<float>& original = made.site->weight(m);
    const double share = static_cast<double>(module.zeros) / static_cast<double>(original.size());
    expect(share < 1, "module " + std::to_string(m) + ": nothing is left of it");
    double lost = 0, whole = 0, lost_weight = 0, whole_weight = 0;
    for (std::int64_t row = 0; row < original.rows(); ++row) {
      std::vector<double> error, all;
      for (std::int64_t i = 0; i < original.columns(); ++i) {
        all.push_back(original.at(row, i));
        error.push_back(double{module.weight.at(row, i)} - original.at(row, i));
        lost_weight += error.back() * error.back();
        whole_weight += all.back() * all.back();
      }
      lost += made.site->output_error(error);
      whole += made.site->output_error(all);
    }
    expect(module.zeros == 0 || lost < share * whole || lost_weight < share * whole_weight,
           "module " + std::to_string(m) + ": with " + std::to_string(100 * share) +
               " % of the weights it lost no less of the output (" + std::to_string(100 * lost / whole) +
               " %) than dropping them at random would");
  }
}

/// A share that is reported is the mask's.
void check_share(const SparseSite& made) {
  for (const auto& module : made.modules)
    if (const auto told = module->metrics.find("sparsity"); told != module->metrics.end()) {
      const double share = static_cast<double>(module->zeros) / static_cast<double>(module->mask.size());
      expect(std::abs(told->second - share) < 1e-6, "the metric \"sparsity\" says " + std::to_string(told->second) +
                                                        ", the mask has a share of " + std::to_string(share));
    }
}

void check_repeatable(const SparseSite& first, const SparseSite& second) {
  for (std::size_t m = 0; m < first.modules.size(); ++m)
    for (std::int64_t i = 0; i < first.modules[m]->mask.size(); ++i)
      expect(first.modules[m]->mask.flat(i) == second.modules[m]->mask.flat(i) &&
                 first.modules[m]->weight.flat(i) == second.modules[m]->weight.flat(i),
             "the same matrix gave two different results at element " + std::to_string(i));
}

}  // namespace

void check_sparsifier(CheckLog& log, const Subject& subject) {
  const SparsifierCall sparsifier(subject.id, subject.instance, subject.functions<retort_sparsifier_v1>());
  if (!log.run(subject.id, "requirements are usable", [&] { sparsifier.requirements(); })) return;
  std::vector<SparseSite> sites;
  const bool written = log.run(subject.id, "masks are 0 or 1 and weights finite", [&] {
    for (const std::uint32_t producer : sparse_producers) sites.push_back(sparse_site(sparsifier, producer));
  });
  if (!written) return;
  log.run(subject.id, "loses less than dropping at random", [&] {
    for (const SparseSite& made : sites) check_choice(made);
  });
  log.run(subject.id, "reports the share of its masks", [&] {
    for (const SparseSite& made : sites) check_share(made);
  });
  log.run(subject.id, "same input gives the same mask", [&] {
    for (std::size_t i = 0; i < sites.size(); ++i)
      check_repeatable(sites[i], sparse_site(sparsifier, sparse_producers[i]));
  });
}

}  // namespace retort::host
