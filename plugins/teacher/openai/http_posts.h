// Many POST requests with libcurl: each tried again while that may help, at the time and place that a gate says.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "retry.h"

namespace retort::openai {

struct HttpOptions {
  std::vector<std::string> urls;  ///< the same service at several addresses
  std::string authorization;      ///< value of the header; empty: none. Never in a failure's text
  std::size_t concurrency = 8;    ///< requests at once
  double timeout = 60.0;          ///< seconds a try, connecting included
  RetryOptions retry;
};

/// What became of a request: of one try, or of the last.
struct HttpAnswer {
  long status = 0;      ///< 0: there was no answer
  std::string body;     ///< of the last answer
  std::string failure;  ///< not empty: why there was no answer, in libcurl's words
  std::int64_t tries = 0;
  std::size_t endpoint = 0;
  bool sent = false;                 ///< something of the try reached the network
  bool again = false;                ///< there will be another try
  std::optional<double> asked_wait;  ///< seconds, Retry-After
  std::chrono::steady_clock::time_point started;
};

/// Lets tries through. Called by the thread of run().
class Gate {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Kind {
    now,
    later,
    never  ///< neither this request nor one after it
  };
  struct Admission {
    Kind kind = Kind::now;
    std::size_t endpoint = 0;  ///< of urls, for now
    double wait = 0;           ///< seconds until it is worth asking again, for later
  };
  virtual ~Gate() = default;
  /// `under_way`: tries that are not settled yet. Kind::now is followed by one settle().
  virtual Admission admit(std::size_t index, std::size_t under_way, Clock::time_point now) = 0;
  /// After what run() took of it, if it was the last.
  virtual void settle(std::size_t index, const HttpAnswer& attempt, Clock::time_point now) = 0;
};

/// Used by one thread at a time; keeps its connections between calls.
class HttpPosts {
 public:
  enum class End { done, stopped, refused };
  /// Throws std::invalid_argument for a url that is not http:// or https://, or a header value that no header may hold.
  explicit HttpPosts(HttpOptions options);
  ~HttpPosts();
  HttpPosts(const HttpPosts&) = delete;
  HttpPosts& operator=(const HttpPosts&) = delete;

  struct Post {
    std::string body;             ///< JSON
    std::string idempotency_key;  ///< header Idempotency-Key of every try; empty: none
  };
  /// Posts post(i) for every i < count and hands each answer on as soon as it is final, in any order. Asks
  /// `should_stop` at least four times a second; stopped, requests broken off, once it says yes; refused, those under
  /// way answered, once the gate says never. What `take` throws passes through.
  End run(std::size_t count, const std::function<Post(std::size_t index)>& post, Gate& gate,
          const std::function<void(std::size_t index, const HttpAnswer& answer)>& take,
          const std::function<bool()>& should_stop);

 private:
  class Batch;
  struct Connection;
  HttpOptions options_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace retort::openai
