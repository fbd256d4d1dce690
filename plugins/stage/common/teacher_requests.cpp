// See teacher_requests.h.
#include "teacher_requests.h"

#include <sstream>
#include <utility>

namespace retort::stages {

using nlohmann::json;

void TeacherCost::add(const json& answer) {
  ++answers;
  const json cost = answer.is_object() ? answer.value("cost", json()) : json();
  if (!cost.is_object()) return;
  const auto count = [&](const char* name) {
    const json value = cost.value(name, json());
    return value.is_number() ? value.get<double>() : 0.0;
  };
  cached += cost.value("cached", json()) == true ? 1 : 0;
  requests += static_cast<std::int64_t>(count("requests"));
  input_tokens += static_cast<std::int64_t>(count("input_tokens"));
  output_tokens += static_cast<std::int64_t>(count("output_tokens"));
  usd += count("usd");
}

TeacherCost& TeacherCost::operator+=(const TeacherCost& other) {
  answers += other.answers;
  cached += other.cached;
  requests += other.requests;
  input_tokens += other.input_tokens;
  output_tokens += other.output_tokens;
  usd += other.usd;
  return *this;
}

std::string TeacherCost::text() const {
  std::ostringstream out;
  out.precision(6);
  out << answers << " answers (" << cached << " kept from earlier), " << requests << " requests, " << input_tokens
      << " input and " << output_tokens << " output tokens, " << usd << " USD";
  return out.str();
}

std::vector<json> ask(const Complete& complete, std::string_view tools, const std::vector<TeacherRequest>& requests,
                      AnswerJournal* journal, TeacherCost& cost) {
  std::vector<json> answers(requests.size());
  std::vector<std::size_t> asked;
  std::vector<std::string> texts;
  std::string batch = "[";
  for (std::size_t i = 0; i < requests.size(); ++i) {
    std::string text = requests[i].request.dump(-1, ' ', false, json::error_handler_t::replace);
    if (journal != nullptr) {
      if (auto known = journal->find(requests[i].place, text)) {
        answers[i] = std::move(*known);
        if (answers[i].contains("cost")) answers[i]["cost"] = {{"cached", true}};
        cost.add(answers[i]);
        continue;
      }
    }
    batch += (asked.empty() ? "" : ",") + text;
    asked.push_back(i);
    texts.push_back(std::move(text));
  }
  if (asked.empty()) return answers;
  complete(tools, batch + "]", asked.size(), [&](std::size_t index, json answer) {
    if (journal != nullptr && !answer.contains("error"))
      journal->add(requests[asked[index]].place, texts[index], answer);
    cost.add(answer);
    answers[asked[index]] = std::move(answer);
  });
  if (journal != nullptr) journal->sync();
  return answers;
}

}  // namespace retort::stages
