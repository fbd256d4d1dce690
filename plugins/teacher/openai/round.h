// The requests of one call of OpenAi: kept answers are given at once, the others are let through as traffic and budget
// allow, and each answer is kept, counted and given. Internal to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "openai.h"

namespace retort::openai {

/// "prompt_tokens" or "completion_tokens", where the server counted.
std::optional<std::int64_t> counted_tokens(const nlohmann::json& item, const char* name);
/// Who answers: the model, or the address of a server that has only one.
std::string account(const Settings& settings);

class OpenAi::Round final : public Gate {
 public:
  /// The item of an answer with status 200 to request `index`, as it was given to ask().
  using Read = std::function<nlohmann::json(std::size_t index, const std::string& body)>;
  /// All are borrowed.
  Round(OpenAi& owner, HttpPosts& posts, const Take& take, const Read& read)
      : owner_(owner), posts_(posts), take_(take), read_(read) {}

  /// Gives the answer that is kept for `body` and sample, or sends it once however often it is asked for. `output`:
  /// tokens of the answer at most; 0: not known.
  void ask(std::size_t index, const nlohmann::json& body, std::int64_t sample, std::int64_t output);
  std::size_t known() const { return known_; }  ///< answers that were kept
  std::size_t size() const { return pending_.size(); }
  HttpPosts& posts() { return posts_; }
  /// A try after a failure, or after a kill that left open what became of it, has the key of the first.
  HttpPosts::Post post(std::size_t k) const { return {pending_[k].body, pending_[k].key}; }
  std::size_t left() const;  ///< requests without an item

  Admission admit(std::size_t k, std::size_t under_way, Clock::time_point now) override;
  void settle(std::size_t k, const HttpAnswer& attempt, Clock::time_point now) override;
  /// The last try's answer to request k: kept, then given.
  void take(std::size_t k, const HttpAnswer& answer);
  /// What the answer of a batch cost; nothing where its request is not one of these.
  std::optional<Amount> take_from_batch(const std::string& key, const nlohmann::json& item,
                                        const BatchApi::Answer& answer);
  /// Reserves for as many as the budget lets pass; the requests to hand in.
  std::vector<BatchApi::Request> reserve_all();
  void expect_key_accepted() const;
  [[noreturn]] void refuse() const;

 private:
  struct Pending {
    std::vector<std::size_t> indexes;
    std::string key, body;
    Amount most, total, last;
    std::int64_t ticket = -1;
    bool given = false;
  };
  Spending::Verdict reserve(Pending& one);
  void give(Pending& one, nlohmann::json item, const Amount& cost);

  OpenAi& owner_;
  HttpPosts& posts_;
  const Take& take_;
  const Read& read_;
  std::vector<Pending> pending_;
  std::map<std::string, std::size_t> by_key_;
  std::size_t known_ = 0, refused_keys_ = 0, answered_ = 0;
  std::string refusal_;
};

}  // namespace retort::openai
