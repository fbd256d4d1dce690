// Many POST requests to one address with libcurl: so many at once, each tried again while that may help.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "retry.h"

namespace retort::openai {

struct HttpOptions {
  std::string url;
  std::string authorization;    ///< value of the header; empty: none. Never in a failure's text
  std::size_t concurrency = 8;  ///< requests at once
  double timeout = 60.0;        ///< seconds a try, connecting included
  RetryOptions retry;
};

/// What became of one request after its last try.
struct HttpAnswer {
  long status = 0;      ///< 0: there was no answer
  std::string body;     ///< of the last answer
  std::string failure;  ///< not empty: why there was no answer, in libcurl's words
  std::int64_t tries = 0;
};

/// Used by one thread at a time; keeps its connections between calls.
class HttpPosts {
 public:
  /// Throws std::invalid_argument for a url that is not http:// or https://, or a header value that no header may hold.
  explicit HttpPosts(HttpOptions options);
  ~HttpPosts();
  HttpPosts(const HttpPosts&) = delete;
  HttpPosts& operator=(const HttpPosts&) = delete;

  /// Posts body(i) (JSON) for every i < count and hands each answer on as soon as it is final, in any order. Asks
  /// `should_stop` at least four times a second; returns false, requests broken off, once it says yes. What `take`
  /// throws passes through.
  bool run(std::size_t count, const std::function<std::string(std::size_t index)>& body,
           const std::function<void(std::size_t index, HttpAnswer answer)>& take,
           const std::function<bool()>& should_stop);

 private:
  class Batch;
  struct Connection;
  HttpOptions options_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace retort::openai
