// retort.reward/1: right, wrong and malformed answers, and items that are none.
#include "host/algorithm/reward_call.h"
#include "host/plugin/conformance_checks.h"

namespace retort::host {
namespace {

const char* const tools_text =
    R"([{"type": "function", "function": {"name": "set_light", "description": "Turns a light on or off",
  "parameters": {"type": "object", "properties": {"room": {"type": "string"}, "on": {"type": "boolean"}},
                 "required": ["room", "on"]}}}])";

/// `response`, with its conversation, its reference, and what a world said of both ("" where it was not carried out).
std::string item(const std::string& text, const std::string& response, const std::string& execution) {
  return R"({"messages": [{"role": "user", "content": "light on in the kitchen"}], "text": )" + Json(text).dump() +
         R"(, "response": )" + response + (execution.empty() ? "" : R"(, "execution": )" + execution) +
         R"(, "reference": {"calls": [{"name": "set_light", "arguments": {"room": "kitchen", "on": true}}]})" +
         R"(, "reference_execution": {"ok": true, "results": [null], "state": {"kitchen": true}}})";
}

std::string call_of(const std::string& arguments) {
  return R"({"calls": [{"name": "set_light", "arguments": )" + arguments + "}]}";
}

std::string right_item() {
  return item("set_light(kitchen, on)", call_of(R"({"room": "kitchen", "on": true})"),
              R"({"ok": true, "results": [null], "state": {"kitchen": true}})");
}
std::string wrong_item() {
  return item("set_light(cellar, off)", call_of(R"({"room": "cellar", "on": false})"),
              R"({"ok": false, "error": "there is no cellar", "results": [null], "state": {}})");
}

const std::string& three_items() {
  static const std::string text =
      "[" + right_item() + "," + wrong_item() + "," + item("lights!", R"({"malformed": "not JSON"})", "") + "]";
  return text;
}

std::vector<RewardItem> score(const RewardCall& reward, const std::string& items, std::size_t count) {
  std::vector<RewardItem> all(count);
  reward.score(tools_text, items, count, [&](std::size_t index, RewardItem one) { all[index] = std::move(one); });
  return all;
}

void check_scores(const RewardCall& reward) {
  const std::vector<RewardItem> all = score(reward, three_items(), 3);
  for (std::size_t i = 0; i < all.size(); ++i)
    expect(all[i].error.empty(), "item " + std::to_string(i) + " was not scored: " + all[i].error);
  expect(all[0].scores[0] >= all[1].scores[0], "a wrong call scores higher than the reference itself");
  expect(!all[0].malformed, "the reference itself is called malformed");
  expect(all[2].malformed, "a malformed response is not called malformed");
  expect(!all[2].reason.empty(), "a malformed response has no reason");
}

/// The first score of the first item must not depend on what else the call holds.
void check_alone(const RewardCall& reward) {
  const auto alone = score(reward, "[" + wrong_item() + "]", 1);
  const auto together = score(reward, three_items(), 3);
  expect(alone[0].scores == together[1].scores, "an item's scores depend on the items beside it");
}

void check_repeated(const RewardCall& reward) {
  const auto first = score(reward, three_items(), 3), second = score(reward, three_items(), 3);
  for (std::size_t i = 0; i < first.size(); ++i)
    expect(first[i].scores == second[i].scores && first[i].reason == second[i].reason,
           "the same item gave different scores or reasons");
}

void check_bad_item(const RewardCall& reward) {
  const std::string items = "[7," + right_item() + "]";
  const auto all = score(reward, items, 2);
  expect(!all[0].error.empty() || all[0].malformed, "the item 7 was scored");
  expect(all[1].error.empty() && !all[1].malformed, "an item beside one that cannot be read was not scored");
}

void check_not_json(const RewardCall& reward) {
  try {
    score(reward, "[{", 1);
  } catch (const std::invalid_argument&) {
    return;
  }
  throw CheckFailed{"text that is not JSON was accepted"};
}

}  // namespace

void check_reward(CheckLog& log, const Subject& subject) {
  std::optional<RewardCall> reward;
  const bool named = log.run(subject.id, "declares its scores", [&] {
    reward.emplace(subject.id, subject.instance, subject.functions<retort_reward_v1>());
  });
  if (!named) return;
  log.run(subject.id, "no items give no scores", [&] { score(*reward, "[]", 0); });
  log.run(subject.id, "items that are not JSON are refused", [&] { check_not_json(*reward); });
  log.run(subject.id, "scores right, wrong and malformed responses", [&] { check_scores(*reward); });
  log.run(subject.id, "an item's scores do not depend on the others", [&] { check_alone(*reward); });
  log.run(subject.id, "the same items give the same scores", [&] { check_repeated(*reward); });
  log.run(subject.id, "an item that cannot be read does not end the batch", [&] { check_bad_item(*reward); });
}

}  // namespace retort::host
