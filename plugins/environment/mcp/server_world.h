// An MCP server as a world: its tools, and sessions that call them.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "client.h"
#include "remote_session.h"

namespace retort::mcp {

enum class Isolation {
  own,    ///< a server, or an HTTP session, for each session of the environment
  shared  ///< one for all: for servers whose tools change nothing
};

/// Connects to the server: a new program, or a new HTTP session. Throws as Client's constructor.
using Connect = std::function<std::unique_ptr<Client>()>;

/// Any thread; shared connections answer one thread after the other. Sessions live no longer than it.
class ServerWorld {
 public:
  /// `only`: names of the tools that are offered; empty: all. A name that the server has not is an error of tools().
  ServerWorld(Connect connect, Isolation isolation, std::vector<std::string> only);

  std::string tools() const;  ///< JSON, OpenAI's tools array; asked for once
  /// `start`: {} or {"state": what state() gave}; a seed is passed over, since a server has none.
  std::unique_ptr<environments::RemoteSession> start(std::string_view start) const;

 private:
  friend class ServerSession;
  struct Listed {
    Json definitions = Json::array();
    std::set<std::string> names, readers;
  };
  /// A client and the turn to use it.
  struct Guarded {
    std::mutex mutex;
    std::unique_ptr<Client> client;
  };
  const Listed& listed() const;
  std::shared_ptr<Guarded> connection() const;

  Connect connect_;
  Isolation isolation_;
  std::vector<std::string> only_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<Listed> listed_;
  mutable std::shared_ptr<Guarded> shared_;  ///< or one that nobody has used yet
};

}  // namespace retort::mcp
