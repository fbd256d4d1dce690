// libcurl's handles as owners, with the settings that all requests share.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace retort::openai {

struct EasyDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct MultiDeleter {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using Multi = std::unique_ptr<CURLM, MultiDeleter>;
using Headers = std::unique_ptr<curl_slist, ListDeleter>;

void start_curl();  ///< once a process; [any-thread]
void append(Headers& headers, const std::string& line);

/// A handle of http and https that writes the answer to `received`, of 64 MiB at most, and why there is none to
/// `failure` (CURL_ERROR_SIZE bytes); both outlive it. `timeout`: seconds.
Easy new_easy(double timeout, std::string& received, char* failure);
/// In libcurl's words, or that the answer was too long.
std::string failure_text(CURLcode code, const char* failure);
/// Seconds that the answer's Retry-After asks for.
std::optional<double> asked_wait(CURL* handle);

/// Throw std::invalid_argument: what was expected, found, but for the header's value, which may be a key.
void expect_http(const std::string& url);
void expect_header_value(const std::string& value);

}  // namespace retort::openai
