// `retort plugins check` on algorithms of the test, right ones and wrong ones: what each check lets through and stops.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <set>
#include <string>

#include "host/base/json.h"
#include "host/plugin/conformance_checks.h"
#include "policy_fixture.h"

namespace retort::train {
namespace {

using testing::floats_of;

/// The names of the checks that did not pass.
template <typename Check, typename Table>
std::set<std::string> failures(const Check& check, void* instance, const Table& table) {
  std::FILE* file = std::tmpfile();
  host::CheckLog log(fileno(file));
  check(log, host::Subject{"tested", static_cast<retort_instance*>(instance), &table});
  std::rewind(file);
  std::set<std::string> failed;
  std::string line;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    const nlohmann::json entry = nlohmann::json::parse(line);
    if (entry.at("outcome") == "failed") failed.insert(entry.at("check"));
    line.clear();
  }
  std::fclose(file);
  return failed;
}

/// Clipped policy gradient with a critic and an entropy bonus, token means; and what can be wrong with it.
struct Ppo {
  double log_probs_scale = 1, values_scale = 1, entropies_scale = 1;  ///< of the gradients: 1 is right
  bool own_token_count = false;                                       ///< divides by the part's tokens
  bool reads_outside_mask = false;
  bool remembers = false;      ///< adds a little for every call
  bool order_matters = false;  ///< advantages grow with the group's number
  bool leaves_unwritten = false;
  double calls = 0;
};

retort_error* ppo_requirements(retort_instance*, retort_rl_requirements* out) {
  out->signals = RETORT_SIGNAL_VALUES | RETORT_SIGNAL_ENTROPIES;
  out->group_size = 4;
  out->updates = 2;
  out->mini_batches = 1;
  return nullptr;
}

retort_error* ppo_advantages(retort_instance* instance, const retort_rl_batch* batch, retort_rl_advantages* out) {
  const Ppo& ppo = *reinterpret_cast<const Ppo*>(instance);
  const auto rewards = floats_of(batch->rewards), mask = floats_of(batch->mask), values = floats_of(batch->values);
  const std::size_t T = mask.size() / rewards.size();
  std::vector<float> advantages, returns;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const float extra = ppo.order_matters ? static_cast<float>(i / T / 4) : 0.0F;
    advantages.push_back(mask[i] * (rewards[i / T] - values[i] + extra));
    returns.push_back(mask[i] * rewards[i / T]);
  }
  if (ppo.leaves_unwritten) advantages[3] = NAN;
  testing::write(out->advantages, advantages);
  testing::write(out->returns, returns);
  return nullptr;
}

retort_error* ppo_loss(retort_instance* instance, const retort_rl_batch* batch, retort_rl_result* result) {
  Ppo& ppo = *reinterpret_cast<Ppo*>(instance);
  const auto mask = floats_of(batch->mask), now = floats_of(batch->log_probs), old = floats_of(batch->old_log_probs),
             advantages = floats_of(batch->advantages), returns = floats_of(batch->returns),
             values = floats_of(batch->values), entropies = floats_of(batch->entropies);
  double own = 0;
  for (const float one : mask) own += one;
  const double tokens = ppo.own_token_count ? own : static_cast<double>(batch->update_tokens);
  std::vector<float> by_log_probs, by_values, by_entropies;
  result->loss = ppo.remembers ? 1e-3 * ++ppo.calls : 0;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const double weight = mask[i] / tokens, a = advantages[i];
    const double ratio = std::exp(static_cast<double>(now[i]) - old[i]);
    const double free = ratio * a, bounded = std::min(std::max(ratio, .8), 1.2) * a;
    const double miss = static_cast<double>(values[i]) - returns[i];
    result->loss += weight * (-std::min(free, bounded) + .25 * miss * miss - .01 * entropies[i]);
    if (ppo.reads_outside_mask && mask[i] == 0) result->loss += 1e-3 * now[i];
    by_log_probs.push_back(static_cast<float>(free <= bounded ? -ppo.log_probs_scale * weight * free : 0));
    by_values.push_back(static_cast<float>(ppo.values_scale * weight * .5 * miss));
    by_entropies.push_back(static_cast<float>(-ppo.entropies_scale * weight * .01));
  }
  if (result->log_probs_gradient == nullptr) return nullptr;
  testing::write(result->log_probs_gradient, by_log_probs);
  testing::write(result->values_gradient, by_values);
  testing::write(result->entropies_gradient, by_entropies);
  return nullptr;
}

const retort_rl_v1 ppo_table{RETORT_RL_V1_SIZE, 0, ppo_requirements, ppo_advantages, ppo_loss};

std::set<std::string> failures_of(Ppo ppo) {
  return failures(host::check_rl, &ppo, ppo_table);
}

const char* const differences = "gradient equals central finite differences";
const char* const parts_add_up = "losses and gradients of the parts of an update add up";

TEST(RlConformance, LetsARightAlgorithmThrough) {
  EXPECT_EQ(failures_of({}), std::set<std::string>{});
}

TEST(RlConformance, StopsAGradientOfTheWrongScale) {
  for (const double scale : {1.9, 1 / 1.9, 1.05, -1.0, 0.0}) {
    EXPECT_TRUE(failures_of({.log_probs_scale = scale}).count(differences) == 1) << scale;
    EXPECT_TRUE(failures_of({.values_scale = scale}).count(differences) == 1) << scale;
    EXPECT_TRUE(failures_of({.entropies_scale = scale}).count(differences) == 1) << scale;
  }
}

TEST(RlConformance, StopsALossOfItsOwnPartsSize) {
  EXPECT_TRUE(failures_of({.own_token_count = true}).count(parts_add_up) == 1);
}

TEST(RlConformance, StopsWhatDependsOnMoreThanTheBatch) {
  const char* const alone = "the loss depends on its batch alone";
  EXPECT_TRUE(failures_of({.reads_outside_mask = true}).count(alone) == 1);
  EXPECT_TRUE(failures_of({.remembers = true}).count(alone) == 1);
  EXPECT_TRUE(failures_of({.order_matters = true}).count("advantages do not depend on the order of groups") == 1);
}

TEST(RlConformance, StopsWhatIsLeftUnwritten) {
  EXPECT_TRUE(failures_of({.leaves_unwritten = true}).count("advantages are finite") == 1);
}

/// −log σ(β·margin) against the reference (arXiv 2305.18290, eq. 7); and what can be wrong with it.
struct Dpo {
  double scale = 1;  ///< of the gradient
  bool swapped = false;
  bool no_weights = false;
  bool divides = false;  ///< by its part's weight: that is the host's to do
  double beta = .1;
};

retort_error* dpo_requirements(retort_instance*, retort_preference_requirements* out) {
  out->signals = RETORT_SIGNAL_REFERENCE_LOG_PROBS;
  return nullptr;
}

retort_error* dpo_loss(retort_instance* instance, const retort_preference_batch* batch,
                       retort_preference_result* result) {
  const Dpo& dpo = *reinterpret_cast<const Dpo*>(instance);
  const auto chosen = floats_of(batch->chosen_log_probs), rejected = floats_of(batch->rejected_log_probs),
             reference_chosen = floats_of(batch->reference_chosen_log_probs),
             reference_rejected = floats_of(batch->reference_rejected_log_probs),
             weights = floats_of(batch->chosen_weights);
  double sum = 0;
  for (const float weight : weights) sum += weight;
  std::vector<float> by_chosen, by_rejected;
  result->loss = 0;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const double weight = (dpo.no_weights ? 1 : static_cast<double>(weights[i])) / (dpo.divides ? sum : 1);
    const double margin = (static_cast<double>(chosen[i]) - reference_chosen[i]) -
                          (static_cast<double>(rejected[i]) - reference_rejected[i]);
    const double sign = dpo.swapped ? -1 : 1;
    result->loss += weight * std::log1p(std::exp(-sign * dpo.beta * margin));
    const double slope = -weight * sign * dpo.beta / (1 + std::exp(sign * dpo.beta * margin));
    by_chosen.push_back(static_cast<float>(dpo.scale * slope));
    by_rejected.push_back(static_cast<float>(-dpo.scale * slope));
  }
  if (result->chosen_log_probs_gradient != nullptr) testing::write(result->chosen_log_probs_gradient, by_chosen);
  if (result->rejected_log_probs_gradient != nullptr) testing::write(result->rejected_log_probs_gradient, by_rejected);
  return nullptr;
}

const retort_preference_v1 dpo_table{RETORT_PREFERENCE_V1_SIZE, 0, dpo_requirements, dpo_loss};

std::set<std::string> failures_of(Dpo dpo) {
  return failures(host::check_preference, &dpo, dpo_table);
}

TEST(PreferenceConformance, LetsARightLossThrough) {
  EXPECT_EQ(failures_of(Dpo{}), std::set<std::string>{});
}

TEST(PreferenceConformance, StopsAGradientOfTheWrongScale) {
  for (const double scale : {1.9, 1 / 1.9, 1.05, 0.0})
    EXPECT_TRUE(failures_of(Dpo{.scale = scale}).count(differences) == 1) << scale;
}

TEST(PreferenceConformance, StopsSidesThatAreSwappedAndWeightsThatAreLost) {
  EXPECT_TRUE(failures_of(Dpo{.swapped = true}).count("chosen becomes likelier, rejected less likely") == 1);
  EXPECT_TRUE(failures_of(Dpo{.no_weights = true}).count("weights multiply the loss") == 1);
  EXPECT_TRUE(failures_of(Dpo{.divides = true}).count("losses and gradients of the parts of a step add up") == 1);
}

}  // namespace
}  // namespace retort::train
