// One multi handle drives all transfers of a batch from the calling thread. A request that waits for its next try holds
// no slot.
#include "http_posts.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <stdexcept>
#include <utility>
#include <vector>

#include "transfers.h"

namespace retort::openai {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds longest_poll(200);

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

struct HttpPosts::Connection {
  http::Multi multi;
};

/// The requests of one run(): waiting, then in a slot, then done.
class HttpPosts::Batch {
 public:
  Batch(const HttpOptions& options, Connection& connection, std::size_t count,
        const std::function<Post(std::size_t)>& post, Gate& gate,
        const std::function<void(std::size_t, const HttpAnswer&)>& take)
      : options_(options), connection_(connection), post_(post), gate_(gate), take_(take) {
    for (std::size_t i = 0; i < count; ++i) waiting_.push_back({i, 0, Clock::time_point::min()});
    slots_.resize(std::min(options.concurrency, count));
    for (Slot& slot : slots_) slot.easy = make_handle(slot);
  }
  ~Batch() {
    for (Slot& slot : slots_)
      if (slot.busy) break_off(slot);
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  bool done() const { return (refused_ || waiting_.empty()) && busy_ == 0; }
  bool refused() const { return refused_; }

  /// Starts what may start, moves what moves, and waits a little for more.
  void step() {
    poll_ = longest_poll;
    for (Slot& slot : slots_)
      if (!slot.busy && !start_next(slot)) break;
    if (done()) return;
    int running = 0;
    check(curl_multi_perform(connection_.multi.get(), &running));
    if (finish_transfers()) return;
    check(curl_multi_poll(connection_.multi.get(), nullptr, 0, static_cast<int>(poll_.count()), nullptr));
  }

 private:
  struct Request {
    std::size_t index;
    std::int64_t attempt;
    Clock::time_point ready;  ///< not to be sent before
  };
  struct Slot {
    http::Easy easy;
    bool busy = false;
    Request request{};
    std::size_t endpoint = 0;
    Clock::time_point started;
    std::string sent, received;
    http::Headers headers;
    char failure[CURL_ERROR_SIZE] = {};
  };

  static void check(CURLMcode code) {
    if (code != CURLM_OK) throw std::runtime_error(std::string("libcurl: ") + curl_multi_strerror(code));
  }

  http::Easy make_handle(Slot& slot) const {
    http::Easy easy = new_transfer(options_.timeout, slot.received, slot.failure);
    curl_easy_setopt(easy.get(), CURLOPT_PRIVATE, &slot);
    return easy;
  }

  http::Headers headers_with(const std::string& idempotency_key) const {
    http::Headers headers;
    http::append(headers, "Content-Type: application/json");
    http::append(headers, "Expect:");  // no round trip before the body
    if (!options_.authorization.empty()) http::append(headers, "Authorization: " + options_.authorization);
    if (!idempotency_key.empty()) http::append(headers, "Idempotency-Key: " + idempotency_key);
    return headers;
  }

  /// Whether the slot got a request; none may be ready, or let through.
  bool start_next(Slot& slot) {
    if (refused_ || waiting_.empty()) return false;
    const auto now = Clock::now();
    const auto next =
        std::find_if(waiting_.begin(), waiting_.end(), [&](const Request& request) { return request.ready <= now; });
    if (next == waiting_.end()) {
      const auto first = std::min_element(waiting_.begin(), waiting_.end(),
                                          [](const Request& a, const Request& b) { return a.ready < b.ready; });
      poll_at_most(std::chrono::ceil<std::chrono::milliseconds>(first->ready - now));
      return false;
    }
    const Gate::Admission admission = gate_.admit(next->index, busy_, now);
    if (admission.kind == Gate::Kind::never) refused_ = true;
    if (admission.kind == Gate::Kind::later)
      poll_at_most(std::chrono::milliseconds(1 + static_cast<std::int64_t>(std::min(admission.wait, 1.0) * 1000)));
    if (admission.kind != Gate::Kind::now) return false;
    slot.request = *next;
    waiting_.erase(next);
    slot.endpoint = admission.endpoint;
    slot.started = now;
    Post post = post_(slot.request.index);
    slot.sent = std::move(post.body);
    slot.headers = headers_with(post.idempotency_key);
    slot.received.clear();
    slot.failure[0] = '\0';
    CURL* handle = slot.easy.get();
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, slot.headers.get());
    curl_easy_setopt(handle, CURLOPT_URL, options_.urls[slot.endpoint].c_str());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, slot.sent.c_str());
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(slot.sent.size()));
    check(curl_multi_add_handle(connection_.multi.get(), handle));
    slot.busy = true;
    ++busy_;
    return true;
  }

  void poll_at_most(std::chrono::milliseconds time) {
    poll_ = std::max(std::chrono::milliseconds(0), std::min(poll_, time));
  }

  bool finish_transfers() {
    int left = 0;
    bool any = false;
    while (const CURLMsg* message = curl_multi_info_read(connection_.multi.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      char* owner = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
      Slot& slot = *reinterpret_cast<Slot*>(owner);
      const CURLcode code = message->data.result;  // the message dies with the next call
      check(curl_multi_remove_handle(connection_.multi.get(), slot.easy.get()));
      slot.busy = false;
      --busy_;
      any = true;
      finish(slot, code);
    }
    return any;
  }

  HttpAnswer attempt_of(Slot& slot) const {
    HttpAnswer answer;
    answer.tries = slot.request.attempt + 1;
    answer.endpoint = slot.endpoint;
    answer.started = slot.started;
    long bytes = 0;
    curl_easy_getinfo(slot.easy.get(), CURLINFO_REQUEST_SIZE, &bytes);
    answer.sent = bytes > 0;
    return answer;
  }

  void finish(Slot& slot, CURLcode code) {
    HttpAnswer answer = attempt_of(slot);
    if (code == CURLE_OK) {
      curl_easy_getinfo(slot.easy.get(), CURLINFO_RESPONSE_CODE, &answer.status);
      answer.body = std::move(slot.received);
      answer.asked_wait = asked_wait(slot.easy.get());
    } else {
      answer.failure = failure_text(code, slot.failure);
    }
    if (code == CURLE_OK ? worth_retrying(answer.status) : code != CURLE_WRITE_ERROR) {
      const auto wait = wait_before_retry(options_.retry, slot.request.attempt, slot.request.index, answer.asked_wait);
      if (wait) {
        answer.again = true;
        waiting_.push_back({slot.request.index, slot.request.attempt + 1, after(*wait)});
      }
    }
    hand_on(slot.request.index, answer);
  }

  /// Settled last: a process that is killed in between has kept the answer, and counts it as it was reserved.
  void hand_on(std::size_t index, const HttpAnswer& answer) {
    try {
      if (!answer.again || refused_) take_(index, answer);
    } catch (...) {
      gate_.settle(index, answer, Clock::now());
      throw;
    }
    gate_.settle(index, answer, Clock::now());
  }

  /// The request may have reached the server, and what it costs there is not known. An exception may be on its way.
  void break_off(Slot& slot) noexcept {
    HttpAnswer answer = attempt_of(slot);
    answer.failure = "broken off";
    curl_multi_remove_handle(connection_.multi.get(), slot.easy.get());
    try {
      gate_.settle(slot.request.index, answer, Clock::now());
    } catch (const std::runtime_error&) {  // not written: the next start counts it as spent
    }
  }

  const HttpOptions& options_;
  Connection& connection_;
  const std::function<Post(std::size_t)>& post_;
  Gate& gate_;
  const std::function<void(std::size_t, const HttpAnswer&)>& take_;
  std::deque<Request> waiting_;
  std::vector<Slot> slots_;
  std::size_t busy_ = 0;
  bool refused_ = false;
  std::chrono::milliseconds poll_ = longest_poll;
};

HttpPosts::HttpPosts(HttpOptions options) : options_(std::move(options)), connection_(std::make_unique<Connection>()) {
  for (const std::string& url : options_.urls) http::expect_http("base_url", url);
  http::expect_key(options_.authorization);
  http::start_curl();
  connection_->multi.reset(curl_multi_init());
  if (!connection_->multi) throw std::bad_alloc();
}

HttpPosts::~HttpPosts() = default;

HttpPosts::End HttpPosts::run(std::size_t count, const std::function<Post(std::size_t)>& post, Gate& gate,
                              const std::function<void(std::size_t, const HttpAnswer&)>& take,
                              const std::function<bool()>& should_stop) {
  Batch batch(options_, *connection_, count, post, gate, take);
  while (!batch.done()) {
    if (should_stop()) return End::stopped;
    batch.step();
  }
  return batch.refused() ? End::refused : End::done;
}

}  // namespace retort::openai
