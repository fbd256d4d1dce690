// A teacher behind an HTTP API of OpenAI's kind: answers a batch of chat requests, several at once.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "chat.h"
#include "http_posts.h"

namespace retort::openai {

struct Settings {
  std::string base_url;  ///< "/chat/completions" is added
  std::string key;       ///< sent as a bearer token; empty: none. Replaced by "***" wherever an answer repeats it
  std::size_t concurrency = 8;
  double timeout = 60.0;  ///< seconds a try
  RetryOptions retry;
  ChatDefaults chat;
};

/// Used by one thread at a time.
class OpenAi {
 public:
  using Take = std::function<void(std::size_t index, const std::string& item)>;
  /// Throws std::invalid_argument for an address or a key that cannot be used. Connects to nothing.
  explicit OpenAi(Settings settings);

  /// `tools`: JSON array or empty; `requests`: JSON array of chat requests. Gives `take` an item each as soon as it is
  /// known, as retort/abi/teacher.h defines them; a request that failed after its last try is an error of its own.
  /// Returns false when `should_stop` said yes. Throws std::invalid_argument for texts that are no JSON arrays, and
  /// std::runtime_error when the server accepts the key for none of the requests (status 401).
  bool complete(std::string_view tools, std::string_view requests, const Take& take,
                const std::function<bool()>& should_stop);

 private:
  std::string item_of(const HttpAnswer& answer) const;
  std::string without_key(std::string text) const;

  Settings settings_;
  HttpPosts posts_;
};

}  // namespace retort::openai
