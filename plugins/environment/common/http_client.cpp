// See http_client.h.
#include "http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <new>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace retort::environments {
namespace {

constexpr double longest_connecting = 10.0;  // seconds
constexpr double longest_farewell = 2.0;

struct HeaderListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, HeaderListDeleter>;

void add_header(HeaderList& headers, const std::string& line) {
  curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  static_cast<void>(headers.release());
  headers.reset(longer);
}

bool fit_for_a_header(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7F; });
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
  if (!settings_.url.starts_with("http://") && !settings_.url.starts_with("https://"))
    throw std::invalid_argument("url: expected http://… or https://…, found \"" + settings_.url + "\"");
  if (!fit_for_a_header(settings_.key))
    throw std::invalid_argument("the key holds a control character, such as a line feed at its end");
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw std::runtime_error("libcurl does not start");
  });
}

HttpClient::~HttpClient() {
  for (void* handle : idle_) curl_easy_cleanup(handle);
}

void* HttpClient::take_handle() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) {
    CURL* handle = curl_easy_init();
    if (handle == nullptr) throw std::bad_alloc();
    return handle;
  }
  void* handle = idle_.back();
  idle_.pop_back();
  return handle;
}

HttpReply HttpClient::perform(const char* method, const std::string& body, const std::vector<std::string>& headers,
                              const Take& take, double timeout) {
  HeaderList list;
  for (const std::string& line : headers) add_header(list, line);
  add_header(list, "Expect:");  // no round trip before the body
  if (!settings_.key.empty()) add_header(list, "Authorization: Bearer " + settings_.key);
  Transfer transfer;
  transfer.take = &take;
  transfer.should_stop = should_stop_;
  transfer.output_limit = settings_.output_limit;
  char failure[CURL_ERROR_SIZE] = {};
  CURL* handle = take_handle();
  curl_easy_reset(handle);  // keeps its connections
  curl_easy_setopt(handle, CURLOPT_URL, settings_.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);  // a mount's "/mcp" is often moved to "/mcp/"
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout * 1000));
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(timeout, longest_connecting) * 1000));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &Transfer::body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &Transfer::header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &Transfer::look);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, failure);
  const CURLcode code = curl_easy_perform(handle);
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back(handle);
  }
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  if (code == CURLE_OK || transfer.enough) return std::move(transfer.reply);
  if (code == CURLE_ABORTED_BY_CALLBACK) throw StopRequested();
  std::ostringstream seconds;
  seconds << timeout;
  std::string why = failure[0] != '\0' ? failure : curl_easy_strerror(code);
  if (transfer.too_long)
    why = "its answer is longer than \"output_limit\" allows, " + std::to_string(settings_.output_limit) + " bytes";
  else if (code == CURLE_OPERATION_TIMEDOUT)
    why = "did not answer within " + seconds.str() + " s; raise \"timeout\" if it needs longer (" + why + ")";
  throw std::runtime_error(without_key("'" + settings_.url + "': " + why));
}

HttpReply HttpClient::post(const std::string& body, const std::vector<std::string>& headers, const Take& take) {
  std::vector<std::string> all = {"Content-Type: application/json"};
  for (const std::string& line : headers) {
    if (!fit_for_a_header(line))
      throw std::runtime_error("'" + settings_.url + "': a header holds a control character");
    all.push_back(line);
  }
  return perform("POST", body, all, take, settings_.timeout);
}

void HttpClient::remove(const std::vector<std::string>& headers) noexcept {
  try {
    perform("DELETE", "", headers, {}, std::min(settings_.timeout, longest_farewell));
  } catch (...) {  // the server ends what nobody uses
  }
}

std::string HttpClient::without_key(std::string text) const {
  if (settings_.key.empty()) return text;
  for (std::size_t at = text.find(settings_.key); at != std::string::npos; at = text.find(settings_.key, at))
    text.replace(at, settings_.key.size(), "***");
  return text;
}

}  // namespace retort::environments
