// Requests to one address with libcurl: with limits of time and length, and answers that are read while they come.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "curl_handles.h"
#include "exchange.h"

namespace retort::environments {

struct HttpSettings {
  std::string url;
  std::string key;      ///< sent as a bearer token; empty: none. Never in a failure's text
  double timeout = 60;  ///< seconds of one request
  std::size_t output_limit = std::size_t{64} << 20U;  ///< bytes of one answer
};

struct HttpReply {
  long status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  std::string broken;  ///< why the answer ended too early; only where somebody takes it as it comes
};

/// Any thread; connections are kept for the next request.
class HttpClient {
 public:
  /// Throws std::invalid_argument for an address or a key that cannot be used. Connects to nothing.
  HttpClient(HttpSettings settings, ShouldStop should_stop);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// What `take` wants of an answer that is still coming: false: enough, the rest is not waited for.
  using Take = std::function<bool(const HttpReply& so_far)>;
  /// `headers`: "Name: value" beside the content type. Throws std::runtime_error where no answer comes, or a longer one
  /// than the limit; StopRequested.
  HttpReply post(const std::string& body, const std::vector<std::string>& headers, const Take& take = {});
  /// Likewise, without a body; `timeout` in seconds, at most that of the settings.
  HttpReply get(const std::vector<std::string>& headers, const Take& take, double timeout);
  /// Asks the server to end what the headers name; whether it does is not waited for long, and nobody's fault.
  void remove(const std::vector<std::string>& headers) noexcept;

  const std::string& url() const { return settings_.url; }
  /// The text without the key.
  std::string without_key(std::string text) const;

 private:
  struct Transfer;
  HttpReply perform(const char* method, const std::string& body, const std::vector<std::string>& headers,
                    const Take& take, double timeout);
  std::vector<std::string> checked(std::vector<std::string> headers) const;
  http::Easy take_handle();
  HttpSettings settings_;
  ShouldStop should_stop_;
  std::mutex mutex_;
  std::vector<http::Easy> idle_;
};

}  // namespace retort::environments
