// A world elsewhere, asked in the JSON texts that environment/process/README.md has, whatever way they go.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "exchange.h"
#include "remote_session.h"

namespace retort::environments {

/// Opens the way to the world. Throws std::runtime_error where there is none.
using OpenExchange = std::function<std::unique_ptr<Exchange>()>;

/// An open way and the numbers of its requests. Any thread.
class Connection {
 public:
  explicit Connection(std::unique_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  /// The world's "result". Throws std::invalid_argument for an error that it calls the caller's, std::runtime_error
  /// for any other and for an answer that is none; the way is given up after the latter, since the next answers could
  /// not be told apart.
  Json request(const std::string& method, Json members);
  void notify(const std::string& method, Json members);
  bool alive();

 private:
  std::unique_lock<std::mutex> turn();
  std::mutex mutex_;
  std::unique_ptr<Exchange> exchange_;
  std::atomic<std::uint64_t> requests_{0};
};

/// The world. What has ended is opened again for the next question; its sessions are lost. Any thread.
class World {
 public:
  /// `first_session`: sessions are numbered from there.
  explicit World(OpenExchange open, std::uint64_t first_session = 1)
      : open_(std::move(open)), sessions_(first_session - 1) {}
  std::string tools() const;
  /// At most `count` rows, handed to `take` with their numbers from 0.
  void generate(std::string_view split, std::int64_t count, std::uint64_t seed,
                const std::function<void(std::uint64_t, const std::string&)>& take) const;
  /// `start`: a JSON object. Throws std::invalid_argument for another text.
  std::unique_ptr<RemoteSession> start(std::string_view start) const;

 private:
  std::shared_ptr<Connection> connection() const;

  OpenExchange open_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<Connection> connection_;
  mutable std::uint64_t sessions_;
};

}  // namespace retort::environments
