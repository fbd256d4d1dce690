// See batch_api.h. One request at a time; https://platform.openai.com/docs/api-reference/batch has the texts.
#include "batch_api.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>
#include <utility>

#include "chat.h"
#include "transfers.h"

namespace retort::openai {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

struct Stop {};  ///< should_stop said yes

/// The text member of a line; "" where there is none.
std::string text_member(const json& line, const char* name) {
  const json value = line.is_object() ? line.value(name, json()) : json();
  return value.is_string() ? value.get<std::string>() : "";
}

void pause_for(double seconds, const std::function<bool()>& should_stop) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    if (should_stop()) throw Stop();
    std::this_thread::sleep_for(
        std::chrono::duration<double>(std::clamp(std::chrono::duration<double>(end - Clock::now()).count(), 0.0, 0.1)));
  }
}

}  // namespace

/// Requests one after the other, tried again as HttpPosts does.
class BatchApi::Client {
 public:
  explicit Client(const BatchOptions& options) : options_(options) {
    http::expect_http("base_url", options.base_url);
    http::expect_key(options.authorization);
    http::start_curl();
    multi_.reset(curl_multi_init());
    if (!multi_) throw std::bad_alloc();
  }

  std::function<bool()> should_stop = [] { return false; };

  std::string get(const std::string& path) {
    return call(path, "", [](CURL*) {});
  }
  std::string post(const std::string& path, const std::string& body) {
    return call(path, "Content-Type: application/json", [&](CURL* handle) {
      curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
    });
  }
  std::string upload(const std::string& lines) {
    std::unique_ptr<curl_mime, decltype(&curl_mime_free)> form(nullptr, &curl_mime_free);
    return call("/files", "", [&](CURL* handle) {
      form.reset(curl_mime_init(handle));
      curl_mimepart* purpose = curl_mime_addpart(form.get());
      curl_mime_name(purpose, "purpose");
      curl_mime_data(purpose, "batch", CURL_ZERO_TERMINATED);
      curl_mimepart* file = curl_mime_addpart(form.get());
      curl_mime_name(file, "file");
      curl_mime_filename(file, "requests.jsonl");
      curl_mime_type(file, "application/jsonl");
      curl_mime_data(file, lines.data(), lines.size());
      curl_easy_setopt(handle, CURLOPT_MIMEPOST, form.get());
    });
  }

 private:
  template <typename Prepare>
  std::string call(const std::string& path, const char* header, const Prepare& prepare) {
    for (std::int64_t attempt = 0;; ++attempt) {
      std::string received;
      char failure[CURL_ERROR_SIZE] = {};
      const http::Easy easy = new_transfer(options_.timeout, received, failure);
      http::Headers headers;
      http::append(headers, "Expect:");
      if (*header != '\0') http::append(headers, header);
      if (!options_.authorization.empty()) http::append(headers, "Authorization: " + options_.authorization);
      curl_easy_setopt(easy.get(), CURLOPT_URL, (options_.base_url + path).c_str());
      curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
      prepare(easy.get());
      const CURLcode code = perform(easy.get());
      long status = 0;
      curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
      if (code == CURLE_OK && status == 200) return received;
      const auto wait =
          wait_before_retry(options_.retry, attempt, 0, code == CURLE_OK ? asked_wait(easy.get()) : std::nullopt);
      const bool again = code == CURLE_OK ? worth_retrying(status) : code != CURLE_WRITE_ERROR;
      if (!again || !wait)
        throw std::runtime_error("batch: " + path + ": " +
                                 (code == CURLE_OK ? "status " + std::to_string(status) + ": " + failure_of(received)
                                                   : "no answer: " + failure_text(code, failure)));
      pause_for(*wait, should_stop);
    }
  }

  CURLcode perform(CURL* handle) {
    curl_multi_add_handle(multi_.get(), handle);
    struct Removal {
      CURLM* multi;
      CURL* handle;
      ~Removal() { curl_multi_remove_handle(multi, handle); }
    } const removal{multi_.get(), handle};
    for (int running = 1; running > 0;) {
      if (should_stop()) throw Stop();
      curl_multi_perform(multi_.get(), &running);
      if (running > 0) curl_multi_poll(multi_.get(), nullptr, 0, 200, nullptr);
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left))
      if (message->msg == CURLMSG_DONE && message->easy_handle == handle) return message->data.result;
    return CURLE_FAILED_INIT;
  }

  const BatchOptions& options_;
  http::Multi multi_;
};

namespace {

/// A text member of an answer. Throws std::runtime_error.
std::string text_in(const std::string& body, const char* name) {
  const json answer = json::parse(body, nullptr, false);
  const json value = answer.is_object() ? answer.value(name, json()) : json();
  if (!value.is_string())
    throw std::runtime_error(std::string("batch: expected an answer with a text \"") + name + "\", found " +
                             body.substr(0, 300));
  return value;
}

}  // namespace

BatchApi::BatchApi(BatchOptions options) : options_(std::move(options)), client_(std::make_unique<Client>(options_)) {
  if (!options_.record) return;
  record_ = std::make_unique<teacher::LineFile>(*options_.record);
  record_->read_new([this](std::uint64_t, std::string_view text) {
    const json line = json::parse(text, nullptr, false);
    if (!line.is_object()) return;
    const std::string file = text_member(line, "file"), batch = text_member(line, "batch");
    if (const std::string finished = text_member(line, "finished"); !finished.empty())
      std::erase_if(open_, [&](const Open& one) { return one.batch == finished; });
    else if (batch.empty())
      open_.push_back({file, ""});
    else
      for (Open& one : open_)
        if (one.file == file) one.batch = batch;
  });
}

BatchApi::~BatchApi() = default;

void BatchApi::record(const std::string& line) {
  if (!record_) return;
  record_->append(line);
  record_->sync();
}

bool BatchApi::pick_up(const Take& take, const std::function<bool()>& should_stop) {
  client_->should_stop = should_stop;
  try {
    for (; !open_.empty(); open_.erase(open_.begin())) {
      Open& first = open_.front();
      if (first.batch.empty()) first.batch = batch_of_file(first.file);
      if (first.batch.empty()) continue;  // uploaded and not handed in: nothing was asked
      options_.log("batch " + first.batch + " was handed in by an earlier start; its answers are taken up");
      std::set<std::string> answered;
      wait_for(first, take, answered, should_stop);
    }
  } catch (const Stop&) {
    return false;
  }
  return true;
}

bool BatchApi::run(const std::vector<Request>& requests, const Take& take, const std::function<bool()>& should_stop) {
  client_->should_stop = should_stop;
  try {
    std::string lines;
    for (const Request& request : requests)
      lines += "{\"custom_id\":\"" + request.key + "-" + std::to_string(request.ticket) +
               R"(","method":"POST","url":"/v1/chat/completions","body":)" + request.body + "}\n";
    Open open{text_in(client_->upload(lines), "id"), ""};
    record(dumped({{"file", open.file}}));
    open_.push_back(open);
    open.batch = text_in(
        client_->post(
            "/batches",
            dumped({{"input_file_id", open.file}, {"endpoint", "/v1/chat/completions"}, {"completion_window", "24h"}})),
        "id");
    record(dumped({{"file", open.file}, {"batch", open.batch}}));
    open_.back().batch = open.batch;
    options_.log("batch " + open.batch + " of " + std::to_string(requests.size()) + " requests is handed in");
    std::set<std::string> answered;
    wait_for(open, take, answered, should_stop);
    open_.pop_back();
    for (const Request& request : requests)
      if (!answered.contains(request.key))
        take(request.key, request.ticket, {0, "", "batch " + open.batch + " ended without an answer to this request"});
  } catch (const Stop&) {
    return false;
  }
  return true;
}

bool BatchApi::wait_for(const Open& open, const Take& take, std::set<std::string>& answered,
                        const std::function<bool()>& should_stop) {
  for (;;) {
    const std::string text = client_->get("/batches/" + open.batch);
    const std::string status = text_in(text, "status");
    if (status == "completed" || status == "failed" || status == "expired" || status == "cancelled") {
      const json batch = json::parse(text);
      for (const char* name : {"output_file_id", "error_file_id"})
        if (const json file = batch.value(name, json()); file.is_string() && file != "")
          read_answers(file, take, answered);
      if (status != "completed") options_.log("batch " + open.batch + " ended as \"" + status + "\"");
      record(dumped({{"finished", open.batch}}));
      if (status == "failed" && answered.empty())
        throw std::runtime_error("batch " + open.batch + " failed: " + dumped(batch.value("errors", json())));
      return true;
    }
    pause_for(options_.poll, should_stop);
  }
}

void BatchApi::read_answers(const std::string& file, const Take& take, std::set<std::string>& answered) {
  const std::string text = client_->get("/files/" + file + "/content");
  std::size_t unreadable = 0, again = 0;
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    const json line = json::parse(std::string_view(text).substr(begin, end - begin), nullptr, false);
    if (begin == end) continue;
    const std::string id = text_member(line, "custom_id");
    const std::size_t dash = id.rfind('-');
    const bool named = dash == 32 && id.find_first_not_of("0123456789", dash + 1) == std::string::npos &&
                       dash + 1 < id.size() && id.size() < 52;
    if (!named) {
      ++unreadable;
      continue;
    }
    const std::string key = id.substr(0, dash);
    if (!answered.insert(key).second) {
      ++again;
      continue;
    }
    const json response = line.value("response", json());
    Answer answer;
    if (response.is_object() && response.contains("body")) {
      const json status = response.value("status_code", json());
      answer.status = status.is_number_integer() ? status.get<long>() : 0;
      answer.body = dumped(response["body"]);
    } else {
      answer.failure = "the batch could not answer: " + dumped(line.value("error", json()));
    }
    take(key, std::stoll(id.substr(dash + 1)), answer);
  }
  if (unreadable + again > 0)
    options_.log("file " + file + ": " + std::to_string(unreadable) + " lines could not be read, and " +
                 std::to_string(again) + " answered what had been answered; passed over");
}

/// Of the server's newest batches.
std::string BatchApi::batch_of_file(const std::string& file) {
  const json answer = json::parse(client_->get("/batches?limit=100"), nullptr, false);
  for (const json& one : answer.is_object() ? answer.value("data", json::array()) : json::array())
    if (one.is_object() && one.value("input_file_id", json()) == file) return text_member(one, "id");
  return "";
}

}  // namespace retort::openai
