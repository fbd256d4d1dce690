// See forced_answers.h.
#include "runtime/measure/forced_answers.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <span>
#include <stdexcept>
#include <string>

#include "runtime/kernels/log_probabilities.h"

namespace retort::runtime {
namespace {

constexpr std::size_t kUncounted = 2;

struct Fed {
  double negative_log = 0;  ///< Σ −ln p
  std::int64_t tokens = 0;
  double milliseconds = 0;
};

Fed feed(CallModel& model, const LabelledUtterance& row) {
  task::Conversation asked = row.conversation;
  if (asked.messages.empty()) asked = task::conversation_of(row.utterance);
  task::Message answer{.role = task::Role::assistant};
  for (const task::Call& call : row.calls)
    answer.tool_calls.push_back({"call_" + std::to_string(answer.tool_calls.size()), call});
  const std::vector<TokenId> prompt = model.contract().prompt(model.tokenizer(), asked);
  const std::vector<TokenId> response = model.contract().response(model.tokenizer(), asked, answer);
  Decoder& decoder = model.decoder();
  Fed fed;
  fed.tokens = static_cast<std::int64_t>(response.size());
  using Clock = std::chrono::steady_clock;
  std::chrono::duration<double, std::milli> spent{0};
  for (std::size_t i = 0; i < response.size(); ++i) {
    const Clock::time_point start = Clock::now();
    const std::span<const float> logits =
        i == 0 ? decoder.prompt(prompt) : decoder.forward(std::span<const TokenId>(response).subspan(i - 1, 1));
    spent += Clock::now() - start;
    fed.negative_log -= log_probabilities(logits, response[i], 0).chosen.log_probability;
  }
  fed.milliseconds = spent.count();
  return fed;
}

}  // namespace

double ForcedAnswers::perplexity() const {
  return std::exp(loss);
}

ForcedAnswers force_answers(CallModel& model, const std::vector<LabelledUtterance>& data,
                            const std::function<bool(std::int64_t, std::int64_t)>& progress) {
  ForcedAnswers result;
  std::vector<double> milliseconds;
  double negative_log = 0;
  std::string reason = "there are none";
  for (std::size_t i = 0; i < data.size(); ++i) {
    try {
      for (std::size_t again = 0; result.answers == 0 && again < kUncounted; ++again) feed(model, data[i]);
      const Fed fed = feed(model, data[i]);
      negative_log += fed.negative_log;
      result.tokens += fed.tokens;
      milliseconds.push_back(fed.milliseconds);
      ++result.answers;
    } catch (const std::invalid_argument& error) {
      if (result.skipped++ == 0) reason = error.what();
    }
    if (progress && !progress(static_cast<std::int64_t>(i) + 1, static_cast<std::int64_t>(data.size())))
      throw std::runtime_error("force_answers: stopped after " + std::to_string(i + 1) + " of " +
                               std::to_string(data.size()) + " answers");
  }
  if (result.answers == 0)
    throw std::invalid_argument("expected labelled utterances whose answers the model can write, found none: " +
                                reason);
  if (result.tokens > 0) result.loss = negative_log / static_cast<double>(result.tokens);
  std::sort(milliseconds.begin(), milliseconds.end());
  result.p50_ms = milliseconds[(milliseconds.size() - 1) / 2];
  return result;
}

}  // namespace retort::runtime
