// One multi handle drives all transfers of a batch from the calling thread. A request that waits for its next try holds
// no slot; a 429 that names a time holds all back until then, because the limit is the account's, not the request's.
#include "http_posts.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

namespace retort::openai {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t longest_body = std::size_t{64} << 20U;  ///< of an answer, bytes
constexpr std::chrono::milliseconds longest_poll(200);
constexpr double longest_connecting = 10.0;  ///< seconds

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

std::size_t receive(const char* data, std::size_t size, std::size_t count, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (text.size() + size * count > longest_body) return 0;  // libcurl then gives up with CURLE_WRITE_ERROR
  text.append(data, size * count);
  return size * count;
}

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

struct HttpPosts::Connection {
  Multi multi;
  Headers headers;
};

/// The requests of one run(): waiting, then in a slot, then done.
class HttpPosts::Batch {
 public:
  Batch(const HttpOptions& options, Connection& connection, std::size_t count,
        const std::function<std::string(std::size_t)>& body, const std::function<void(std::size_t, HttpAnswer)>& take)
      : options_(options), connection_(connection), body_(body), take_(take) {
    for (std::size_t i = 0; i < count; ++i) waiting_.push_back({i, 0, Clock::time_point::min()});
    slots_.resize(std::min(options.concurrency, count));
    for (Slot& slot : slots_) slot.easy = make_handle(slot);
  }
  ~Batch() {
    for (Slot& slot : slots_)
      if (slot.busy) curl_multi_remove_handle(connection_.multi.get(), slot.easy.get());
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  bool done() const { return waiting_.empty() && busy_ == 0; }

  /// Starts what may start, moves what moves, and waits a little for more.
  void step() {
    for (Slot& slot : slots_)
      if (!slot.busy && !start_next(slot)) break;
    int running = 0;
    check(curl_multi_perform(connection_.multi.get(), &running));
    finish_transfers();
    if (done()) return;
    check(curl_multi_poll(connection_.multi.get(), nullptr, 0, static_cast<int>(poll_time().count()), nullptr));
  }

 private:
  struct Request {
    std::size_t index;
    std::int64_t attempt;
    Clock::time_point ready;  ///< not to be sent before
  };
  struct Slot {
    Easy easy;
    bool busy = false;
    Request request{};
    std::string sent, received;
    char failure[CURL_ERROR_SIZE] = {};
  };

  static void check(CURLMcode code) {
    if (code != CURLM_OK) throw std::runtime_error(std::string("libcurl: ") + curl_multi_strerror(code));
  }

  Easy make_handle(Slot& slot) const {
    Easy easy(curl_easy_init());
    if (!easy) throw std::bad_alloc();
    CURL* handle = easy.get();
    curl_easy_setopt(handle, CURLOPT_URL, options_.url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, connection_.headers.get());
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout * 1000));
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(std::min(options_.timeout, longest_connecting) * 1000));
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &receive);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &slot.received);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, slot.failure);
    curl_easy_setopt(handle, CURLOPT_PRIVATE, &slot);
    return easy;
  }

  /// Whether the slot got a request; none may be ready.
  bool start_next(Slot& slot) {
    const auto now = Clock::now();
    const auto next = std::find_if(waiting_.begin(), waiting_.end(),
                                   [&](const Request& request) { return request.ready <= now && pause_ <= now; });
    if (next == waiting_.end()) return false;
    slot.request = *next;
    waiting_.erase(next);
    slot.sent = body_(slot.request.index);
    slot.received.clear();
    slot.failure[0] = '\0';
    curl_easy_setopt(slot.easy.get(), CURLOPT_POSTFIELDS, slot.sent.c_str());
    curl_easy_setopt(slot.easy.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(slot.sent.size()));
    check(curl_multi_add_handle(connection_.multi.get(), slot.easy.get()));
    slot.busy = true;
    ++busy_;
    return true;
  }

  void finish_transfers() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(connection_.multi.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      char* owner = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
      Slot& slot = *reinterpret_cast<Slot*>(owner);
      const CURLcode code = message->data.result;  // the message dies with the next call
      check(curl_multi_remove_handle(connection_.multi.get(), slot.easy.get()));
      slot.busy = false;
      --busy_;
      finish(slot, code);
    }
  }

  void finish(Slot& slot, CURLcode code) {
    HttpAnswer answer;
    answer.tries = slot.request.attempt + 1;
    if (code == CURLE_OK) {
      curl_easy_getinfo(slot.easy.get(), CURLINFO_RESPONSE_CODE, &answer.status);
      answer.body = std::move(slot.received);
    } else {
      answer.failure = slot.failure[0] != '\0' ? slot.failure : curl_easy_strerror(code);
      if (code == CURLE_WRITE_ERROR)
        answer.failure = "the answer is longer than " + std::to_string(longest_body) + " bytes";
    }
    const std::optional<double> asked_for = code == CURLE_OK ? asked_wait(slot.easy.get()) : std::nullopt;
    if (code == CURLE_OK ? worth_retrying(answer.status) : code != CURLE_WRITE_ERROR) {
      const auto wait = wait_before_retry(options_.retry, slot.request.attempt, slot.request.index, asked_for);
      if (wait) {
        if (answer.status == 429 && asked_for) pause_ = std::max(pause_, after(*asked_for));
        waiting_.push_back({slot.request.index, slot.request.attempt + 1, after(*wait)});
        return;
      }
    }
    take_(slot.request.index, std::move(answer));
  }

  static std::optional<double> asked_wait(CURL* handle) {
    curl_header* header = nullptr;
    if (curl_easy_header(handle, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return std::nullopt;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return retry_after(header->value, std::chrono::duration_cast<std::chrono::seconds>(now).count());
  }

  /// Until the next request may start, but not longer than stopping may take to be seen.
  std::chrono::milliseconds poll_time() const {
    if (busy_ == slots_.size() || waiting_.empty()) return longest_poll;
    const auto first = std::min_element(waiting_.begin(), waiting_.end(),
                                        [](const Request& a, const Request& b) { return a.ready < b.ready; });
    const auto now = Clock::now();
    const auto ready = std::max(first->ready, pause_);
    if (ready <= now) return std::chrono::milliseconds(0);
    return std::min(longest_poll, std::chrono::ceil<std::chrono::milliseconds>(ready - now));
  }

  const HttpOptions& options_;
  Connection& connection_;
  const std::function<std::string(std::size_t)>& body_;
  const std::function<void(std::size_t, HttpAnswer)>& take_;
  std::deque<Request> waiting_;
  std::vector<Slot> slots_;
  std::size_t busy_ = 0;
  Clock::time_point pause_ = Clock::time_point::min();
};

HttpPosts::HttpPosts(HttpOptions options) : options_(std::move(options)), connection_(std::make_unique<Connection>()) {
  if (!options_.url.starts_with("http://") && !options_.url.starts_with("https://"))
    throw std::invalid_argument("base_url: expected http://… or https://…, found \"" + options_.url + "\"");
  const bool printable = std::all_of(options_.authorization.begin(), options_.authorization.end(),
                                     [](unsigned char c) { return c >= 0x20 && c != 0x7F; });
  if (!printable) throw std::invalid_argument("the key holds a control character, such as a line feed at its end");
  start_curl();
  connection_->multi.reset(curl_multi_init());
  if (!connection_->multi) throw std::bad_alloc();
  append(connection_->headers, "Content-Type: application/json");
  append(connection_->headers, "Expect:");  // no round trip before the body
  if (!options_.authorization.empty()) append(connection_->headers, "Authorization: " + options_.authorization);
}

HttpPosts::~HttpPosts() = default;

bool HttpPosts::run(std::size_t count, const std::function<std::string(std::size_t)>& body,
                    const std::function<void(std::size_t, HttpAnswer)>& take,
                    const std::function<bool()>& should_stop) {
  Batch batch(options_, *connection_, count, body, take);
  while (!batch.done()) {
    if (should_stop()) return false;
    batch.step();
  }
  return true;
}

}  // namespace retort::openai
