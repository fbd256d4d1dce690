// See curl_handles.h.
#include "curl_handles.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <stdexcept>

namespace retort::http {

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw std::runtime_error("libcurl does not start");
  });
}

Easy new_easy() {
  Easy easy(curl_easy_init());
  if (!easy) throw std::bad_alloc();
  return easy;
}

void append(Headers& headers, const std::string& line) {
  curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  static_cast<void>(headers.release());
  headers.reset(longer);
}

void expect_http(const char* parameter, const std::string& url) {
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    throw std::invalid_argument(std::string(parameter) + ": expected http://… or https://…, found \"" + url + "\"");
}

bool fits_header(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7F; });
}

void expect_key(const std::string& key) {
  if (!fits_header(key))
    throw std::invalid_argument("the key holds a control character, such as a line feed at its end");
}

std::string without_key(std::string text, const std::string& key) {
  if (key.empty()) return text;
  // Goes on behind the asterisks: the key may be of asterisks itself.
  for (std::size_t at = 0; (at = text.find(key, at)) != std::string::npos; at += 3) text.replace(at, key.size(), "***");
  return text;
}

}  // namespace retort::http
