// A world in another program, asked in JSON lines as README.md has them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "line_process.h"

namespace retort::process {

using Json = nlohmann::json;

/// A running program and the numbers of its requests. Any thread; requests follow each other.
class Connection {
 public:
  Connection(Settings settings, ShouldStop should_stop) : process_(std::move(settings), should_stop) {}
  /// The program's "result". Throws std::invalid_argument for an error that it calls the caller's, std::runtime_error
  /// for any other and for an answer that is none; the program is ended after the latter, since its next lines could
  /// not be told apart.
  Json request(const std::string& method, Json members);
  void notify(const std::string& method, Json members);
  bool alive();

 private:
  std::mutex mutex_;
  LineProcess process_;
  std::uint64_t requests_ = 0;
};

/// One session; ended with this object.
class RemoteSession {
 public:
  RemoteSession(std::shared_ptr<Connection> connection, std::uint64_t number, const Json& start);
  ~RemoteSession();
  RemoteSession(const RemoteSession&) = delete;
  RemoteSession& operator=(const RemoteSession&) = delete;
  /// Throws std::invalid_argument for text that is not JSON; as Connection::request.
  std::string execute(std::string_view calls);
  std::string state();

 private:
  std::shared_ptr<Connection> connection_;
  std::uint64_t number_;
};

/// The world. A program that has ended is started again for the next question; its sessions are lost.
class World {
 public:
  World(Settings settings, ShouldStop should_stop) : settings_(std::move(settings)), should_stop_(should_stop) {}
  std::string tools() const;
  /// At most `count` rows, handed to `take` with their numbers from 0.
  void generate(std::string_view split, std::int64_t count, std::uint64_t seed,
                const std::function<void(std::uint64_t, const std::string&)>& take) const;
  std::unique_ptr<RemoteSession> start(std::string_view start) const;

 private:
  std::shared_ptr<Connection> connection() const;

  Settings settings_;
  ShouldStop should_stop_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<Connection> connection_;
  mutable std::uint64_t sessions_ = 0;
};

}  // namespace retort::process
