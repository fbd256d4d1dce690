// See llm_judge.h.
#include "llm_judge.h"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "prompt.h"
#include "verdict.h"

namespace retort::llm_judge {
namespace {

using nlohmann::json;

json parse_array(std::string_view text, const char* what) {
  json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_array()) throw std::invalid_argument(std::string(what) + ": expected a JSON array");
  return parsed;
}

json error_item(const std::string& reason) {
  return {{"error", reason}};
}

/// What needs no judge: an item that cannot be read, or an answer that is none. Null for the others.
json judged_already(const json& item) {
  if (!item.is_object()) return error_item(std::string("expected an object, found ") + item.type_name());
  const json response = item.value("response", json());
  if (!response.is_object()) return error_item("expected \"response\": {\"calls\"} or {\"malformed\"}");
  if (!response.contains("malformed")) return nullptr;
  const json reason = response["malformed"];
  return {{"malformed", true},
          {"scores", {{"score", 0.0}, {"spread", 0.0}}},
          {"reason", reason.is_string() && reason != "" ? reason : json("malformed")}};
}

Verdict verdict_of(const json& choice) {
  const json message = choice.is_object() ? choice.value("message", json()) : json();
  const json content = message.is_object() ? message.value("content", json()) : json();
  if (message.is_object() && message.contains("refusal") && message["refusal"].is_string())
    return {0.0, "", "the judge refused: " + message["refusal"].get<std::string>()};
  if (!content.is_string()) return {0.0, "", "the judge wrote no text"};
  return read_verdict(content.get<std::string>());
}

json mean_of(const std::vector<Verdict>& verdicts) {
  const auto [lowest, highest] = std::minmax_element(
      verdicts.begin(), verdicts.end(), [](const Verdict& a, const Verdict& b) { return a.score < b.score; });
  double sum = 0.0;
  for (const Verdict& verdict : verdicts) sum += verdict.score;
  const double mean = std::clamp(sum / static_cast<double>(verdicts.size()), lowest->score, highest->score);
  std::string reason;
  if (mean < 1.0) reason = lowest->reason.empty() ? "the judge gave " + json(lowest->score).dump() : lowest->reason;
  return {{"scores", {{"score", mean}, {"spread", highest->score - lowest->score}}}, {"reason", reason}};
}

/// The judge's item as this reward's.
json score_of(std::string_view text) {
  const json answer = json::parse(text, nullptr, false);
  if (!answer.is_object()) return error_item("the judge gave an item that is no object");
  if (answer.contains("error")) {
    const json& error = answer["error"];
    return error_item("the judge: " + (error.is_string() ? error.get<std::string>() : dump(error)));
  }
  const json choices = answer.value("choices", json());
  std::vector<Verdict> verdicts;
  std::string malformed = "the judge gave no choices";
  for (const json& choice : choices.is_array() ? choices : json::array()) {
    Verdict verdict = verdict_of(choice);
    if (verdict.malformed.empty())
      verdicts.push_back(std::move(verdict));
    else
      malformed = "the judge: " + verdict.malformed;
  }
  return verdicts.empty() ? error_item(malformed) : mean_of(verdicts);
}

}  // namespace

LlmJudge::LlmJudge(JudgeOptions options)
    : options_(std::move(options)), prompt_(options_.prompt.empty() ? default_prompt() : options_.prompt) {
  if (options_.samples > 1 && options_.temperature <= 0)
    throw std::invalid_argument("samples: " + std::to_string(options_.samples) +
                                " judgements at temperature 0 are all the same; give a temperature above 0, or one "
                                "sample");
}

std::string LlmJudge::scores() {
  return R"([{"name":"score","minimum":0,"maximum":1,"summary":"mean of the judgements"},)"
         R"({"name":"spread","minimum":0,"maximum":1,"summary":"highest judgement less the lowest"}])";
}

json LlmJudge::request_for(const json& item, const json& tools) const {
  json request = {{"messages", {{{"role", "user"}, {"content", prompt_.fill(item, tools)}}}},
                  {"temperature", options_.temperature},
                  {"max_tokens", options_.max_tokens}};
  if (options_.samples > 1) request["n"] = options_.samples;
  return request;
}

void LlmJudge::score(std::string_view tools, std::string_view items, const Ask& ask, const Take& take) const {
  const json shared = tools.empty() ? json::array() : parse_array(tools, "tools");
  const json parsed = parse_array(items, "items");
  json requests = json::array();
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    if (const json known = judged_already(parsed[i]); !known.is_null()) {
      take(i, dump(known));
    } else {
      requests.push_back(request_for(parsed[i], shared));
      asked.push_back(i);
    }
  }
  if (asked.empty()) return;
  std::vector<bool> answered(asked.size(), false);
  ask(dump(requests), asked.size(), [&](std::size_t index, std::string_view item) {
    if (index >= asked.size() || answered[index])
      throw std::runtime_error("the judge gave item " + std::to_string(index) + " of " + std::to_string(asked.size()) +
                               (index < asked.size() ? " twice" : ""));
    answered[index] = true;
    take(asked[index], dump(score_of(item)));
  });
  for (std::size_t k = 0; k < asked.size(); ++k)
    if (!answered[k]) take(asked[k], dump(error_item("the judge gave no answer")));
}

}  // namespace retort::llm_judge
