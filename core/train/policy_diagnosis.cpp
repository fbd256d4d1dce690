#include "train/policy_diagnosis.h"

#include <sstream>

namespace retort::train {
namespace {

constexpr int patience = 8;  // batches of rollouts
constexpr double lowest_entropy_share = .1, highest_divergence = 1, highest_malformed = .9;

std::string text_of(double value) {
  std::ostringstream text;
  text.precision(3);
  text << value;
  return text.str();
}

}  // namespace

void PolicyDiagnosis::look(std::int64_t batch, const std::map<std::string, double>& metrics) {
  const auto value = [&](const char* name, double absent) {
    const auto found = metrics.find(name);
    return found == metrics.end() ? absent : found->second;
  };
  const std::string at = "batch " + std::to_string(batch) + " of rollouts: ";
  const double entropy = value("policy_entropy", -1);
  if (first_entropy_ < 0) first_entropy_ = entropy;
  if (entropy >= 0 && entropy < lowest_entropy_share * first_entropy_)
    warn("entropy", at + "the policy's entropy has fallen from " + text_of(first_entropy_) + " to " + text_of(entropy) +
                        " nats a token, and it samples little new: lower learning_rate, raise clip_distance_above or "
                        "temperature, or set an entropy or KL coefficient");
  const double divergence = value("reference_divergence", 0);
  if (divergence > highest_divergence)
    warn("divergence", at + "the policy has moved " + text_of(divergence) +
                           " nats a token away from its reference: raise kl_coefficient or lower learning_rate");
  constant_ = value("reward_spread", 1) == 0 ? constant_ + 1 : 0;
  if (constant_ == patience)
    warn("constant", at + "no two samples that are compared earned different rewards in " + std::to_string(patience) +
                         " batches, so that nothing is learnt: raise group_size or temperature, give harder or easier "
                         "prompts, or look at what the reward says");
  malformed_ = value("malformed", 0) > highest_malformed ? malformed_ + 1 : 0;
  if (malformed_ == patience)
    warn("malformed", at + "more than " + text_of(highest_malformed * 100) + " % of the answers were malformed in " +
                          std::to_string(patience) +
                          " batches: fine-tune the policy first, set grammar, or raise max_new_tokens");
}

void PolicyDiagnosis::warn(const std::string& kind, const std::string& message) {
  if (warned_[kind]) return;
  warned_[kind] = true;
  hooks_.log("warning: " + message);
}

}  // namespace retort::train
