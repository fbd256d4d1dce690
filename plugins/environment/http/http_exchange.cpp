// See http_exchange.h.
#include "http_exchange.h"

#include <stdexcept>

#include "json_text.h"

namespace retort::environments {

std::string HttpExchange::exchange(const std::string& text) {
  HttpReply reply = client_.post(text, {});
  if (reply.status / 100 == 2) return std::move(reply.body);
  const std::string hint = reply.status == 401 || reply.status == 403 ? "; is api_key right?" : "";
  give_up("answered with status " + std::to_string(reply.status) + ": " + shown(reply.body) + hint);
}

void HttpExchange::send(const std::string& text) {
  client_.post(text, {});
}

void HttpExchange::give_up(const std::string& why) {
  throw std::runtime_error(client_.without_key("'" + client_.url() + "' " + why));
}

}  // namespace retort::environments
