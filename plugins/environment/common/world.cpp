#include "world.h"

#include <stdexcept>
#include <utility>

#include "json_text.h"

namespace retort::environments {
namespace {

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

/// A session of a world that speaks the protocol.
class ProtocolSession final : public RemoteSession {
 public:
  ProtocolSession(std::shared_ptr<Connection> connection, std::uint64_t number, const Json& start)
      : connection_(std::move(connection)), number_(number) {
    connection_->request("start", {{"session", number_}, {"start", start}});
  }
  ~ProtocolSession() override {
    try {
      connection_->notify("close", {{"session", number_}});
    } catch (...) {  // the next question to the world will say it
    }
  }
  Json execute(const Json& calls) override {
    return connection_->request("execute", {{"session", number_}, {"calls", calls}});
  }
  Json state() override { return connection_->request("state", {{"session", number_}}); }

 private:
  std::shared_ptr<Connection> connection_;
  std::uint64_t number_;
};

}  // namespace

std::unique_lock<std::mutex> Connection::turn() {
  return exchange_->concurrent() ? std::unique_lock<std::mutex>() : std::unique_lock<std::mutex>(mutex_);
}

Json Connection::request(const std::string& method, Json members) {
  const auto lock = turn();
  members["id"] = ++requests_;
  members["method"] = method;
  const std::string text = exchange_->exchange(written(members));
  Json answer = Json::parse(text, nullptr, false);
  if (answer.is_discarded())
    exchange_->give_up("answered \"" + method + "\" with something else than a line of JSON in UTF-8: " + shown(text));
  if (!answer.is_object() || answer.value("id", Json()) != members["id"])
    exchange_->give_up("answered \"" + method + "\" without its number: expected an object with \"id\": " +
                       members["id"].dump() + ", found " + shown(text));
  if (is_error(answer)) throw_error(method, answer["error"]);
  if (!answer.contains("result"))
    exchange_->give_up("answered \"" + method +
                       "\" with neither \"result\" nor \"error\": {\"message\": text}: " + shown(text));
  return std::move(answer["result"]);
}

void Connection::notify(const std::string& method, Json members) {
  const auto lock = turn();
  if (!exchange_->alive()) return;
  members["method"] = method;
  exchange_->send(written(members));
}

bool Connection::alive() {
  const auto lock = turn();
  return exchange_->alive();
}

std::shared_ptr<Connection> World::connection() const {
  const std::lock_guard lock(mutex_);
  if (!connection_ || !connection_->alive()) connection_ = std::make_shared<Connection>(open_());
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
  return std::make_unique<ProtocolSession>(connection(), number, begin);
}

}  // namespace retort::environments
