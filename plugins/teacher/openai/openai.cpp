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
#include "round.h"

namespace retort::openai {
namespace {

using nlohmann::json;

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

HttpOptions http_options(const Settings& settings, const std::string& path) {
  HttpOptions options;
  for (const std::string& url : settings.base_urls) options.urls.push_back(without_slash(url) + path);
  options.authorization = authorization(settings);
  options.concurrency = settings.concurrency * settings.base_urls.size();
  options.timeout = settings.timeout;
  options.retry = settings.retry;
  return options;
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

std::optional<std::filesystem::path> record_file(const Settings& settings, const std::string& kind) {
  if (!settings.records) return std::nullopt;
  return *settings.records / (kind + "-" + teacher::request_key(account(settings)).substr(0, 12) + ".jsonl");
}

json item_of_batch(const BatchApi::Answer& answer, const ChatDefaults& chat) {
  if (!answer.failure.empty()) return {{"error", answer.failure}};
  if (answer.status != 200)
    return {{"error", "status " + std::to_string(answer.status) + ": " + failure_of(answer.body)}};
  return read_answer(answer.body, chat.json_calls);
}

}  // namespace

std::string account(const Settings& settings) {
  return settings.chat.model.empty() ? without_slash(settings.base_urls.front()) : settings.chat.model;
}

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

OpenAi::OpenAi(Settings settings)
    : settings_(std::move(settings)),
      traffic_({settings_.base_urls.size(), settings_.concurrency, settings_.requests_per_minute,
                settings_.input_tokens_per_minute, settings_.output_tokens_per_minute}),
      posts_(http_options(settings_, "/chat/completions")),
      scores_(http_options(settings_, "/completions")) {
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
  const Round::Read read = [&](std::size_t, const std::string& body) {
    return read_answer(body, settings_.chat.json_calls);
  };
  Round round(*this, posts_, take, read);
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    try {
      const json body = to_body(parsed[i], shared, settings_.chat);
      const json n = body.value("n", json(1));
      const std::int64_t answers = n.is_number_integer() ? n.get<std::int64_t>() : 1;
      const json limit = body.value(settings_.chat.token_limit_name, json(0));
      round.ask(i, body, sample_of(parsed[i]), limit.is_number_integer() ? limit.get<std::int64_t>() * answers : 0);
    } catch (const std::invalid_argument& error) {
      take(i, dumped({{"error", error.what()}}));
    }
  }
  say_what_is_kept(round, parsed.size());
  return batches_ ? hand_in(round, should_stop) : send(round, should_stop);
}

void OpenAi::say_what_is_kept(const Round& round, std::size_t requests) {
  if (!said_) say_what_changed();
  if (round.known() > 0)
    settings_.log(std::to_string(round.known()) + " of " + std::to_string(requests) +
                  " answers are kept from earlier; " + std::to_string(round.size()) + " requests are to be sent");
}

bool OpenAi::score(std::string_view requests, const Take& take, const std::function<bool()>& should_stop) {
  const json parsed = parse_array(requests, "requests");
  std::map<std::size_t, ScoreRequest> asked;
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    try {
      asked.emplace(i, score_request(parsed[i]));
    } catch (const std::invalid_argument& error) {
      take(i, dumped({{"error", error.what()}}));
    }
  }
  if (asked.empty()) return true;
  if (batches_) throw std::invalid_argument("batch: gives answers alone; scores are asked for one by one");
  const auto shortest = std::min_element(asked.begin(), asked.end(), [](const auto& one, const auto& other) {
    return one.second.length() < other.second.length();
  });
  if (!score_form_ && !find_score_form(shortest->second, should_stop)) return false;
  const Round::Read read = [&](std::size_t index, const std::string& body) {
    return read_score(body, asked.at(index), *score_form_);
  };
  Round round(*this, scores_, take, read);
  for (const auto& [index, request] : asked)
    round.ask(index, to_score_body(request, settings_.chat.model, *score_form_), 0, 1);
  say_what_is_kept(round, parsed.size());
  return send(round, should_stop);
}

/// Asks in one form after the other until an answer has what was asked for.
bool OpenAi::find_score_form(const ScoreRequest& request, const std::function<bool()>& should_stop) {
  std::string found;
  for (const ScoreForm form : {ScoreForm::prompt_logprobs, ScoreForm::echo}) {
    json item;
    const Take take = [&](std::size_t, const std::string& text) { item = json::parse(text, nullptr, false); };
    const Round::Read read = [&](std::size_t, const std::string& body) { return read_score(body, request, form); };
    Round round(*this, scores_, take, read);
    round.ask(0, to_score_body(request, settings_.chat.model, form), 0, 1);
    if (!send(round, should_stop)) return false;
    if (!item.contains("error")) {
      score_form_ = form;
      return true;
    }
    found += std::string(found.empty() ? "" : "; ") + "asked with " + name_of(form) + ": " +
             item["error"].get<std::string>();
  }
  throw std::runtime_error(
      "the endpoint does not score a text that is given to it (" + found +
      "). Servers that do: vLLM by \"prompt_logprobs\", those that keep OpenAI's \"echo\" with \"logprobs\"");
}

bool OpenAi::send(Round& round, const std::function<bool()>& should_stop) {
  const HttpPosts::End end = round.posts().run(
      round.size(), [&](std::size_t k) { return round.post(k); }, round,
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
        store_->add(key, json::parse(without_key(dumped(item)), nullptr, false));
      const auto input = counted_tokens(item, "prompt_tokens"), output = counted_tokens(item, "completion_tokens");
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
      *settings_.records / ("settings-" + teacher::request_key(account(settings_)).substr(0, 12) + ".json");
  const json now = described(settings_.chat);
  std::ifstream in(file);
  const json before = json::parse(std::string(std::istreambuf_iterator<char>(in), {}), nullptr, false);
  if (before.is_object() && before != now) {
    std::string changes;
    for (const auto& [name, value] : now.items())
      if (before.value(name, json()) != value)
        changes +=
            (changes.empty() ? "" : ", ") + name + " " + dumped(before.value(name, json())) + " → " + dumped(value);
    settings_.log("settings changed since the last start (" + changes + "): of " + std::to_string(store_->size()) +
                  " answers that are kept, those to requests that are still the same fit; the others are asked anew");
  }
  std::ofstream(file, std::ios::trunc) << now.dump(2) << '\n';
}

std::string OpenAi::without_key(std::string text) const {
  return http::without_key(std::move(text), settings_.key);
}

}  // namespace retort::openai
