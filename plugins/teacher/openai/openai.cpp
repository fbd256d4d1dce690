// Requests whose answers are kept, and those that cannot be sent, are answered here; the others go through HttpPosts or
// BatchApi.
#include "openai.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <utility>

#include "curl_handles.h"

namespace retort::openai {
namespace {

using nlohmann::json;

constexpr long unauthorized = 401;
constexpr double bytes_a_token =
    4;  ///< where the server does not count: about what byte-pair encodings make of English

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json parse_array(std::string_view text, const char* what) {
  json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_array()) throw std::invalid_argument(std::string(what) + ": expected a JSON array");
  return parsed;
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::string authorization(const Settings& settings) {
  return settings.key.empty() ? "" : "Bearer " + settings.key;
}

HttpOptions http_options(const Settings& settings) {
  HttpOptions options;
  for (const std::string& url : settings.base_urls) options.urls.push_back(without_slash(url) + "/chat/completions");
  options.authorization = authorization(settings);
  options.concurrency = settings.concurrency * settings.base_urls.size();
  options.timeout = settings.timeout;
  options.retry = settings.retry;
  return options;
}

std::string tries(const HttpAnswer& answer) {
  return answer.tries == 1 ? "" : " after " + std::to_string(answer.tries) + " tries";
}

/// Who answers, where the model's name says it.
std::string account_of(const Settings& settings) {
  return settings.chat.model.empty() ? without_slash(settings.base_urls.front()) : settings.chat.model;
}

json described(const ChatDefaults& chat) {
  return {{"model", chat.model},
          {"system_prompt", chat.system_prompt},
          {"temperature", chat.temperature},
          {"temperature_to", chat.temperature_to},
          {"top_p", chat.top_p},
          {"top_p_to", chat.top_p_to},
          {"n", chat.n},
          {"max_tokens", chat.max_tokens},
          {"token_limit_name", chat.token_limit_name},
          {"seed", chat.seed},
          {"top_logprobs", chat.top_logprobs},
          {"answer_form", chat.json_calls ? "json_schema" : "tools"}};
}

std::int64_t estimated_tokens(std::size_t bytes) {
  return static_cast<std::int64_t>(static_cast<double>(bytes) / bytes_a_token) + 1;
}

std::optional<std::filesystem::path> record_file(const Settings& settings, const std::string& kind) {
  if (!settings.records) return std::nullopt;
  return *settings.records / (kind + "-" + teacher::request_key(account_of(settings)).substr(0, 12) + ".jsonl");
}

/// What the server counted.
std::optional<std::int64_t> counted(const json& item, const char* name) {
  const json usage = item.value("usage", json());
  const json value = usage.is_object() ? usage.value(name, json()) : json();
  if (!value.is_number_integer()) return std::nullopt;
  return value.get<std::int64_t>();
}

json item_of_batch(const BatchApi::Answer& answer, const ChatDefaults& chat) {
  if (!answer.failure.empty()) return {{"error", answer.failure}};
  if (answer.status != 200)
    return {{"error", "status " + std::to_string(answer.status) + ": " + failure_of(answer.body)}};
  return read_answer(answer.body, chat.json_calls);
}

json cost_member(const Amount& cost, const Prices& prices, bool cached) {
  return {{"requests", cost.requests},
          {"input_tokens", cost.input_tokens},
          {"output_tokens", cost.output_tokens},
          {"usd", prices.usd(cost)},
          {"cached", cached}};
}

}  // namespace

void expect_usable(const Settings& settings, bool without_store) {
  for (const std::string& url : settings.base_urls) http::expect_http("base_url", url);
  http::expect_key(settings.key);
  const auto refuse = [](const std::string& what) { throw std::invalid_argument(what); };
  const ChatDefaults& chat = settings.chat;
  if (chat.temperature_to >= 0 && chat.temperature_to < chat.temperature)
    refuse("temperature_to: expected at least temperature, " + json(chat.temperature).dump() + ", found " +
           json(chat.temperature_to).dump());
  if (chat.top_p_to >= 0 && chat.top_p_to < chat.top_p)
    refuse("top_p_to: expected at least top_p, " + json(chat.top_p).dump() + ", found " + json(chat.top_p_to).dump());
  if (settings.budget.usd > 0 && settings.prices.input <= 0 && settings.prices.output <= 0)
    refuse(
        "budget.usd: needs usd_per_million_input_tokens and usd_per_million_output_tokens; a model that is free needs "
        "no such limit");
  const bool counts_output =
      settings.budget.output_tokens > 0 || (settings.budget.usd > 0 && settings.prices.output > 0);
  if (counts_output && chat.max_tokens <= 0)
    refuse("max_tokens: 0 leaves the length of answers to the server; a budget of output tokens or USD needs a limit");
  if ((settings.batch || settings.offline) && without_store)
    refuse(std::string(settings.batch ? "batch" : "offline") + ": needs a store of answers, found store \"off\"");
}

/// The requests of one complete() that are to be sent.
class OpenAi::Round final : public Gate {
 public:
  Round(OpenAi& owner, const Take& take) : owner_(owner), take_(take) {}

  struct Pending {
    std::vector<std::size_t> indexes;
    std::string key, body;
    Amount most, total, last;
    std::int64_t ticket = -1;
    bool given = false;
  };

  /// An index whose body equals an earlier one's is answered with it.
  void add(std::size_t index, const std::string& key, std::string body, std::int64_t output) {
    const auto [place, added] = by_key_.emplace(key, pending_.size());
    if (added) {
      Pending one;
      one.key = key;
      one.body = std::move(body);
      one.most = {1, static_cast<std::int64_t>(one.body.size()), output};
      pending_.push_back(std::move(one));
    }
    pending_[place->second].indexes.push_back(index);
  }
  std::size_t size() const { return pending_.size(); }
  const std::string& body(std::size_t k) const { return pending_[k].body; }
  /// Those without an item.
  std::size_t left() const {
    return static_cast<std::size_t>(
        std::count_if(pending_.begin(), pending_.end(), [](const Pending& one) { return !one.given; }));
  }

  Admission admit(std::size_t k, std::size_t, Clock::time_point now) override {
    Pending& one = pending_[k];
    const auto output = static_cast<double>(one.most.output_tokens);
    const Traffic::Turn turn = owner_.traffic_.turn(input_estimate(one), output, now);
    if (!turn.endpoint) return {Kind::later, 0, turn.wait};
    switch (reserve(one)) {
      case Spending::Verdict::wait:
        return {Kind::later, 0, 1};
      case Spending::Verdict::refused:
        return {Kind::never, 0, 0};
      case Spending::Verdict::reserved:
        break;
    }
    owner_.traffic_.begin(*turn.endpoint, input_estimate(one), output);
    return {Kind::now, *turn.endpoint, 0};
  }

  void settle(std::size_t k, const HttpAnswer& attempt, Clock::time_point now) override {
    Pending& one = pending_[k];
    const Amount cost = attempt.status == 200 ? one.last : cost_of_failure(one, attempt);
    owner_.spending_->settle(one.ticket, cost);
    one.total += cost;
    const auto outcome = attempt.status == 429                          ? Traffic::Outcome::refused
                         : attempt.status == 0 || attempt.status >= 500 ? Traffic::Outcome::failed
                                                                        : Traffic::Outcome::answered;
    owner_.traffic_.end(attempt.endpoint, outcome, attempt.started, now,
                        attempt.again ? attempt.asked_wait : std::nullopt,
                        static_cast<double>(cost.input_tokens) - input_estimate(one),
                        static_cast<double>(cost.output_tokens - one.most.output_tokens));
  }

  /// The last try's answer to request k: kept, then given.
  void take(std::size_t k, const HttpAnswer& answer) {
    Pending& one = pending_[k];
    if (answer.status == unauthorized && refused_keys_++ == 0) refusal_ = owner_.without_key(failure_of(answer.body));
    json item;
    if (!answer.failure.empty())
      item["error"] = "no answer" + tries(answer) + ": " + answer.failure;
    else if (answer.status != 200)
      item["error"] = "status " + std::to_string(answer.status) + tries(answer) + ": " + failure_of(answer.body);
    else
      item = read_answer(answer.body, owner_.settings_.chat.json_calls);
    one.last = answer.status == 200 ? cost_of_answer(one, item, answer.body) : cost_of_failure(one, answer);
    Amount total = one.total;
    total += one.last;
    const bool failed = answer.status == 0 || answer.status >= 500;
    failed_in_a_row_ = failed ? failed_in_a_row_ + 1 : 0;
    const std::string failure = failed ? owner_.without_key(item["error"]) : "";
    give(one, std::move(item), total);
    if (owner_.settings_.give_up_after > 0 && failed_in_a_row_ >= owner_.settings_.give_up_after)
      throw std::runtime_error(std::to_string(failed_in_a_row_) + " requests in a row failed, the last: " + failure +
                               "; what was answered is kept: see to the endpoint and run the same again");
  }

  /// What the answer of a batch cost; nothing where its request is not one of these.
  std::optional<Amount> take_from_batch(const std::string& key, const json& item, const BatchApi::Answer& answer) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return std::nullopt;
    Pending& one = pending_[found->second];
    const Amount cost = answer.status == 200 ? cost_of_answer(one, item, answer.body) : Amount{1, 0, 0};
    if (!one.given) give(one, item, cost);
    return cost;
  }

  /// Reserves for as many as the budget lets pass; the requests to hand in.
  std::vector<BatchApi::Request> reserve_all() {
    std::vector<BatchApi::Request> requests;
    for (Pending& one : pending_) {
      if (one.given) continue;
      if (reserve(one) != Spending::Verdict::reserved) break;
      requests.push_back({one.key, one.ticket, one.body});
    }
    return requests;
  }

  void expect_key_accepted() const {
    if (refused_keys_ > 0 && refused_keys_ == pending_.size())
      throw std::runtime_error("the server does not accept the key (status 401): " + refusal_);
  }
  [[noreturn]] void refuse() const {
    const auto next = std::find_if(pending_.begin(), pending_.end(), [](const Pending& one) { return !one.given; });
    const Amount most = next == pending_.end() ? Amount{1, 0, 0} : next->most;
    throw std::runtime_error(
        "the budget is spent: " + owner_.spending_->shortage(owner_.settings_.budget, owner_.settings_.prices, most) +
        "; " + std::to_string(pending_.size() - answered_) +
        " of these requests are not answered. What was answered is kept: " + "raise the budget and run the same again");
  }

 private:
  Spending::Verdict reserve(Pending& one) {
    return owner_.spending_->reserve(owner_.settings_.budget, owner_.settings_.prices, one.most, one.ticket);
  }
  static double input_estimate(const Pending& one) { return static_cast<double>(estimated_tokens(one.body.size())); }

  /// An answer that does not say what it cost, or cannot be read, has been paid for all the same.
  static Amount cost_of_answer(const Pending& one, const json& item, const std::string& body) {
    return {
        1, counted(item, "prompt_tokens").value_or(estimated_tokens(one.body.size())),
        counted(item, "completion_tokens").value_or(std::min(estimated_tokens(body.size()), one.most.output_tokens))};
  }
  static Amount cost_of_failure(const Pending& one, const HttpAnswer& attempt) {
    if (!attempt.sent) return {};
    if (attempt.status != 0) return {1, 0, 0};
    return {1, estimated_tokens(one.body.size()), one.most.output_tokens};  // it may have been answered, to nobody
  }

  void give(Pending& one, json item, const Amount& cost) {
    std::string text = owner_.without_key(dump(item));
    item = json::parse(text, nullptr, false);
    if (owner_.store_ && !item.contains("error")) owner_.store_->add(one.key, item);
    one.given = true;
    if (!item.contains("error")) ++answered_;
    item["cost"] = cost_member(cost, owner_.settings_.prices, false);
    take_(one.indexes.front(), dump(item));
    item["cost"] = cost_member({}, owner_.settings_.prices, true);
    for (std::size_t i = 1; i < one.indexes.size(); ++i) take_(one.indexes[i], dump(item));
  }

  OpenAi& owner_;
  const Take& take_;
  std::vector<Pending> pending_;
  std::map<std::string, std::size_t> by_key_;
  std::size_t refused_keys_ = 0, answered_ = 0, failed_in_a_row_ = 0;
  std::string refusal_;
};

OpenAi::OpenAi(Settings settings)
    : settings_(std::move(settings)),
      traffic_({settings_.base_urls.size(), settings_.concurrency, settings_.requests_per_minute,
                settings_.input_tokens_per_minute, settings_.output_tokens_per_minute}),
      posts_(http_options(settings_)) {
  expect_usable(settings_, !settings_.store);
  if (settings_.store) store_ = teacher::shared_store(*settings_.store);
  spending_ = shared_spending(record_file(settings_, "spent"));
  if (settings_.batch)
    batches_ = std::make_unique<BatchApi>(
        BatchOptions{without_slash(settings_.base_urls.front()), authorization(settings_), settings_.timeout,
                     settings_.retry, settings_.poll, record_file(settings_, "batches"), settings_.log});
}

OpenAi::~OpenAi() = default;

bool OpenAi::complete(std::string_view tools, std::string_view requests, const Take& take,
                      const std::function<bool()>& should_stop) {
  const json shared = tools.empty() ? json::array() : parse_array(tools, "tools");
  const json parsed = parse_array(requests, "requests");
  Round round(*this, take);
  std::size_t known = 0;
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    try {
      const json body = to_body(parsed[i], shared, settings_.chat);
      json asked = {{"body", body}, {"sample", sample_of(parsed[i])}};
      if (settings_.chat.model.empty()) asked["address"] = account_of(settings_);
      const std::string key = teacher::request_key(asked);
      if (auto item = store_ ? store_->find(key) : std::nullopt) {
        ++known;
        (*item)["cost"] = cost_member({}, settings_.prices, true);
        take(i, dump(*item));
      } else if (settings_.offline) {
        take(i, dump({{"error", "no answer is kept for this request, and offline says to ask for none"}}));
      } else {
        const json n = body.value("n", json(1));
        const std::int64_t answers = n.is_number_integer() ? n.get<std::int64_t>() : 1;
        const json limit = body.value(settings_.chat.token_limit_name, json(0));
        round.add(i, key, dump(body), limit.is_number_integer() ? limit.get<std::int64_t>() * answers : 0);
      }
    } catch (const std::invalid_argument& error) {
      take(i, dump({{"error", error.what()}}));
    }
  }
  if (!said_) say_what_changed();
  if (known > 0)
    settings_.log(std::to_string(known) + " of " + std::to_string(parsed.size()) + " answers are kept from earlier; " +
                  std::to_string(round.size()) + " requests are to be sent");
  return batches_ ? hand_in(round, should_stop) : send(round, should_stop);
}

bool OpenAi::send(Round& round, const std::function<bool()>& should_stop) {
  const HttpPosts::End end = posts_.run(
      round.size(), [&](std::size_t k) { return round.body(k); }, round,
      [&](std::size_t k, const HttpAnswer& answer) { round.take(k, answer); }, should_stop);
  if (store_) store_->sync();
  if (end == HttpPosts::End::refused) round.refuse();
  if (end == HttpPosts::End::done) round.expect_key_accepted();
  return end == HttpPosts::End::done;
}

bool OpenAi::hand_in(Round& round, const std::function<bool()>& should_stop) {
  const auto take = [&](const std::string& key, std::int64_t ticket, const BatchApi::Answer& answer) {
    const json item = item_of_batch(answer, settings_.chat);
    std::optional<Amount> cost = round.take_from_batch(key, item, answer);
    if (!cost) {  // of a request that is not asked for now: without a count it stays at what was reserved
      if (!item.contains("error") && store_ && !store_->find(key))
        store_->add(key, json::parse(without_key(dump(item)), nullptr, false));
      const auto input = counted(item, "prompt_tokens"), output = counted(item, "completion_tokens");
      if (answer.status != 200 || (input && output)) cost = Amount{1, input.value_or(0), output.value_or(0)};
    }
    if (cost) spending_->settle(ticket, *cost);
  };
  if (!batches_->pick_up(take, should_stop)) return false;
  while (round.left() > 0) {
    const std::vector<BatchApi::Request> requests = round.reserve_all();
    if (requests.empty()) round.refuse();
    if (!batches_->run(requests, take, should_stop)) return false;
    if (store_) store_->sync();
  }
  return true;
}

/// Once, before the first requests: answers to requests that are still the same fit, and no others.
void OpenAi::say_what_changed() {
  said_ = true;
  if (spending_->cut_off() > 0)
    settings_.log(std::to_string(spending_->cut_off()) +
                  " requests were under way when an earlier start of this run ended; they count as spent");
  if (!settings_.records || !store_) return;
  const std::filesystem::path file =
      *settings_.records / ("settings-" + teacher::request_key(account_of(settings_)).substr(0, 12) + ".json");
  const json now = described(settings_.chat);
  std::ifstream in(file);
  const json before = json::parse(std::string(std::istreambuf_iterator<char>(in), {}), nullptr, false);
  if (before.is_object() && before != now) {
    std::string changes;
    for (const auto& [name, value] : now.items())
      if (before.value(name, json()) != value)
        changes += (changes.empty() ? "" : ", ") + name + " " + dump(before.value(name, json())) + " → " + dump(value);
    settings_.log("settings changed since the last start (" + changes + "): of " + std::to_string(store_->size()) +
                  " answers that are kept, those to requests that are still the same fit; the others are asked anew");
  }
  std::ofstream(file, std::ios::trunc) << now.dump(2) << '\n';
}

std::string OpenAi::without_key(std::string text) const {
  return http::without_key(std::move(text), settings_.key);
}

}  // namespace retort::openai
