// See transfers.h.
#include "transfers.h"

#include <algorithm>
#include <chrono>

#include "retry.h"

namespace retort::openai {
namespace {

constexpr std::size_t longest_body = std::size_t{64} << 20U;  ///< of an answer, bytes

std::size_t receive(const char* data, std::size_t size, std::size_t count, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (text.size() + size * count > longest_body) return 0;  // libcurl then gives up with CURLE_WRITE_ERROR
  text.append(data, size * count);
  return size * count;
}

}  // namespace

http::Easy new_transfer(double timeout, std::string& received, char* failure) {
  http::Easy easy = http::new_easy();
  CURL* handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout * 1000));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(std::min(timeout, http::longest_connecting) * 1000));
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

}  // namespace retort::openai
