// See http_client.h.
#include "http_client.h"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace retort::environments {
namespace {

constexpr double longest_farewell = 2.0;  // seconds

/// Whether the server, or what is between, ended an answer that had begun.
bool is_broken_off(CURLcode code) {
  return code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_HTTP2_STREAM || code == CURLE_HTTP2;
}

}  // namespace

struct HttpClient::Transfer {
  HttpReply reply;
  const Take* take = nullptr;
  ShouldStop should_stop = nullptr;
  std::size_t output_limit = 0;
  bool enough = false, too_long = false;
  std::exception_ptr thrown;

  static std::size_t body(const char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (transfer.reply.body.size() + size * count > transfer.output_limit) {
      transfer.too_long = true;
      return 0;
    }
    transfer.reply.body.append(data, size * count);
    try {
      transfer.enough = *transfer.take && !(*transfer.take)(transfer.reply);
    } catch (...) {
      transfer.thrown = std::current_exception();
      return 0;
    }
    return transfer.enough ? 0 : size * count;
  }
  static std::size_t header(const char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::string line(data, size * count);
    if (line.starts_with("HTTP/")) transfer.reply = {};  // the answer behind an interim one
    const std::size_t status = line.find(' ');
    if (line.starts_with("HTTP/") && status != std::string::npos) transfer.reply.status = std::atol(&line[status]);
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) return size * count;
    std::string name = line.substr(0, colon), value = line.substr(colon + 1);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    value.erase(0, value.find_first_not_of(" \t"));
    value.erase(value.find_last_not_of(" \t\r\n") + 1);
    transfer.reply.headers[name] = value;
    return size * count;
  }
  static int look(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(self)->should_stop() ? 1 : 0;
  }
};

HttpClient::HttpClient(HttpSettings settings, ShouldStop should_stop)
    : settings_(std::move(settings)), should_stop_(should_stop) {
  http::expect_http("url", settings_.url);
  http::expect_key(settings_.key);
  http::start_curl();
}

HttpClient::~HttpClient() = default;

http::Easy HttpClient::take_handle() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return http::new_easy();
  http::Easy handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

HttpReply HttpClient::perform(const char* method, const std::string& body, const std::vector<std::string>& headers,
                              const Take& take, double timeout) {
  http::Headers list;
  for (const std::string& line : headers) http::append(list, line);
  http::append(list, "Expect:");  // no round trip before the body
  if (!settings_.key.empty()) http::append(list, "Authorization: Bearer " + settings_.key);
  Transfer transfer;
  transfer.take = &take;
  transfer.should_stop = should_stop_;
  transfer.output_limit = settings_.output_limit;
  char failure[CURL_ERROR_SIZE] = {};
  http::Easy owner = take_handle();
  CURL* handle = owner.get();
  curl_easy_setopt(handle, CURLOPT_URL, settings_.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);  // a mount's "/mcp" is often moved to "/mcp/"
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method);
  if (std::string_view(method) != "GET") {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  }
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout * 1000));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(std::min(timeout, http::longest_connecting) * 1000));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &Transfer::body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &Transfer::header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &Transfer::look);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, failure);
  const CURLcode code = curl_easy_perform(handle);
  curl_easy_reset(handle);  // keeps its connections, and nothing of this function
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(owner));
  }
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  if (code == CURLE_OK || transfer.enough) return std::move(transfer.reply);
  if (code == CURLE_ABORTED_BY_CALLBACK) throw StopRequested();
  if (take && is_broken_off(code) && transfer.reply.status / 100 == 2) {
    transfer.reply.broken = failure[0] != '\0' ? failure : curl_easy_strerror(code);
    return std::move(transfer.reply);
  }
  std::ostringstream seconds;
  seconds << timeout;
  std::string why = failure[0] != '\0' ? failure : curl_easy_strerror(code);
  if (transfer.too_long)
    why = "its answer is longer than \"output_limit\" allows, " + std::to_string(settings_.output_limit) + " bytes";
  else if (code == CURLE_OPERATION_TIMEDOUT)
    why = "did not answer within " + seconds.str() + " s; raise \"timeout\" if it needs longer (" + why + ")";
  throw std::runtime_error(without_key("'" + settings_.url + "': " + why));
}

std::vector<std::string> HttpClient::checked(std::vector<std::string> headers) const {
  for (const std::string& line : headers)
    if (!http::fits_header(line))
      throw std::runtime_error("'" + settings_.url + "': a header holds a control character");
  return headers;
}

HttpReply HttpClient::post(const std::string& body, const std::vector<std::string>& headers, const Take& take) {
  std::vector<std::string> all = checked(headers);
  all.emplace_back("Content-Type: application/json");
  return perform("POST", body, all, take, settings_.timeout);
}

HttpReply HttpClient::get(const std::vector<std::string>& headers, const Take& take, double timeout) {
  return perform("GET", "", checked(headers), take, std::min(timeout, settings_.timeout));
}

void HttpClient::remove(const std::vector<std::string>& headers) noexcept {
  try {
    perform("DELETE", "", headers, {}, std::min(settings_.timeout, longest_farewell));
  } catch (...) {  // the server ends what nobody uses
  }
}

std::string HttpClient::without_key(std::string text) const {
  return http::without_key(std::move(text), settings_.key);
}

}  // namespace retort::environments
