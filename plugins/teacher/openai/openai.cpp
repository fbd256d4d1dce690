// Requests that cannot be sent are answered here; the others go through HttpPosts.
#include "openai.h"

#include <stdexcept>
#include <utility>
#include <vector>

namespace retort::openai {
namespace {

using nlohmann::json;

constexpr long unauthorized = 401;

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json parse_array(std::string_view text, const char* what) {
  json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_array()) throw std::invalid_argument(std::string(what) + ": expected a JSON array");
  return parsed;
}

std::string address(std::string base_url) {
  while (base_url.ends_with('/')) base_url.pop_back();
  return base_url + "/chat/completions";
}

HttpOptions http_options(const Settings& settings) {
  HttpOptions options;
  options.url = address(settings.base_url);
  if (!settings.key.empty()) options.authorization = "Bearer " + settings.key;
  options.concurrency = settings.concurrency;
  options.timeout = settings.timeout;
  options.retry = settings.retry;
  return options;
}

std::string tries(const HttpAnswer& answer) {
  return answer.tries == 1 ? "" : " after " + std::to_string(answer.tries) + " tries";
}

}  // namespace

OpenAi::OpenAi(Settings settings) : settings_(std::move(settings)), posts_(http_options(settings_)) {}

bool OpenAi::complete(std::string_view tools, std::string_view requests, const Take& take,
                      const std::function<bool()>& should_stop) {
  const json shared = tools.empty() ? json::array() : parse_array(tools, "tools");
  std::vector<std::pair<std::size_t, std::string>> bodies;
  const json parsed = parse_array(requests, "requests");
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    try {
      bodies.emplace_back(i, dump(to_body(parsed[i], shared, settings_.chat)));
    } catch (const std::invalid_argument& error) {
      take(i, dump({{"error", error.what()}}));
    }
  }
  std::size_t refused_keys = 0;
  std::string refusal;
  const bool done = posts_.run(
      bodies.size(), [&](std::size_t k) { return bodies[k].second; },
      [&](std::size_t k, const HttpAnswer& answer) {
        if (answer.status == unauthorized && refused_keys++ == 0) refusal = without_key(failure_of(answer.body));
        take(bodies[k].first, item_of(answer));
      },
      should_stop);
  if (done && refused_keys > 0 && refused_keys == bodies.size())
    throw std::runtime_error("the server does not accept the key (status 401): " + refusal);
  return done;
}

std::string OpenAi::item_of(const HttpAnswer& answer) const {
  json item;
  if (!answer.failure.empty())
    item["error"] = "no answer" + tries(answer) + ": " + answer.failure;
  else if (answer.status != 200)
    item["error"] = "status " + std::to_string(answer.status) + tries(answer) + ": " + failure_of(answer.body);
  else
    item = read_answer(answer.body);
  return without_key(dump(item));
}

std::string OpenAi::without_key(std::string text) const {
  if (settings_.key.empty()) return text;
  for (std::size_t at = text.find(settings_.key); at != std::string::npos; at = text.find(settings_.key, at))
    text.replace(at, settings_.key.size(), "***");
  return text;
}

}  // namespace retort::openai
