// See server_world.h. A server does not show its state: a session's is the list of its calls that may have changed
// something. Equal lists from the same beginning lead to equal worlds, and are what a session is started from again.
#include "server_world.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "outcome_cache.h"

namespace retort::mcp {

using environments::parsed;
using environments::shown;
using environments::written;

class ServerSession final : public environments::CallByCallSession {
 public:
  ServerSession(const ServerWorld& world, const Json& done) : world_(world) {
    for (const Json& call : done) carry_out(call);
  }

  Json state() override {
    if (world_.isolation_ == Isolation::shared)
      throw std::invalid_argument(
          "state: a server that all sessions share cannot be brought to a session's state; use "
          "\"sessions\": \"own\"");
    return changes_;
  }

 private:
  Json run(const std::string& name, const Json& arguments) override {
    const auto& listed = world_.listed();
    if (!listed.names.contains(name)) return refused("there is no tool \"" + name + "\"");
    if (!arguments.is_object())
      return refused(name + ": expected arguments as an object, found " + shown(written(arguments)));
    if (!connection_) connection_ = world_.connection();
    const std::lock_guard lock(connection_->mutex);
    const ToolResult result = connection_->client->call(name, arguments);
    if (result.ok && !listed.readers.contains(name)) changes_.push_back({{"name", name}, {"arguments", arguments}});
    return {{"ok", result.ok}, {"content", result.content}};
  }
  std::string state_text() const override { return written(changes_); }

  const ServerWorld& world_;
  std::shared_ptr<ServerWorld::Guarded> connection_;  ///< from the first call on
  Json changes_ = Json::array();
};

ServerWorld::ServerWorld(Connect connect, Isolation isolation, std::vector<std::string> only)
    : connect_(std::move(connect)), isolation_(isolation), only_(std::move(only)) {}

std::shared_ptr<ServerWorld::Guarded> ServerWorld::connection() const {
  std::unique_lock lock(mutex_);
  if (isolation_ == Isolation::own && shared_) return std::exchange(shared_, nullptr);
  if (isolation_ == Isolation::shared && shared_) {
    const std::lock_guard turn(shared_->mutex);
    if (shared_->client->alive()) return shared_;
  }
  if (isolation_ == Isolation::own) lock.unlock();
  auto fresh = std::make_shared<Guarded>();
  fresh->client = connect_();
  if (isolation_ == Isolation::shared) shared_ = fresh;
  return fresh;
}

const ServerWorld::Listed& ServerWorld::listed() const {
  {
    const std::lock_guard lock(mutex_);
    if (listed_) return *listed_;
  }
  const auto guarded = connection();
  auto listed = std::make_unique<Listed>();
  {
    const std::lock_guard turn(guarded->mutex);
    for (ServerTool& tool : guarded->client->tools()) {
      const std::string name = tool.definition["function"]["name"];
      if (!only_.empty() && std::find(only_.begin(), only_.end(), name) == only_.end()) continue;
      listed->names.insert(name);
      if (tool.reads) listed->readers.insert(name);
      listed->definitions.push_back(std::move(tool.definition));
    }
  }
  for (const std::string& name : only_)
    if (!listed->names.contains(name)) throw std::runtime_error("tools: the MCP server has no tool \"" + name + "\"");
  const std::lock_guard lock(mutex_);
  if (!listed_) listed_ = std::move(listed);
  if (!shared_) shared_ = guarded;  // the first session may have it
  return *listed_;
}

std::string ServerWorld::tools() const {
  return written(listed().definitions);
}

std::unique_ptr<environments::RemoteSession> ServerWorld::start(std::string_view text) const {
  const Json begin = parsed(text, "start");
  Json done = begin.is_object() ? begin.value("state", Json::array()) : Json();
  if (!done.is_array())
    throw std::invalid_argument("start: expected {} or {\"state\": array of calls}, found " + shown(text));
  if (isolation_ == Isolation::shared && !done.empty())
    throw std::invalid_argument("start: a server that all sessions share starts from no state");
  return std::make_unique<ServerSession>(*this, std::move(done));
}

}  // namespace retort::mcp
