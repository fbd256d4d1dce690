#include "host/plugin/signal_names.h"

#include <retort/abi/signals.h>

#include <string_view>
#include <utility>

namespace retort::host {
namespace {

constexpr std::pair<std::uint64_t, std::string_view> names[] = {
    {RETORT_SIGNAL_TEACHER_LOGITS, "TEACHER_LOGITS"},
    {RETORT_SIGNAL_TEACHER_TOP_K, "TEACHER_TOP_K"},
    {RETORT_SIGNAL_HIDDEN_STATES, "HIDDEN_STATES"},
    {RETORT_SIGNAL_LABELS, "LABELS"},
    {RETORT_SIGNAL_TEACHER_SPANS, "TEACHER_SPANS"},
    {RETORT_SIGNAL_REFERENCE_LOG_PROBS, "REFERENCE_LOG_PROBS"},
    {RETORT_SIGNAL_VALUES, "VALUES"},
    {RETORT_SIGNAL_ENTROPIES, "ENTROPIES"},
    {RETORT_SIGNAL_TOKEN_REWARDS, "TOKEN_REWARDS"},
    {RETORT_SIGNAL_SAMPLER_LOG_PROBS, "SAMPLER_LOG_PROBS"},
    {RETORT_SIGNAL_HIDDEN_NORMS, "HIDDEN_NORMS"},
    {RETORT_SIGNAL_FEED_FORWARD_NORMS, "FEED_FORWARD_NORMS"},
    {RETORT_SIGNAL_HEAD_NORMS, "HEAD_NORMS"},
    {RETORT_SIGNAL_BLOCK_INFLUENCE, "BLOCK_INFLUENCE"},
    {RETORT_SIGNAL_BLOCK_SIMILARITY, "BLOCK_SIMILARITY"},
    {RETORT_SIGNAL_TOKEN_COUNTS, "TOKEN_COUNTS"},
    {RETORT_SIGNAL_GRADIENTS, "GRADIENTS"},
    {RETORT_SIGNAL_SQUARED_GRADIENTS, "SQUARED_GRADIENTS"},
    {RETORT_SIGNAL_FEED_FORWARD_HESSIAN, "FEED_FORWARD_HESSIAN"},
    {RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN, "INPUT_ABSOLUTE_MEAN"},
    {RETORT_SIGNAL_INPUT_ABSOLUTE_MAX, "INPUT_ABSOLUTE_MAX"},
    {RETORT_SIGNAL_INPUT_SQUARE_SUM, "INPUT_SQUARE_SUM"},
    {RETORT_SIGNAL_INPUT_HESSIAN, "INPUT_HESSIAN"},
    {RETORT_SIGNAL_INPUT_SAMPLES, "INPUT_SAMPLES"},
};

std::string name_of(int bit) {
  for (const auto& [value, name] : names)
    if (value == std::uint64_t{1} << bit) return std::string(name);
  return "bit " + std::to_string(bit);
}

}  // namespace

std::string signal_names(std::uint64_t bits) {
  std::string text;
  for (int bit = 0; bit < 64; ++bit)
    if ((bits >> bit & 1) != 0) text += (text.empty() ? "" : ", ") + name_of(bit);
  return text.empty() ? "none" : text;
}

std::string unknown_signals(std::uint64_t bits, std::uint64_t known) {
  return (bits & ~known) == 0 ? "" : signal_names(bits & ~known);
}

}  // namespace retort::host
