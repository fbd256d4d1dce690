#include "world.h"

#include <stdexcept>
#include <utility>

namespace retort::process {
namespace {

constexpr std::size_t longest_shown = 200;

/// What a program wrote, fit for a message: bytes that are not UTF-8 become U+FFFD.
std::string shown(std::string_view text) {
  const std::string start(text.substr(0, longest_shown));
  return Json(start).dump(-1, ' ', false, Json::error_handler_t::replace) + (text.size() > longest_shown ? "…" : "");
}

std::string written(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json parsed(std::string_view text, const char* what) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) throw std::invalid_argument(std::string(what) + ": expected JSON, found " + shown(text));
  return json;
}

/// Throws what an answer's "error" says.
[[noreturn]] void throw_error(const std::string& method, const Json& error) {
  const std::string message = method + ": " + error.at("message").get<std::string>();
  if (error.value("fault", Json()) == "caller") throw std::invalid_argument(message);
  throw std::runtime_error(message);
}

bool is_error(const Json& answer) {
  const auto error = answer.find("error");
  return error != answer.end() && error->is_object() && error->value("message", Json()).is_string();
}

}  // namespace

Json Connection::request(const std::string& method, Json members) {
  const std::lock_guard lock(mutex_);
  members["id"] = ++requests_;
  members["method"] = method;
  const std::string line = process_.exchange(written(members));
  Json answer = Json::parse(line, nullptr, false);
  if (answer.is_discarded())
    process_.give_up("answered \"" + method + "\" with something else than a line of JSON in UTF-8: " + shown(line));
  if (!answer.is_object() || answer.value("id", Json()) != members["id"])
    process_.give_up("answered \"" + method + "\" without its number: expected an object with \"id\": " +
                     std::to_string(requests_) + ", found " + shown(line));
  if (is_error(answer)) throw_error(method, answer["error"]);
  if (!answer.contains("result"))
    process_.give_up("answered \"" + method +
                     "\" with neither \"result\" nor \"error\": {\"message\": text}: " + shown(line));
  return std::move(answer["result"]);
}

void Connection::notify(const std::string& method, Json members) {
  const std::lock_guard lock(mutex_);
  if (!process_.alive()) return;
  members["method"] = method;
  process_.send(written(members));
}

bool Connection::alive() {
  const std::lock_guard lock(mutex_);
  return process_.alive();
}

RemoteSession::RemoteSession(std::shared_ptr<Connection> connection, std::uint64_t number, const Json& start)
    : connection_(std::move(connection)), number_(number) {
  connection_->request("start", {{"session", number_}, {"start", start}});
}

RemoteSession::~RemoteSession() {
  try {
    connection_->notify("close", {{"session", number_}});
  } catch (...) {  // the next question to the program will say it
  }
}

std::string RemoteSession::execute(std::string_view calls) {
  return written(connection_->request("execute", {{"session", number_}, {"calls", parsed(calls, "execute")}}));
}

std::string RemoteSession::state() {
  return written(connection_->request("state", {{"session", number_}}));
}

std::shared_ptr<Connection> World::connection() const {
  const std::lock_guard lock(mutex_);
  if (!connection_ || !connection_->alive()) connection_ = std::make_shared<Connection>(settings_, should_stop_);
  return connection_;
}

std::string World::tools() const {
  return written(connection()->request("tools", Json::object()));
}

void World::generate(std::string_view split, std::int64_t count, std::uint64_t seed,
                     const std::function<void(std::uint64_t, const std::string&)>& take) const {
  const Json rows =
      connection()->request("generate", {{"split", std::string(split)}, {"count", count}, {"seed", seed}});
  if (!rows.is_array()) throw std::runtime_error("generate: expected an array of rows, found " + shown(written(rows)));
  std::uint64_t number = 0;
  for (const Json& row : rows) take(number++, written(row));
}

std::unique_ptr<RemoteSession> World::start(std::string_view start) const {
  const Json begin = parsed(start, "start");
  if (!begin.is_object()) throw std::invalid_argument("start: expected a JSON object, found " + shown(start));
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = ++sessions_;
  }
  return std::make_unique<RemoteSession>(connection(), number, begin);
}

}  // namespace retort::process
