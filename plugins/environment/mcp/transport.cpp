// See transport.h. Specification: modelcontextprotocol.io, "Transports" of 2025-11-25 and 2026-07-28.
#include "transport.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

namespace retort::mcp {
namespace {

using environments::shown;
using environments::written;

constexpr int most_foreign_lines = 1000;  ///< of a server that writes logs where its messages go
constexpr int most_tries_in_vain = 3;     ///< to take up a stream that brings no new event
constexpr long accepted = 202, unauthorized = 401, not_found = 404;

class StdioTransport final : public Transport {
 public:
  StdioTransport(environments::Settings settings, environments::ShouldStop should_stop)
      : timeout_(settings.timeout), process_(std::move(settings), should_stop) {}

  Json request(const Json& message) override {
    const auto start = std::chrono::steady_clock::now();
    process_.send(written(message));
    std::string foreign;
    for (int lines = 0; lines < most_foreign_lines; ++lines) {
      const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
      const std::string line = process_.next(timeout_ - spent.count());
      const Json answer = Json::parse(line, nullptr, false);
      if (answer.is_discarded()) {
        if (foreign.empty()) foreign = line;
        continue;
      }
      if (const Json* response = response_to(answer, message.at("id"))) return *response;
      if (const Json reply = answer_to_server(answer); !reply.is_null()) process_.send(written(reply));
    }
    process_.give_up("wrote " + std::to_string(most_foreign_lines) +
                     " lines that are no response; expected messages of JSON-RPC" +
                     (foreign.empty() ? std::string() : ", found " + shown(foreign)));
  }
  void notify(const Json& message) override { process_.send(written(message)); }
  bool alive() const override { return process_.alive(); }

 private:
  double timeout_;
  environments::LineProcess process_;
};

class HttpTransport final : public Transport {
 public:
  HttpTransport(environments::HttpSettings settings, environments::ShouldStop should_stop)
      : timeout_(settings.timeout), should_stop_(should_stop), client_(std::move(settings), should_stop) {}
  ~HttpTransport() override {
    if (alive_ && !session_.empty()) client_.remove(headers());
  }

  Json request(const Json& message) override {
    const auto start = std::chrono::steady_clock::now();
    Json response;
    EventReader events;
    const environments::HttpClient::Take read = [&](const environments::HttpReply& so_far) {
      if (!is_stream(so_far)) return true;
      for (const std::string& event : events.take(so_far.body))
        if (take(event, message.at("id"), response)) return false;
      return true;
    };
    auto reply = client_.post(written(message), headers_of(message), read);
    if (const auto id = reply.headers.find("mcp-session-id"); id != reply.headers.end()) session_ = id->second;
    if (response.is_null() && is_stream(reply)) reply = take_up(std::move(reply), events, read, response, start);
    if (!response.is_null()) return response;
    if (!reply.broken.empty()) fail(reply, "broke off its answer: " + reply.broken);
    if (is_stream(reply)) fail(reply, "ended its stream before it answered");
    if (take(reply.body, message.at("id"), response)) return response;  // errors come with statuses of their own too
    fail(reply, "answered with status " + std::to_string(reply.status) + ": " + shown(reply.body));
  }
  void notify(const Json& message) override {
    const auto reply = client_.post(written(message), headers_of(message));
    if (reply.status != accepted && reply.status / 100 != 2)
      fail(reply, "answered a notification with status " + std::to_string(reply.status) + ": " + shown(reply.body));
  }
  void use_version(const std::string& version, bool stateless) override {
    version_ = version;
    stateless_ = stateless;
  }
  bool alive() const override { return alive_; }

 private:
  static bool is_stream(const environments::HttpReply& reply) {
    const auto type = reply.headers.find("content-type");
    return type != reply.headers.end() && type->second.starts_with("text/event-stream");
  }
  /// A stream that ended before the response goes on behind its last event, as often as it brings new ones
  /// ("Resumability and Redelivery"). Returns the last stream's reply.
  environments::HttpReply take_up(environments::HttpReply reply, EventReader& events,
                                  const environments::HttpClient::Take& read, const Json& response,
                                  std::chrono::steady_clock::time_point start) {
    const auto left = [&] {
      return timeout_ - std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    for (int in_vain = 0; response.is_null() && in_vain < most_tries_in_vain && !events.last_id().empty();) {
      const std::string id = events.last_id();
      wait(std::min(events.retry(), left()));
      if (left() <= 0) fail(reply, "ended its stream before it answered, and \"timeout\" does not let it go on");
      std::vector<std::string> lines = headers();
      lines.push_back("Last-Event-ID: " + id);
      events.restart();
      reply = client_.get(lines, read, left());
      if (!is_stream(reply))
        fail(reply, "ended its stream before it answered, and does not take it up again: status " +
                        std::to_string(reply.status) + " for its event " + shown(id));
      in_vain = events.last_id() == id ? in_vain + 1 : 0;
    }
    return reply;
  }
  void wait(double seconds) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(std::max(0.0, seconds));
    while (std::chrono::steady_clock::now() < end) {
      if (should_stop_()) throw environments::StopRequested();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  std::vector<std::string> headers() const {
    std::vector<std::string> lines = {"Accept: application/json, text/event-stream"};
    if (!session_.empty()) lines.push_back("Mcp-Session-Id: " + session_);
    if (!version_.empty()) lines.push_back("MCP-Protocol-Version: " + version_);
    return lines;
  }
  /// 2026-07-28 repeats what a request asks for, so that proxies need not read its body.
  std::vector<std::string> headers_of(const Json& message) const {
    std::vector<std::string> lines = headers();
    if (!stateless_ || !message.contains("method")) return lines;
    lines.push_back("Mcp-Method: " + message["method"].get<std::string>());
    if (message["method"] == "tools/call") lines.push_back("Mcp-Name: " + message["params"]["name"].get<std::string>());
    return lines;
  }
  /// Whether `text` holds the response; what the server asks is answered in a request of its own.
  bool take(const std::string& text, const Json& id, Json& response) {
    const Json message = Json::parse(text, nullptr, false);
    if (message.is_discarded()) return false;
    if (const Json* found = response_to(message, id)) {
      response = *found;
      return true;
    }
    if (const Json reply = answer_to_server(message); !reply.is_null()) client_.post(written(reply), headers());
    return false;
  }
  [[noreturn]] void fail(const environments::HttpReply& reply, const std::string& why) {
    alive_ = false;
    std::string hint;
    if (reply.status == unauthorized) hint = "; is api_key right?";
    if (reply.status == not_found && !session_.empty()) hint = "; the server has forgotten the session";
    throw std::runtime_error(client_.without_key("'" + client_.url() + "' " + why + hint));
  }

  double timeout_;
  environments::ShouldStop should_stop_;
  environments::HttpClient client_;
  std::string session_, version_;
  bool stateless_ = false, alive_ = true;
};

}  // namespace

std::unique_ptr<Transport> stdio_transport(environments::Settings settings, environments::ShouldStop should_stop) {
  return std::make_unique<StdioTransport>(std::move(settings), should_stop);
}

std::unique_ptr<Transport> http_transport(environments::HttpSettings settings, environments::ShouldStop should_stop) {
  return std::make_unique<HttpTransport>(std::move(settings), should_stop);
}

const Json* response_to(const Json& message, const Json& id) {
  if (message.is_array()) {
    for (const Json& one : message)
      if (const Json* found = response_to(one, id)) return found;
    return nullptr;
  }
  const bool response =
      message.is_object() && !message.contains("method") && (message.contains("result") || message.contains("error"));
  if (!response) return nullptr;
  const Json theirs = message.value("id", Json());
  return theirs == id || (theirs.is_null() && message.contains("error")) ? &message : nullptr;
}

Json answer_to_server(const Json& message) {
  if (!message.is_object() || !message.contains("method") || !message.contains("id")) return nullptr;
  Json reply = {{"jsonrpc", "2.0"}, {"id", message["id"]}};
  if (message["method"] == "ping")
    reply["result"] = Json::object();
  else
    reply["error"] = {{"code", -32601}, {"message", "this client offers no such method"}};
  return reply;
}

std::vector<std::string> EventReader::take(const std::string& text) {
  std::vector<std::string> events;
  for (std::size_t end = text.find('\n', read_); end != std::string::npos; end = text.find('\n', read_)) {
    line(text.substr(read_, end - read_), events);
    read_ = end + 1;
  }
  return events;
}

void EventReader::restart() {
  read_ = 0;
  data_.clear();
  next_id_ = last_id_;
  any_ = false;
}

void EventReader::line(std::string text, std::vector<std::string>& events) {
  if (text.ends_with('\r')) text.pop_back();
  const auto value = [&](std::size_t name) { return text.substr(name + (text.substr(name).starts_with(' ') ? 1 : 0)); };
  if (text.empty()) {
    last_id_ = next_id_;  // an event that is cut short does not count
    if (any_) events.push_back(std::exchange(data_, {}));
    any_ = false;
  } else if (text.starts_with("data:")) {
    if (any_) data_ += '\n';
    data_ += value(5);
    any_ = true;
  } else if (text.starts_with("id:")) {
    next_id_ = value(3);
  } else if (text.starts_with("retry:")) {
    const std::string digits = value(6);
    std::int64_t milliseconds = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), milliseconds);
    if (error == std::errc() && end == digits.data() + digits.size() && milliseconds >= 0)
      retry_ = static_cast<double>(milliseconds) / 1000;
  }
}

}  // namespace retort::mcp
