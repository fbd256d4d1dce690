// See round.h.
#include "round.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace retort::openai {

using nlohmann::json;

namespace {

constexpr long unauthorized = 401, unpaid = 402, forbidden = 403, unknown = 404, no_method = 405, too_many = 429;
constexpr double bytes_a_token =
    4;  ///< where the server does not count: about what byte-pair encodings make of English

/// Whether the next request fares no better: silence, an unknown model or address, a quota that is used up.
bool is_the_endpoints(long status) {
  return status == 0 || status == unpaid || status == forbidden || status == unknown || status == no_method ||
         status == too_many || status >= 500;
}

std::string tries(const HttpAnswer& answer) {
  return answer.tries == 1 ? "" : " after " + std::to_string(answer.tries) + " tries";
}

std::int64_t estimated_tokens(std::size_t bytes) {
  return static_cast<std::int64_t>(static_cast<double>(bytes) / bytes_a_token) + 1;
}

double input_estimate(const std::string& body) {
  return static_cast<double>(estimated_tokens(body.size()));
}

json cost_member(const Amount& cost, const Prices& prices, bool cached) {
  return {{"requests", cost.requests},
          {"input_tokens", cost.input_tokens},
          {"output_tokens", cost.output_tokens},
          {"usd", prices.usd(cost)},
          {"cached", cached}};
}

/// An answer that does not say what it cost, or cannot be read, has been paid for all the same.
Amount cost_of_answer(const std::string& sent, const Amount& most, const json& item, const std::string& body) {
  return {
      1, counted_tokens(item, "prompt_tokens").value_or(estimated_tokens(sent.size())),
      counted_tokens(item, "completion_tokens").value_or(std::min(estimated_tokens(body.size()), most.output_tokens))};
}
Amount cost_of_failure(const std::string& sent, const Amount& most, const HttpAnswer& attempt) {
  if (!attempt.sent) return {};
  if (attempt.status != 0) return {1, 0, 0};
  return {1, estimated_tokens(sent.size()), most.output_tokens};  // it may have been answered, to nobody
}

}  // namespace

std::optional<std::int64_t> counted_tokens(const json& item, const char* name) {
  const json usage = item.value("usage", json());
  const json value = usage.is_object() ? usage.value(name, json()) : json();
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<std::int64_t>();
}

void OpenAi::Round::ask(std::size_t index, const json& body, std::int64_t sample, std::int64_t output) {
  json asked = {{"body", body}, {"sample", sample}};
  if (owner_.settings_.chat.model.empty()) asked["address"] = account(owner_.settings_);
  const std::string key = teacher::request_key(asked);
  if (auto item = owner_.store_ ? owner_.store_->find(key) : std::nullopt) {
    ++known_;
    (*item)["cost"] = cost_member({}, owner_.settings_.prices, true);
    return take_(index, dumped(*item));
  }
  if (owner_.settings_.offline)
    return take_(index, dumped({{"error", "no answer is kept for this request, and offline says to ask for none"}}));
  const auto [place, added] = by_key_.emplace(key, pending_.size());
  if (added) {
    Pending one;
    one.key = key;
    one.body = dumped(body);
    one.most = {1, static_cast<std::int64_t>(one.body.size()), output};
    pending_.push_back(std::move(one));
  }
  pending_[place->second].indexes.push_back(index);
}

std::size_t OpenAi::Round::left() const {
  return static_cast<std::size_t>(
      std::count_if(pending_.begin(), pending_.end(), [](const Pending& one) { return !one.given; }));
}

Gate::Admission OpenAi::Round::admit(std::size_t k, std::size_t /*under_way*/, Clock::time_point now) {
  Pending& one = pending_[k];
  const auto output = static_cast<double>(one.most.output_tokens);
  const Traffic::Turn turn = owner_.traffic_.turn(input_estimate(one.body), output, now);
  if (!turn.endpoint) return {Kind::later, 0, turn.wait};
  switch (reserve(one)) {
    case Spending::Verdict::wait:
      return {Kind::later, 0, 1};
    case Spending::Verdict::refused:
      return {Kind::never, 0, 0};
    case Spending::Verdict::reserved:
      break;
  }
  owner_.traffic_.begin(*turn.endpoint, input_estimate(one.body), output);
  return {Kind::now, *turn.endpoint, 0};
}

void OpenAi::Round::settle(std::size_t k, const HttpAnswer& attempt, Clock::time_point now) {
  Pending& one = pending_[k];
  const Amount cost = attempt.status == 200 ? one.last : cost_of_failure(one.body, one.most, attempt);
  owner_.spending_->settle(one.ticket, cost);
  one.total += cost;
  const auto outcome = attempt.status == 429                          ? Traffic::Outcome::refused
                       : attempt.status == 0 || attempt.status >= 500 ? Traffic::Outcome::failed
                                                                      : Traffic::Outcome::answered;
  owner_.traffic_.end(attempt.endpoint, outcome, attempt.started, now,
                      attempt.again ? attempt.asked_wait : std::nullopt,
                      static_cast<double>(cost.input_tokens) - input_estimate(one.body),
                      static_cast<double>(cost.output_tokens - one.most.output_tokens));
}

void OpenAi::Round::take(std::size_t k, const HttpAnswer& answer) {
  Pending& one = pending_[k];
  if (answer.status == unauthorized && refused_keys_++ == 0) refusal_ = owner_.without_key(failure_of(answer.body));
  json item;
  if (!answer.failure.empty())
    item["error"] = "no answer" + tries(answer) + ": " + answer.failure;
  else if (answer.status != 200)
    item["error"] = "status " + std::to_string(answer.status) + tries(answer) + ": " + failure_of(answer.body);
  else
    item = read_(one.indexes.front(), answer.body);
  one.last = answer.status == 200 ? cost_of_answer(one.body, one.most, item, answer.body)
                                  : cost_of_failure(one.body, one.most, answer);
  Amount total = one.total;
  total += one.last;
  const bool failed = is_the_endpoints(answer.status);
  owner_.failed_in_a_row_ = failed ? owner_.failed_in_a_row_ + 1 : 0;
  const std::string failure = failed ? owner_.without_key(item["error"]) : "";
  give(one, std::move(item), total);
  if (owner_.settings_.give_up_after > 0 && owner_.failed_in_a_row_ >= owner_.settings_.give_up_after)
    throw std::runtime_error(std::to_string(owner_.failed_in_a_row_) + " requests in a row failed, the last: " +
                             failure + "; what was answered is kept: see to the endpoint and run the same again");
}

std::optional<Amount> OpenAi::Round::take_from_batch(const std::string& key, const json& item,
                                                     const BatchApi::Answer& answer) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  Pending& one = pending_[found->second];
  const Amount cost = answer.status == 200 ? cost_of_answer(one.body, one.most, item, answer.body) : Amount{1, 0, 0};
  if (!one.given) give(one, item, cost);
  return cost;
}

std::vector<BatchApi::Request> OpenAi::Round::reserve_all() {
  std::vector<BatchApi::Request> requests;
  for (Pending& one : pending_) {
    if (one.given) continue;
    if (reserve(one) != Spending::Verdict::reserved) break;
    requests.push_back({one.key, one.ticket, one.body});
  }
  return requests;
}

void OpenAi::Round::expect_key_accepted() const {
  if (refused_keys_ > 0 && refused_keys_ == pending_.size())
    throw std::runtime_error("the server does not accept the key (status 401): " + refusal_);
}
void OpenAi::Round::refuse() const {
  const auto next = std::find_if(pending_.begin(), pending_.end(), [](const Pending& one) { return !one.given; });
  const Amount most = next == pending_.end() ? Amount{1, 0, 0} : next->most;
  throw std::runtime_error(
      "the budget is spent: " + owner_.spending_->shortage(owner_.settings_.budget, owner_.settings_.prices, most) +
      "; " + std::to_string(pending_.size() - answered_) +
      " of these requests are not answered. What was answered is kept: " + "raise the budget and run the same again");
}

Spending::Verdict OpenAi::Round::reserve(Pending& one) {
  return owner_.spending_->reserve(owner_.settings_.budget, owner_.settings_.prices, one.most, one.ticket);
}
void OpenAi::Round::give(Pending& one, json item, const Amount& cost) {
  std::string text = owner_.without_key(dumped(item));
  item = json::parse(text, nullptr, false);
  if (owner_.store_ && !item.contains("error")) owner_.store_->add(one.key, item);
  one.given = true;
  if (!item.contains("error")) ++answered_;
  item["cost"] = cost_member(cost, owner_.settings_.prices, false);
  take_(one.indexes.front(), dumped(item));
  item["cost"] = cost_member({}, owner_.settings_.prices, true);
  for (std::size_t i = 1; i < one.indexes.size(); ++i) take_(one.indexes[i], dumped(item));
}

}  // namespace retort::openai
