#include "train/answer_reward.h"

namespace retort::train {

using nlohmann::json;

namespace {

/// What stood before the last answer.
json asked_of(const SampledAnswer& answer) {
  json messages = task::messages_to_json(answer.example->messages);
  for (const task::Message& message : answer.turns) messages.push_back(task::to_json(message));
  return messages;
}

/// The calls of all turns, as they were made.
json calls_made(const SampledAnswer& answer) {
  json made = json::array();
  const auto add = [&](const std::vector<task::Call>& calls) {
    for (const json& call : task::calls_to_json(calls)) made.push_back(call);
  };
  for (const task::Message& message : answer.turns) add(task::calls_of(message));
  if (const auto* calls = std::get_if<std::vector<task::Call>>(&answer.response)) add(*calls);
  return made;
}

/// What a model wrote may hold anything: what is not UTF-8 becomes U+FFFD.
std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

json AnswerReward::items_of(const std::vector<SampledAnswer>& answers) const {
  json items = json::array();
  json reference, reference_execution;  // of the prompt that the last answer was to; null where it has no label
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const SampledAnswer& answer = answers[i];
    if (i == 0 || answers[i - 1].prompt != answer.prompt) {
      const auto& label = answer.example->calls;
      reference = label ? task::calls_to_json(*label) : json();
      reference_execution = label && environment_ ? environment_->execute_once(reference) : json();
    }
    json item = {{"messages", asked_of(answer)}, {"text", answer.text}};
    if (!reference.is_null()) item["reference"] = {{"calls", reference}};
    if (answer.example->tools) item["tools"] = task::tools_to_json(*answer.example->tools);
    const json made = calls_made(answer);
    const auto* malformed = std::get_if<task::Malformed>(&answer.response);
    item["response"] = malformed == nullptr ? json{{"calls", made}} : json{{"malformed", malformed->reason}};
    if (environment_) {
      item["execution"] = answer.execution.is_null() ? environment_->execute_once(made) : answer.execution;
      if (!reference.is_null()) item["reference_execution"] = reference_execution;
    }
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<host::RewardItem> AnswerReward::operator()(const std::vector<task::Tool>& tools,
                                                       const std::vector<SampledAnswer>& answers) const {
  std::vector<host::RewardItem> verdicts(answers.size());
  reward_.score(text_of(task::tools_to_json(tools)), text_of(items_of(answers)), answers.size(),
                [&](std::size_t index, host::RewardItem item) { verdicts[index] = std::move(item); });
  return verdicts;
}

}  // namespace retort::train
