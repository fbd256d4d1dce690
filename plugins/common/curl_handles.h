// libcurl's handles as owners, and what every request with a key must see to.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

namespace retort::http {

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

constexpr double longest_connecting = 10.0;  ///< seconds

void start_curl();  ///< once a process; [any-thread]
Easy new_easy();
void append(Headers& headers, const std::string& line);

/// Throws std::invalid_argument: `parameter`: what was expected, found.
void expect_http(const char* parameter, const std::string& url);
/// Without control characters.
bool fits_header(const std::string& text);
/// Throws std::invalid_argument, which does not show it, for a key that no header can hold.
void expect_key(const std::string& key);
/// `text` with "***" wherever the key stands; an empty key stands nowhere.
std::string without_key(std::string text, const std::string& key);

}  // namespace retort::http
