// A teacher behind an HTTP API of OpenAI's kind: answers a batch of chat requests, several at once, keeps what was
// answered, and spends no more than it may.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "answer_store.h"
#include "batch_api.h"
#include "chat.h"
#include "http_posts.h"
#include "scoring.h"
#include "spending.h"
#include "traffic.h"

namespace retort::openai {

struct Settings {
  std::vector<std::string> base_urls;  ///< of the same service; "/chat/completions" is added. In rotation
  std::string key;                     ///< sent as a bearer token; empty: none. "***" wherever an answer repeats it
  std::size_t concurrency = 8;         ///< requests under way at each address, at most
  double timeout = 60.0;               ///< seconds a try
  RetryOptions retry;
  double requests_per_minute = 0, input_tokens_per_minute = 0, output_tokens_per_minute = 0;  ///< 0: no limit
  ChatDefaults chat;
  Budget budget;
  Prices prices;
  std::size_t give_up_after = 64;                ///< requests in a row that the endpoint failed for good; 0: never
  bool offline = false;                          ///< nothing is sent: what is not kept is an error of its request
  bool batch = false;                            ///< through the API's batches, which cost less and take longer
  double poll = 30.0;                            ///< seconds between two looks at a batch
  std::optional<std::filesystem::path> store;    ///< folder of kept answers; none: nothing is kept
  std::optional<std::filesystem::path> records;  ///< folder for what was spent and handed in; none: in memory
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

/// Throws std::invalid_argument, naming the parameter, for addresses and a key that cannot be used and for what cannot
/// be together. Opens nothing. `without_store`: no answers will be kept.
void expect_usable(const Settings& settings, bool without_store);

/// Used by one thread at a time.
class OpenAi {
 public:
  using Take = std::function<void(std::size_t index, const std::string& item)>;
  /// Throws std::invalid_argument for an address or a key that cannot be used. Connects to nothing, but opens store and
  /// records.
  explicit OpenAi(Settings settings);
  ~OpenAi();

  /// `tools`: JSON array or empty; `requests`: JSON array of chat requests. Gives `take` an item each as soon as it is
  /// known, as retort/abi/teacher.h defines them, kept before it is given; a request that failed after its last try is
  /// an error of its own and not kept. Equal requests of equal sample are sent once.
  /// Returns false when `should_stop` said yes. Throws std::invalid_argument for texts that are no JSON arrays, and
  /// std::runtime_error when the server accepts the key for none of the requests (status 401), when it does not work at
  /// all, and when the budget does not let a request pass: those under way are finished first.
  bool complete(std::string_view tools, std::string_view requests, const Take& take,
                const std::function<bool()>& should_stop);

  /// Log-probabilities of given tokens, as score() of retort/abi/teacher.h defines requests and items; likewise. What
  /// the endpoint understands is found out with the shortest request: throws std::runtime_error, saying what was asked
  /// and answered, where it gives no log-probabilities of a text that is given to it.
  bool score(std::string_view requests, const Take& take, const std::function<bool()>& should_stop);

  Amount spent() const { return spending_->spent(); }
  std::int64_t cut_off() const { return spending_->cut_off(); }

 private:
  class Round;
  bool send(Round& round, const std::function<bool()>& should_stop);
  bool hand_in(Round& round, const std::function<bool()>& should_stop);
  bool find_score_form(const ScoreRequest& request, const std::function<bool()>& should_stop);
  void say_what_is_kept(const Round& round, std::size_t requests);
  void say_what_changed();
  std::string without_key(std::string text) const;

  Settings settings_;
  std::shared_ptr<teacher::AnswerStore> store_;
  std::shared_ptr<Spending> spending_;
  Traffic traffic_;
  HttpPosts posts_, scores_;
  std::optional<ScoreForm> score_form_;  ///< once it is known
  std::unique_ptr<BatchApi> batches_;
  bool said_ = false;
  std::size_t failed_in_a_row_ = 0;  ///< over all calls: a caller may ask for a few at a time
};

}  // namespace retort::openai
