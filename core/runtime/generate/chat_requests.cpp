// See chat_requests.h.
#include "runtime/generate/chat_requests.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "host/base/json_cursor.h"
#include "runtime/generate/generation.h"
#include "runtime/generate/stop_strings.h"

namespace retort::runtime {
namespace {

using Json = nlohmann::json;
using Ordered = nlohmann::ordered_json;

constexpr std::int64_t kMostChoices = 128, kMostTop = 20, kDefaultTokens = 256, kMostTokens = 1'000'000;
constexpr std::size_t kScoredTogether = 32;

void require_keys(const host::JsonCursor& request, std::initializer_list<const char*> known) {
  for (const auto& item : request.object().json().items()) {
    if (std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
    std::string names;
    for (const char* name : known) names += (names.empty() ? "" : ", ") + std::string(name);
    throw std::invalid_argument("/" + item.key() + ": this host knows no such key; expected some of " + names);
  }
}

double number_in(const host::JsonCursor& request, const char* key, double fallback, double least, double most) {
  if (!request.has(key)) return fallback;
  const double value = request.at(key).number();
  if (value < least || value > most)
    request.at(key).refuse("a number from " + Json(least).dump() + " to " + Json(most).dump());
  return value;
}

std::int64_t integer_in(const host::JsonCursor& request, const char* key, std::int64_t fallback, std::int64_t least,
                        std::int64_t most) {
  return request.has(key) ? request.at(key).integer(least, most) : fallback;
}

/// The tokens of "messages" (with "tools") or "prompt".
std::vector<TokenId> prompt_of(const ChatModel& model, const host::JsonCursor& request, const Ordered& ordered) {
  if (request.has("messages") == request.has("prompt"))
    throw std::invalid_argument(std::string("/messages, /prompt: expected one of them, found ") +
                                (request.has("prompt") ? "both" : "neither"));
  if (request.has("prompt")) return model.prompt(request.at("prompt").string());
  return model.prompt(ordered.at("messages"), ordered.value("tools", Ordered()));
}

void require_room(const Decoder& decoder, std::size_t tokens, std::size_t most, const char* what) {
  if (tokens == 0) throw std::invalid_argument(std::string(what) + ": expected at least one token, found none");
  if (tokens > most)
    throw std::invalid_argument(std::string(what) + ": expected at most " + std::to_string(most) +
                                " tokens (of a context of " + std::to_string(decoder.context()) + "), found " +
                                std::to_string(tokens));
}

/// Runs `body`; what a request did wrong becomes its item.
template <class Body>
void as_item(std::size_t index, const TakeItem& take, const Body& body) {
  std::optional<std::string> error;
  try {
    body();
  } catch (const std::exception& reason) {
    error = reason.what();
  }
  if (error) take(index, {{"error", *error}});
}

Ordered parse_requests(std::string_view text) {
  Ordered requests = Ordered::parse(text, nullptr, false);
  if (!requests.is_array()) throw std::invalid_argument("requests: expected a JSON array");
  return requests;
}

/// One completion: what was asked, and the choices as they come.
struct Completion {
  std::size_t index = 0;
  std::vector<TokenId> prompt;
  GenerationOptions options;
  std::shared_ptr<grammar::Grammar> grammar;  // that the options name
  std::vector<std::string> stops;
  std::int64_t choices = 1, top = -1;  // top: −1, no log-probabilities
  std::int64_t left = 0, tokens = 0;
  Json answers;
};

Completion read_completion(ChatModel& model, std::size_t index, const Ordered& ordered) {
  const Json plain = ordered;
  const host::JsonCursor request(plain, "");
  require_keys(request, {"messages", "prompt", "tools", "n", "temperature", "top_k", "top_p", "seed", "max_tokens",
                         "stop", "top_logprobs", "grammar"});
  if (request.has("grammar") && request.at("grammar").string() != "calls") request.at("grammar").refuse("\"calls\"");
  Completion read;
  read.index = index;
  read.options.ends = model.ends();
  read.options.sampling.temperature = number_in(request, "temperature", 0, 0, 1e6);
  read.options.sampling.top_k = integer_in(request, "top_k", 0, 0, INT64_MAX);
  read.options.sampling.top_p = number_in(request, "top_p", 1, 1e-12, 1);
  read.options.sampling.seed = static_cast<std::uint64_t>(integer_in(request, "seed", 0, INT64_MIN, INT64_MAX));
  read.options.max_new_tokens = integer_in(request, "max_tokens", kDefaultTokens, 1, kMostTokens);
  read.choices = integer_in(request, "n", 1, 1, kMostChoices);
  read.top = integer_in(request, "top_logprobs", -1, 0, kMostTop);
  read.options.log_probabilities = read.top < 0 ? 0 : std::max<std::int64_t>(read.top, 1);
  for (std::size_t i = 0; request.has("stop") && i < request.at("stop").array().size(); ++i) {
    read.stops.push_back(request.at("stop").at(i).string());
    if (read.stops.back().empty()) request.at("stop").at(i).refuse("a text that is not empty");
  }
  read.prompt = prompt_of(model, request, ordered);
  require_room(model.decoder(), read.prompt.size(), static_cast<std::size_t>(model.decoder().context()), "prompt");
  if (request.has("grammar")) {
    read.grammar = model.grammar(ordered.value("tools", Ordered()), ordered.value("messages", Ordered()));
    read.options.grammar = read.grammar.get();
    read.options.tokenizer = &model.tokenizer();
  }
  read.left = read.choices;
  read.answers = Json(std::vector<Json>(static_cast<std::size_t>(read.choices)));
  return read;
}

/// The text of one choice, which grows token by token until a stop string.
class ChoiceText {
 public:
  ChoiceText(const ChatModel& model, const std::vector<std::string>& stops)
      : model_(model), streaming_(model.tokenizer(), text::StreamingDecoder::Place::continuation), stop_(stops) {}

  /// False once a stop string is complete.
  bool push(TokenId token) {
    const text::Tokenizer& tokenizer = model_.tokenizer();
    if (!tokenizer.is_special(token)) {
      text_ += stop_.push(streaming_.push(token));
    } else if (model_.shows_special_tokens()) {
      text_ += stop_.push(streaming_.push(token) + std::string(tokenizer.token(token)));
    }
    return !stop_.found();
  }
  std::string finish() {
    text_ += stop_.push(streaming_.finish());
    return text_ + stop_.finish();
  }
  bool stopped() const { return stop_.found().has_value(); }

 private:
  const ChatModel& model_;
  text::StreamingDecoder streaming_;
  StopStrings stop_;
  std::string text_;
};

Json log_probabilities_of(const Generation& generation, std::int64_t top) {
  Json all = Json::array();
  for (const LogProbabilities& token : generation.log_probabilities) {
    Json likeliest = Json::array();
    for (std::size_t i = 0; i < token.top.size() && static_cast<std::int64_t>(i) < top; ++i)
      likeliest.push_back({token.top[i].token, token.top[i].log_probability});
    all.push_back({{"id", token.chosen.token}, {"logprob", token.chosen.log_probability}, {"top", likeliest}});
  }
  return all;
}

Json choice_of(const ChatModel& model, const Completion& asked, const Generation& generation, ChoiceText& text) {
  const std::vector<TokenId>& ends = asked.options.ends;
  const bool ended =
      !generation.tokens.empty() && std::find(ends.begin(), ends.end(), generation.tokens.back()) != ends.end();
  const std::string said = text.finish();
  std::string malformed;
  Json choice = {{"text", said},
                 {"token_ids", generation.tokens},
                 {"finish_reason", ended || text.stopped() ? "stop" : "length"},
                 {"message", model.message(generation.tokens, said, malformed)}};
  if (!malformed.empty()) choice["malformed"] = malformed;
  if (asked.top >= 0) choice["logprobs"] = log_probabilities_of(generation, asked.top);
  return choice;
}

/// All choices of all completions, decoded together.
class Completions {
 public:
  Completions(ChatModel& model, std::vector<Completion> asked, const TakeItem& take, const ShouldStop& should_stop)
      : model_(model), asked_(std::move(asked)), take_(take) {
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      for (std::int64_t choice = 0; choice < asked_[i].choices; ++choice) {
        ChoiceText* text = texts_.emplace_back(std::make_unique<ChoiceText>(model, asked_[i].stops)).get();
        places_.push_back({i, choice});
        requests_.push_back({asked_[i].prompt, asked_[i].options});
        GenerationOptions& options = requests_.back().options;
        options.sampling.seed += static_cast<std::uint64_t>(choice);
        options.token = [text, &should_stop](TokenId token) {
          if (should_stop()) throw StopRequested();
          return text->push(token);
        };
      }
    }
  }

  void run() {
    generate_each(model_.decoder(), requests_,
                  [this](std::size_t request, const Generation& generation) { finish(request, generation); });
  }

 private:
  void finish(std::size_t request, const Generation& generation) {
    Completion& asked = asked_[places_[request].first];
    asked.answers[static_cast<std::size_t>(places_[request].second)] =
        choice_of(model_, asked, generation, *texts_[request]);
    asked.tokens += static_cast<std::int64_t>(generation.tokens.size());
    if (--asked.left > 0) return;
    take_(asked.index, {{"choices", std::move(asked.answers)},
                        {"usage", {{"prompt_tokens", asked.prompt.size()}, {"completion_tokens", asked.tokens}}}});
  }

  ChatModel& model_;
  std::vector<Completion> asked_;
  const TakeItem& take_;
  std::vector<std::unique_ptr<ChoiceText>> texts_;            // of each generation
  std::vector<std::pair<std::size_t, std::int64_t>> places_;  // of each generation: completion and choice
  std::vector<GenerationRequest> requests_;
};

std::vector<TokenId> continuation_of(const ChatModel& model, const host::JsonCursor& request) {
  if (request.has("continuation") == request.has("continuation_ids"))
    throw std::invalid_argument(std::string("/continuation, /continuation_ids: expected one of them, found ") +
                                (request.has("continuation") ? "both" : "neither"));
  if (request.has("continuation")) return model.continuation(request.at("continuation").string());
  const host::JsonCursor ids = request.at("continuation_ids").array();
  const std::int64_t vocabulary = model.decoder().config().vocabulary_size;
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < ids.size(); ++i)
    tokens.push_back(static_cast<TokenId>(ids.at(i).integer(0, vocabulary - 1)));
  return tokens;
}

Json score_of(ChatModel& model, const Ordered& ordered, const ShouldStop& should_stop) {
  const Json plain = ordered;
  const host::JsonCursor request(plain, "");
  require_keys(request, {"messages", "prompt", "tools", "continuation", "continuation_ids"});
  Decoder& decoder = model.decoder();
  const std::vector<TokenId> prompt = prompt_of(model, request, ordered), tokens = continuation_of(model, request);
  const auto context = static_cast<std::size_t>(decoder.context());
  require_room(decoder, prompt.size(), context, "prompt");
  // The last token is never fed.
  require_room(decoder, tokens.size(), context - prompt.size() + 1, "continuation");
  const std::span<const float> first = decoder.prompt(prompt);
  std::vector<float> logits(first.begin(), first.end());
  const auto vocabulary = static_cast<std::size_t>(decoder.config().vocabulary_size);
  Json all = Json::array();
  double sum = 0;
  for (std::size_t t = 0; t < tokens.size();) {
    if (should_stop()) throw StopRequested();
    for (std::size_t row = 0; row * vocabulary < logits.size(); ++row, ++t) {
      const std::span<const float> of = std::span(logits).subspan(row * vocabulary, vocabulary);
      all.push_back(log_probabilities(of, tokens[t], 0).chosen.log_probability);
      sum += all.back().get<double>();
    }
    if (t == tokens.size()) break;
    logits = decoder.forward_all(std::span(tokens).subspan(t - 1, std::min(kScoredTogether, tokens.size() - t)));
  }
  return {{"logprobs", all}, {"ids", tokens}, {"sum", sum}};
}

}  // namespace

void complete(ChatModel& model, std::string_view requests, const TakeItem& take, const ShouldStop& should_stop) {
  const Ordered parsed = parse_requests(requests);
  std::vector<Completion> asked;
  for (std::size_t i = 0; i < parsed.size(); ++i)
    as_item(i, take, [&] { asked.push_back(read_completion(model, i, parsed[i])); });
  Completions(model, std::move(asked), take, should_stop).run();
}

void score(ChatModel& model, std::string_view requests, const TakeItem& take, const ShouldStop& should_stop) {
  const Ordered parsed = parse_requests(requests);
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    Json item;
    as_item(i, take, [&] { item = score_of(model, parsed[i], should_stop); });
    if (!item.is_null()) take(i, item);
  }
}

}  // namespace retort::runtime
