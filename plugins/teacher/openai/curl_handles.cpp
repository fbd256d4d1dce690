// See curl_handles.h.
#include "curl_handles.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <new>
#include <stdexcept>

#include "retry.h"

namespace retort::openai {
namespace {

constexpr std::size_t longest_body = std::size_t{64} << 20U;  ///< of an answer, bytes
constexpr double longest_connecting = 10.0;                   ///< seconds

std::size_t receive(const char* data, std::size_t size, std::size_t count, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (text.size() + size * count > longest_body) return 0;  // libcurl then gives up with CURLE_WRITE_ERROR
  text.append(data, size * count);
  return size * count;
}

}  // namespace

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw std::runtime_error("libcurl does not start");
  });
}

void append(Headers& headers, const std::string& line) {
  curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  static_cast<void>(headers.release());
  headers.reset(longer);
}

Easy new_easy(double timeout, std::string& received, char* failure) {
  Easy easy(curl_easy_init());
  if (!easy) throw std::bad_alloc();
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout * 1000));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(timeout, longest_connecting) * 1000));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &receive);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &received);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, failure);
  return easy;
}

std::string failure_text(CURLcode code, const char* failure) {
  if (code == CURLE_WRITE_ERROR) return "the answer is longer than " + std::to_string(longest_body) + " bytes";
  return failure[0] != '\0' ? failure : curl_easy_strerror(code);
}

std::optional<double> asked_wait(CURL* handle) {
  curl_header* header = nullptr;
  if (curl_easy_header(handle, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return std::nullopt;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return retry_after(header->value, std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

void expect_http(const std::string& url) {
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    throw std::invalid_argument("base_url: expected http://… or https://…, found \"" + url + "\"");
}

void expect_header_value(const std::string& value) {
  const bool printable =
      std::all_of(value.begin(), value.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7F; });
  if (!printable) throw std::invalid_argument("the key holds a control character, such as a line feed at its end");
}

}  // namespace retort::openai
