// A teacher's signals as a file: what it costs, what of it is refused, and what an endpoint's answers give. No
// LibTorch.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/utf8.h"
#include "runtime/random_model.h"
#include "task/dataset.h"
#include "text/bpe_trainer.h"
#include "train/recorded_signals.h"
#include "train/signal_answers.h"
#include "train/signal_journal.h"

namespace retort::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using runtime::testing::TemporaryFolder;

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

/// Distributions of `tokens` tokens: halves, quarters and so on, of ids that differ from row to row.
SignalRows halves(std::int64_t tokens, const SignalAbout& about, std::int64_t first) {
  SignalRows rows;
  for (std::int64_t token = 0; token < tokens; ++token) {
    double tail = 1;
    for (std::int64_t i = 0; i < about.top_k; ++i) {
      rows.top_ids.push_back((first + 31 * token + i) % about.vocabulary);
      tail /= 2;
      rows.top_log_probs.push_back(static_cast<float>(std::log(tail)));
    }
    rows.tail.push_back(static_cast<float>(tail));
  }
  return rows;
}

Sequence sequence_of(int number, std::size_t tokens) {
  Sequence sequence;
  sequence.prompt = {1, number};
  sequence.response.assign(tokens, 3);
  sequence.example = static_cast<std::size_t>(number);
  sequence.hash = sequence_hash(sequence.prompt, sequence.response);
  return sequence;
}

constexpr int rows_written = 40;

SignalAmount write(const fs::path& folder, const SignalAbout& about) {
  int number = 0;
  return write_signals(folder, about, [&](std::string& hash, std::string& tokens) {
    if (number == rows_written) return false;
    const auto count = static_cast<std::int64_t>(number % 5 + 1);
    hash = sequence_of(number, static_cast<std::size_t>(count)).hash;
    tokens = encoded(halves(count, about, 1000 * number), about);
    ++number;
    return true;
  });
}

const std::string sha(64, 'a');

TEST(SignalFile, AKeptIdTakesAtMostEightBytes) {
  for (const std::int64_t vocabulary : {std::int64_t{2048}, std::int64_t{65536}, std::int64_t{151936}}) {
    const TemporaryFolder folder;
    const SignalAbout about{8, vocabulary, sha};
    const SignalAmount amount = write(folder.path(), about);
    EXPECT_EQ(amount.rows, rows_written);
    EXPECT_EQ(amount.tokens, 120);
    EXPECT_NEAR(amount.mean_tail, std::pow(0.5, 8), 1e-9);
    const auto bytes = static_cast<std::int64_t>(fs::file_size(folder.path() / signal_file_name));
    EXPECT_LE(bytes - 88 - 56 * amount.rows, 8 * amount.tokens * about.top_k);  // ids, log-probabilities and tails
    const RecordedSignals signals(folder.path());
    EXPECT_EQ(signals.rows(), rows_written);
    EXPECT_EQ(signals.about().vocabulary, vocabulary);
    for (int number = 0; number < rows_written; ++number) {
      const auto count = static_cast<std::int64_t>(number % 5 + 1);
      const SignalRows found = signals.of(sequence_of(number, static_cast<std::size_t>(count)));
      const SignalRows expected = halves(count, about, 1000 * number);
      EXPECT_EQ(found.top_ids, expected.top_ids) << number;
      EXPECT_EQ(found.top_log_probs, expected.top_log_probs) << number;  // to the bit
      EXPECT_EQ(found.tail, expected.tail) << number;
    }
    EXPECT_FALSE(signals.holds(sequence_of(1, 3)));
    EXPECT_NE(error_of([&] { signals.of(sequence_of(1, 3)); }).find("no signals for example 2"), std::string::npos);
  }
}

/// What opening the file, or else looking through it, says.
std::string refusal_of(const fs::path& folder) {
  std::vector<Sequence> all;
  for (int number = 0; number < rows_written; ++number)
    all.push_back(sequence_of(number, static_cast<std::size_t>(number % 5 + 1)));
  return error_of([&] { RecordedSignals(folder).expect_holds(all, 2048); });
}

TEST(SignalFile, WhatWasCutShortOrChangedIsRefusedByName) {
  const TemporaryFolder folder;
  write(folder.path(), {4, 2048, sha});
  EXPECT_EQ(refusal_of(folder.path()), "");
  const fs::path file = folder.path() / signal_file_name;
  const std::string good = host::read_file(file);
  for (std::size_t length = 0; length < good.size(); length += length < 100 ? 1 : 131) {
    host::write_file_atomically(file, good.substr(0, length));
    EXPECT_NE(refusal_of(folder.path()).find("signals.bin: expected"), std::string::npos) << length;
  }
  host::write_file_atomically(file, good + "x");
  EXPECT_NE(refusal_of(folder.path()).find("cut short or changed"), std::string::npos);
  for (std::size_t at = 0; at < good.size(); at += at < 100 ? 1 : 37) {  // header, tokens and index
    if (at >= 20 && at < 24) continue;                                   // held for later versions
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    host::write_file_atomically(file, changed);
    EXPECT_NE(refusal_of(folder.path()).find("signals.bin: expected"), std::string::npos) << at;
  }
  std::string version = good;
  version[8] = 2;
  host::write_file_atomically(file, version);
  EXPECT_NE(refusal_of(folder.path()).find("expected version 1, found version 2"), std::string::npos);
}

TEST(SignalFile, WhatIsNoDistributionIsNotWritten) {
  const SignalAbout about{2, 100, sha};
  SignalRows rows{{4, 5}, {-0.5F, -1.5F}, {0.1F}};
  EXPECT_EQ(encoded(rows, about).size(), 16U);
  const auto refused = [&](const SignalRows& wrong) { return error_of([&] { encoded(wrong, about); }); };
  EXPECT_NE(refused({{4, 100}, {-0.5F, -1.5F}, {0}}).find("below the vocabulary's 100, found 100"), std::string::npos);
  EXPECT_NE(refused({{4, 5}, {0.5F, -1.5F}, {0}}).find("at most 0"), std::string::npos);
  EXPECT_NE(refused({{4, 5}, {std::nanf(""), -1.5F}, {0}}).find("at most 0"), std::string::npos);
  EXPECT_NE(refused({{4, 5}, {-0.1F, -0.1F}, {0}}).find("sum to at most 1"), std::string::npos);
  EXPECT_NE(refused({{4, 5}, {-0.5F, -1.5F}, {-1}}).find("a tail of 0 to 1"), std::string::npos);
  EXPECT_NE(refused({{4}, {-0.5F}, {0}}).find("2 ids and log-probabilities for each of 1 tokens"), std::string::npos);
  const TemporaryFolder folder;
  EXPECT_THROW(write(folder.path(), {0, 100, sha}), std::invalid_argument);
  EXPECT_THROW(write(folder.path(), {2, 1 << 25, sha}), std::invalid_argument);
  EXPECT_THROW(write(folder.path(), {2, 100, "no hash"}), std::invalid_argument);
  EXPECT_FALSE(fs::exists(folder.path() / signal_file_name));
}

TEST(SignalJournal, KeepsWholeRecords) {
  const TemporaryFolder folder;
  const SignalAbout about{2, 100, sha};
  const std::string tokens = encoded(halves(3, about, 7), about), hash(64, 'b');
  const fs::path file = folder.path() / "journal";
  SignalJournal(file, about).add({{hash, tokens}});
  host::write_file_atomically(file, host::read_file(file) + std::string(50, '\0'));
  SignalJournal journal(file, about);
  EXPECT_EQ(journal.size(), 1U);
  EXPECT_EQ(journal.tokens(hash), tokens);
  journal.add({{std::string(64, 'c'), tokens}});
  EXPECT_EQ(SignalJournal(file, about).size(), 2U);
}

/// A student of the form "json", whose answers are text that any endpoint could have written.
class EndpointSignals : public ::testing::Test {
 protected:
  EndpointSignals() {
    const task::PromptContract contract("json", task::tools_from_json(json::parse(R"([{"type": "function",
      "function": {"name": "lamp", "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}}}}])"),
                                                                      "tools"));
    fs::create_directories(folder_.path() / "student");
    fs::create_directories(folder_.path() / "data");
    host::write_file_atomically(
        student() / "tokenizer.json",
        text::train_byte_level_bpe(
            {R"({"name":"lamp","arguments":{"on":true}} {"name":"lamp","arguments":{"on":false}})"},
            {.vocabulary_size = 300, .special_tokens = contract.special_tokens()}));
    model::ModelConfig config = runtime::testing::awkward_config();
    config.vocabulary_size = 300;
    runtime::testing::write_model(student(), config, runtime::testing::random_weights(config, 1),
                                  runtime::testing::Storage::f32);
    host::write_json(student() / "retort.json", {{"format", 1}, {"task", contract.to_json()}});
    std::vector<task::Example> examples;
    for (const bool on : {true, false})
      examples.push_back({on ? "lamp on" : "lamp off", std::vector<task::Call>{{"lamp", {{"on", on}}}}, {}});
    examples.push_back({"nothing", std::vector<task::Call>{}, {}});
    task::write_split(folder_.path() / "data" / "train.jsonl", examples);
    tokenizer_.emplace(text::Tokenizer::load(student() / "tokenizer.json"));
    for (const task::Example& example : examples) sequences_.push_back(to_sequence(example, contract, *tokenizer_));
  }
  fs::path student() const { return folder_.path() / "student"; }

  /// As llama-server and vLLM give them; `ids`: with the tokens' numbers.
  json token_of(text::TokenId id, double probability, bool ids) const {
    const std::string bytes =
        tokenizer_->is_special(id) ? std::string(tokenizer_->token(id)) : tokenizer_->token_bytes(id);
    json token = {
        {"token", host::replace_invalid_utf8(bytes)}, {"bytes", json::array()}, {"logprob", std::log(probability)}};
    for (const char c : bytes) token["bytes"].push_back(static_cast<unsigned char>(c));
    if (ids) token["id"] = id;
    return token;
  }
  /// `id` and two others.
  static text::TokenId likely(text::TokenId id, int place) {
    if (place == 0) return id;
    return place - 1 >= id ? place : place - 1;
  }
  json answer_of(const Sequence& sequence, bool ids) const {
    json logprobs = json::array();
    for (const text::TokenId id : sequence.response) {
      json token = token_of(id, 0.5, ids);
      for (int i = 3; i-- > 0;) token["top_logprobs"].push_back(token_of(likely(id, i), std::pow(0.5, i + 1), ids));
      logprobs.push_back(std::move(token));
    }
    return {{"choices", {{{"message", {{"role", "assistant"}, {"content", ""}}}, {"logprobs", logprobs}}}}};
  }
  /// Of a teacher that is given the tokens; `texts`: as it would show them.
  json scores_of(const Sequence& sequence, bool texts) const {
    json item = {{"logprobs", json::array()}, {"tokens", json::array()}};
    for (const text::TokenId id : sequence.response) {
      const auto shown = [&](text::TokenId one, double probability) {
        json token = token_of(one, probability, true);
        token.erase("bytes");  // what is no text has U+FFFD
        if (!texts) token.erase("token");
        return token;
      };
      json token = shown(id, 0.125);  // the third likeliest
      for (const int place : {1, 2, 0})
        token["top_logprobs"].push_back(shown(likely(id, place), place == 0 ? 0.125 : std::pow(0.5, place)));
      item["logprobs"].push_back(std::log(0.125));
      item["tokens"].push_back(std::move(token));
    }
    return item;
  }
  AnswerSignalReport record(const std::function<json(std::size_t row)>& answer, std::int64_t top_k = 2,
                            bool scores = false) {
    const fs::path output = folder_.path() / "signals";
    fs::create_directories(output);
    const RunHooks hooks{[](std::string_view, std::int64_t, double) {},
                         [](std::string_view, std::int64_t, std::int64_t, std::string_view) {}, [] {},
                         [](std::string_view) {}};
    return record_answer_signals(
        {folder_.path() / "data", student(), top_k, 2, 0, output, scores},
        [&](const std::string& tools, std::size_t first, const std::vector<json>& requests) {
          EXPECT_EQ(json::parse(tools)[0]["function"]["name"], "lamp");
          std::vector<json> answers;
          for (const json& request : requests) {
            const std::size_t row = first + answers.size();
            if (scores) {
              EXPECT_EQ(request, (json{{"prompt_tokens", sequences_[row].prompt},
                                       {"continuation_tokens", sequences_[row].response},
                                       {"top_logprobs", top_k}}));
            } else {
              EXPECT_EQ(request["messages"].back()["role"], "user");
            }
            answers.push_back(answer(row));
          }
          return answers;
        },
        hooks);
  }

  TemporaryFolder folder_;
  std::optional<text::Tokenizer> tokenizer_;
  std::vector<Sequence> sequences_;
};

TEST_F(EndpointSignals, AreThoseOfItsAnswersInTheStudentsTokens) {
  for (const bool ids : {true, false}) {
    const AnswerSignalReport report = record([&](std::size_t row) { return answer_of(sequences_[row], ids); });
    EXPECT_EQ(report.rows.kept(), 3);
    EXPECT_EQ(report.rows.rejected(), 0);
    const RecordedSignals signals(folder_.path() / "signals");
    EXPECT_EQ(signals.expect_holds(sequences_, 300), 0);
    EXPECT_NO_THROW(signals.expect_tokenizer(*tokenizer_));
    const SignalRows rows = signals.of(sequences_[0]);
    ASSERT_EQ(rows.tail.size(), sequences_[0].response.size());
    for (std::size_t token = 0; token < rows.tail.size(); ++token) {
      const std::int64_t id = sequences_[0].response[token];
      EXPECT_EQ(rows.top_ids[2 * token], id);  // likeliest first, though the endpoint listed it last
      EXPECT_EQ(rows.top_ids[2 * token + 1], likely(sequences_[0].response[token], 1));
      EXPECT_NEAR(rows.top_log_probs[2 * token + 1], std::log(0.25), 1e-6);
      EXPECT_NEAR(rows.tail[token], 0.25, 1e-6);
    }
  }
}

TEST_F(EndpointSignals, WhatIsNotTheRowsAnswerIsLeftOutByItsReason) {
  std::map<std::string, json> wrong;
  wrong["the endpoint answered otherwise"] = answer_of(sequences_[0], true);
  wrong["their tokenizers differ"] = answer_of(sequences_[1], true);
  wrong["their tokenizers differ"]["choices"][0]["logprobs"][0]["bytes"] = {'?', '!'};
  wrong["is not one of the student's"] = answer_of(sequences_[1], false);
  wrong["is not one of the student's"]["choices"][0]["logprobs"][1]["top_logprobs"][0]["bytes"] = {'?', '!'};
  wrong["of the token that ends the answer"] = answer_of(sequences_[1], true);
  wrong["of the token that ends the answer"]["choices"][0]["logprobs"].erase(sequences_[1].response.size() - 1);
  wrong["the answer has no log-probabilities"] = answer_of(sequences_[1], true);
  wrong["the answer has no log-probabilities"]["choices"][0].erase("logprobs");
  wrong["(the teacher's top_logprobs)"] = answer_of(sequences_[1], true);
  wrong["(the teacher's top_logprobs)"]["choices"][0]["logprobs"][0]["top_logprobs"].erase(0);
  wrong["tokens without texts, as teacher.local gives"] = {
      {"choices", {{{"logprobs", {{{"id", 3}, {"logprob", -0.1}, {"top", json::array()}}}}}}}};
  wrong["rate limit"] = {{"error", "rate limit"}};
  for (const auto& [reason, answer] : wrong) {
    const AnswerSignalReport report =
        record([&](std::size_t row) { return row == 1 ? answer : answer_of(sequences_[row], true); },
               reason == "(the teacher's top_logprobs)" ? 3 : 2);
    EXPECT_EQ(report.rows.rejected(), 1) << reason;
    EXPECT_EQ(report.amount.rows, 2) << reason;
    EXPECT_NE(report.rows.commonest().find(reason), std::string::npos) << report.rows.commonest();
    EXPECT_FALSE(RecordedSignals(folder_.path() / "signals").holds(sequences_[1]));
  }
  const std::string none = error_of([&] { record([](std::size_t) { return json{{"error", "rate limit"}}; }); });
  EXPECT_NE(none.find("none of 3 rows: 3 × rate limit"), std::string::npos) << none;
}

TEST_F(EndpointSignals, MayBeScoresOfTheDataSetsOwnAnswers) {
  for (const bool texts : {true, false}) {
    const AnswerSignalReport report =
        record([&](std::size_t row) { return scores_of(sequences_[row], texts); }, 2, true);
    EXPECT_EQ(report.rows.kept(), 3);
    const RecordedSignals signals(folder_.path() / "signals");
    EXPECT_EQ(signals.expect_holds(sequences_, 300), 0);
    const SignalRows rows = signals.of(sequences_[0]);
    ASSERT_EQ(rows.tail.size(), sequences_[0].response.size());
    for (std::size_t token = 0; token < rows.tail.size(); ++token) {
      const text::TokenId id = sequences_[0].response[token];
      EXPECT_EQ(rows.top_ids[2 * token], likely(id, 1)) << "likeliest first, whatever was given";
      EXPECT_EQ(rows.top_ids[2 * token + 1], likely(id, 2));
      EXPECT_NEAR(rows.tail[token], 0.25, 1e-6);
    }
  }
}

TEST_F(EndpointSignals, ScoresOfOtherTokensAreLeftOut) {
  std::map<std::string, json> wrong;
  wrong["is \"?!\", the student's is"] = scores_of(sequences_[1], true);
  wrong["is \"?!\", the student's is"]["tokens"][0]["top_logprobs"][1]["token"] = "?!";
  wrong["where the row has"] = scores_of(sequences_[1], true);
  wrong["where the row has"]["tokens"][0] = wrong["where the row has"]["tokens"][1];
  wrong["their vocabularies differ"] = scores_of(sequences_[1], false);
  wrong["their vocabularies differ"]["tokens"][0]["top_logprobs"][0]["id"] = 300;
  wrong["with the \"tokens\" that were given"] = scores_of(sequences_[1], true);
  wrong["with the \"tokens\" that were given"]["tokens"].erase(0);
  wrong["the \"tokens\" that were given"] = {{"logprobs", {-0.5}}};
  for (const auto& [reason, answer] : wrong) {
    const AnswerSignalReport report =
        record([&](std::size_t row) { return row == 1 ? answer : scores_of(sequences_[row], true); }, 2, true);
    EXPECT_EQ(report.rows.rejected(), 1) << reason;
    EXPECT_NE(report.rows.commonest().find(reason), std::string::npos) << report.rows.commonest();
  }
}

TEST_F(EndpointSignals, AnyChoiceThatIsTheRowsAnswerCounts) {
  const AnswerSignalReport report = record([&](std::size_t row) {
    json answer = answer_of(sequences_[(row + 1) % 3], true);
    answer["choices"].push_back(answer_of(sequences_[row], true)["choices"][0]);
    return answer;
  });
  EXPECT_EQ(report.rows.kept(), 3);
}

}  // namespace
}  // namespace retort::train
