// See signal_answers.h.
#include "train/signal_answers.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include "host/base/files.h"
#include "model/model_folder.h"
#include "train/corpus.h"
#include "train/task_files.h"

namespace retort::train {
namespace {

using nlohmann::json;
using text::TokenId;

constexpr TokenId ambiguous = -1;

std::string shown_token(std::string_view text) {
  return json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Of a token of an answer: its bytes, or its text where the endpoint gives none.
std::string bytes_of(const json& token) {
  const json bytes = token.value("bytes", json());
  if (!bytes.is_array()) return token.value("token", json("")).is_string() ? token.value("token", "") : "";
  std::string text;
  for (const json& byte : bytes) {
    if (!byte.is_number_integer() || byte < 0 || byte > 255)
      throw std::invalid_argument("expected \"bytes\" of 0 to 255");
    text += static_cast<char>(byte.get<int>());
  }
  return text;
}

double log_prob_of(const json& token) {
  const json value = token.value("logprob", json());
  if (!value.is_number()) throw std::invalid_argument("expected a \"logprob\" of every token, found " + value.dump());
  return std::min(0.0, value.get<double>());
}

json request_of(const task::Example& example) {
  json messages = task::messages_to_json(example.messages);
  for (json& message : messages) message.erase("weight");
  json request = {{"messages", std::move(messages)}};
  if (example.tools) request["tools"] = task::tools_to_json(*example.tools);
  return request;
}

json score_request_of(const Sequence& sequence, std::int64_t top_k) {
  return {{"prompt_tokens", sequence.prompt}, {"continuation_tokens", sequence.response}, {"top_logprobs", top_k}};
}

class Recorder {
 public:
  Recorder(const AnswerSignalJob& job, const AskRows& ask, const RunHooks& hooks)
      : job_(job), ask_(ask), hooks_(hooks), student_(load_task_files(job.student)) {
    const text::Tokenizer& tokenizer = student_.tokenizer;
    tools_ = task::tools_to_json(student_.contract.tools()).dump();
    corpus_ = tokenised(read_labelled_rows(job.dataset / "train.jsonl"), student_.contract, tokenizer,
                        {model::ModelFolder(job.student).config().max_positions, 0, job.max_rejected_share}, hooks);
    about_ = {job.top_k, tokenizer.vocabulary_size(), host::sha256(tokenizer.to_json())};
    reader_.emplace(tokenizer, job.top_k);
  }

  AnswerSignalReport run() {
    AnswerSignalReport report;
    report.amount = write_signals(job_.output, about_, [&](std::string& hash, std::string& tokens) {
      while (ready_.empty() && next_ < corpus_.sequences.size()) ask_more(report.rows);
      if (ready_.empty()) return false;
      hash = std::move(ready_.front().first);
      tokens = std::move(ready_.front().second);
      ready_.pop_front();
      return true;
    });
    if (report.amount.rows == 0)
      throw std::runtime_error("the endpoint's answers give signals for none of " + std::to_string(report.rows.rows()) +
                               " rows: " + report.rows.commonest());
    return report;
  }

 private:
  void ask_more(task::RowTally& tally) {
    hooks_.throw_if_stopped();
    const std::size_t end = std::min(corpus_.sequences.size(), next_ + static_cast<std::size_t>(job_.batch_size));
    std::vector<json> requests;
    for (std::size_t i = next_; i < end; ++i)
      requests.push_back(job_.scores ? score_request_of(corpus_.sequences[i], job_.top_k)
                                     : request_of(corpus_.examples[i]));
    const std::vector<json> answers = ask_(tools_, next_, requests);
    for (std::size_t i = next_; i < end; ++i) {
      try {
        ready_.emplace_back(corpus_.sequences[i].hash, encoded(rows_of(answers[i - next_], i), about_));
        tally.keep();
      } catch (const std::invalid_argument& error) {
        tally.reject(error.what());
      }
    }
    next_ = end;
    hooks_.progress("asking the endpoint", static_cast<std::int64_t>(end),
                    static_cast<std::int64_t>(corpus_.sequences.size()), "rows");
  }

  /// Of the first choice that is the row's answer.
  SignalRows rows_of(const json& answer, std::size_t row) const {
    if (answer.contains("error")) throw std::invalid_argument(answer["error"].get<std::string>());
    if (job_.scores) return reader_->scored_rows(answer.value("tokens", json()), corpus_.sequences[row].response);
    std::string reason;
    for (const json& choice : answer["choices"]) {
      try {
        return reader_->rows(choice.value("logprobs", json()), corpus_.sequences[row].response);
      } catch (const std::invalid_argument& error) {
        if (reason.empty()) reason = error.what();
      }
    }
    throw std::invalid_argument(reason);
  }

  const AnswerSignalJob& job_;
  const AskRows& ask_;
  const RunHooks& hooks_;
  TaskFiles student_;
  std::string tools_;
  Corpus corpus_;
  SignalAbout about_;
  std::optional<AnswerTokens> reader_;
  std::size_t next_ = 0;
  std::deque<std::pair<std::string, std::string>> ready_;  ///< hash and encoded tokens
};

}  // namespace

AnswerTokens::AnswerTokens(const text::Tokenizer& tokenizer, std::int64_t top_k)
    : tokenizer_(tokenizer), top_k_(static_cast<std::size_t>(top_k)) {
  for (TokenId id = 0; id < tokenizer.vocabulary_size(); ++id) {
    if (tokenizer.token(id).empty() || tokenizer.is_special(id)) continue;  // special ones are found by their names
    const auto [place, added] = by_bytes_.emplace(tokenizer.token_bytes(id), id);
    if (!added) place->second = ambiguous;
  }
}

TokenId AnswerTokens::id_of(const json& token) const {
  if (!token.is_object()) throw std::invalid_argument("expected tokens as objects, found " + token.dump());
  if (!token.contains("token") && !token.contains("bytes"))
    throw std::invalid_argument(
        "tokens without texts, as teacher.local gives: without an endpoint, its model folder as the input \"teacher\" "
        "is asked");
  const std::string bytes = bytes_of(token);
  if (const json given = token.value("id", json()); given.is_number_integer()) {
    const auto id = given.get<std::int64_t>();
    const bool known = id >= 0 && id < tokenizer_.vocabulary_size();
    const auto own = static_cast<TokenId>(known ? id : 0);
    const bool special = known && tokenizer_.is_special(own) && (bytes.empty() || bytes == tokenizer_.token(own));
    if (special || (known && bytes == tokenizer_.token_bytes(own))) return own;
    throw std::invalid_argument("the endpoint's token " + std::to_string(id) + " is " + shown_token(bytes) +
                                ", the student's is another: their tokenizers differ");
  }
  if (const auto found = by_bytes_.find(bytes); found != by_bytes_.end() && found->second != ambiguous)
    return found->second;
  if (const auto special = tokenizer_.find(bytes); special && tokenizer_.is_special(*special)) return *special;
  throw std::invalid_argument("the endpoint's token " + shown_token(bytes) +
                              " is not one of the student's: their tokenizers differ");
}

/// Whether an endpoint may show the token so. Where bytes are no text, servers put U+FFFD in their place; those that
/// decode token by token lose the space before a word (SentencePiece).
bool AnswerTokens::may_be(TokenId id, const std::string& shown) const {
  if (shown.empty() || shown.find("\xEF\xBF\xBD") != std::string::npos) return true;
  const std::string bytes = tokenizer_.token_bytes(id);
  return shown == bytes || " " + shown == bytes || shown == tokenizer_.token(id);
}

TokenId AnswerTokens::scored_id_of(const json& token) const {
  const json given = token.is_object() ? token.value("id", json()) : json();
  if (!given.is_number_integer()) return id_of(token);
  const auto id = given.get<std::int64_t>();
  if (id < 0 || id >= tokenizer_.vocabulary_size())
    throw std::invalid_argument("the endpoint has a token " + std::to_string(id) + ", the student's are below " +
                                std::to_string(tokenizer_.vocabulary_size()) + ": their vocabularies differ");
  if (const std::string shown = bytes_of(token); !may_be(static_cast<TokenId>(id), shown))
    throw std::invalid_argument("the endpoint's token " + std::to_string(id) + " is " + shown_token(shown) +
                                ", the student's is " + shown_token(tokenizer_.token(static_cast<TokenId>(id))) +
                                ": their tokenizers differ");
  return static_cast<TokenId>(id);
}

SignalRows AnswerTokens::scored_rows(const json& tokens, const std::vector<TokenId>& response) const {
  if (!tokens.is_array() || tokens.size() != response.size())
    throw std::invalid_argument("expected scores with the \"tokens\" that were given, found " +
                                (tokens.is_array() ? std::to_string(tokens.size()) + " of " : std::string("none of ")) +
                                std::to_string(response.size()));
  SignalRows rows;
  for (std::size_t i = 0; i < response.size(); ++i) {
    const bool by_id = tokens[i].is_object() && tokens[i].contains("id");
    if (by_id ? scored_id_of(tokens[i]) != response[i] : !may_be(response[i], bytes_of(tokens[i])))
      throw std::invalid_argument("the endpoint scored " + shown_token(bytes_of(tokens[i])) + " where the row has " +
                                  shown_token(tokenizer_.token(response[i])) + ": their tokenizers differ");
    append_top(tokens[i], &AnswerTokens::scored_id_of, rows);
  }
  return rows;
}

void AnswerTokens::append_top(const json& token, IdOf identify, SignalRows& rows) const {
  const json top = token.value("top_logprobs", json());
  std::vector<std::pair<double, TokenId>> likeliest;
  std::set<TokenId> seen;
  for (const json& one : top.is_array() ? top : json::array()) {
    const TokenId id = (this->*identify)(one);
    if (seen.insert(id).second) likeliest.emplace_back(log_prob_of(one), id);
  }
  if (likeliest.size() < top_k_)
    throw std::invalid_argument("expected the " + std::to_string(top_k_) +
                                " likeliest tokens at each place (the teacher's top_logprobs), found " +
                                std::to_string(likeliest.size()));
  std::stable_sort(likeliest.begin(), likeliest.end(),
                   [](const auto& one, const auto& other) { return one.first > other.first; });
  double mass = 0;
  for (std::size_t i = 0; i < top_k_; ++i) {
    rows.top_ids.push_back(likeliest[i].second);
    rows.top_log_probs.push_back(static_cast<float>(likeliest[i].first));
    mass += std::exp(likeliest[i].first);
  }
  rows.tail.push_back(static_cast<float>(std::max(0.0, 1 - mass)));
}

SignalRows AnswerTokens::rows(const json& logprobs, const std::vector<TokenId>& response) const {
  if (!logprobs.is_array())
    throw std::invalid_argument("the answer has no log-probabilities: set the teacher's top_logprobs");
  SignalRows rows;
  for (std::size_t i = 0; i < std::min(logprobs.size(), response.size()); ++i) {
    if (const TokenId id = id_of(logprobs[i]); id != response[i])
      throw std::invalid_argument(
          "the endpoint answered otherwise than the row, or in other tokens: " + shown_token(tokenizer_.token(id)) +
          " where the row has " + shown_token(tokenizer_.token(response[i])));
    append_top(logprobs[i], &AnswerTokens::id_of, rows);
  }
  if (logprobs.size() != response.size())
    throw std::invalid_argument(logprobs.size() + 1 == response.size()
                                    ? "the endpoint gives no log-probabilities of the token that ends the answer"
                                    : "the endpoint's answer has " + std::to_string(logprobs.size()) +
                                          " tokens, the row's " + std::to_string(response.size()));
  return rows;
}

AnswerSignalReport record_answer_signals(const AnswerSignalJob& job, const AskRows& ask, const RunHooks& hooks) {
  if (job.top_k < 1 || job.batch_size < 1) throw std::invalid_argument("top_k and batch_size: expected at least 1");
  return Recorder(job, ask, hooks).run();
}

}  // namespace retort::train
