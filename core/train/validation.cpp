#include "train/validation.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace retort::train {
namespace {

std::string kind_of(const task::Example& example) {
  const auto found = example.metadata.find("kind");
  return found != example.metadata.end() && found->is_string() ? found->get<std::string>() : "";
}

void expect_known_kinds(const std::vector<std::string>& kinds, const std::set<std::string>& found,
                        const std::filesystem::path& file) {
  std::string listed;
  for (const std::string& kind : found)
    if (!kind.empty()) listed += (listed.empty() ? "\"" : ", \"") + kind + "\"";
  for (const std::string& kind : kinds)
    if (!found.contains(kind))
      throw std::invalid_argument("validation.kinds: expected kinds of labelled rows of '" + file.string() +
                                  "' (metadata \"kind\": " + (listed.empty() ? "none" : listed) + "), found \"" + kind +
                                  "\"");
}

}  // namespace

std::vector<task::Example> validation_examples(const std::filesystem::path& dataset, std::int64_t limit,
                                               double max_rejected_share, const std::vector<std::string>& kinds) {
  std::vector<task::Example> chosen;
  const std::filesystem::path file = dataset / "validation.jsonl";
  if (limit <= 0 || !std::filesystem::exists(file)) return chosen;
  std::set<std::string> found;
  for (task::Example& example : task::read_split(file, max_rejected_share).examples) {
    if (!example.calls) continue;
    const std::string kind = kind_of(example);
    found.insert(kind);
    const bool wanted = kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
    if (wanted && static_cast<std::int64_t>(chosen.size()) < limit) chosen.push_back(std::move(example));
  }
  expect_known_kinds(kinds, found, file);
  return chosen;
}

Validator::Validator(DecoderModule& decoder, const text::Tokenizer& tokenizer, const task::PromptContract& contract,
                     std::vector<task::Example> examples, std::int64_t threads, std::function<void()> poll,
                     std::int64_t max_new_tokens)
    : tokenizer_(tokenizer),
      contract_(contract),
      examples_(std::move(examples)),
      max_new_tokens_(max_new_tokens),
      poll_(std::move(poll)) {
  std::size_t longest = 1;
  for (std::size_t i = 0; i < examples_.size(); ++i) {
    std::vector<text::TokenId> prompt;
    try {
      prompt = contract.prompt(tokenizer, examples_[i]);
    } catch (const std::invalid_argument&) {
      continue;  // what the form cannot show is answered wrong
    }
    if (static_cast<std::int64_t>(prompt.size()) >= decoder.config().max_positions) continue;  // no room for an answer
    longest = std::max(longest, prompt.size());
    prompts_.push_back(std::move(prompt));
    asked_.push_back(i);
  }
  engine_ = std::make_unique<PolicyEngine>(decoder, threads, static_cast<std::int64_t>(longest) + max_new_tokens);
}

double Validator::exact_match_share() {
  constexpr std::size_t together = 256;
  if (examples_.empty()) return 0;
  std::size_t exact = 0;
  for (std::size_t begin = 0; begin < prompts_.size(); begin += together) {
    poll_();
    const std::span<const std::vector<text::TokenId>> prompts =
        std::span(prompts_).subspan(begin, std::min(together, prompts_.size() - begin));
    const auto responses = engine_->sample(
        prompts, {.temperature = 0, .max_new_tokens = max_new_tokens_, .end_token = contract_.end_token(tokenizer_)});
    for (std::size_t i = 0; i < responses.size(); ++i) {
      const task::Example& asked = examples_[asked_[begin + i]];
      const task::ParsedResponse parsed = contract_.parse(tokenizer_, responses[i].tokens, asked);
      const auto* calls = std::get_if<std::vector<task::Call>>(&parsed);
      if (calls != nullptr && task::exact_match(*calls, *asked.calls)) ++exact;
    }
  }
  return static_cast<double>(exact) / static_cast<double>(examples_.size());
}

void validate_with(Trainer& trainer, Validator& validator, const EpochBatches& batches,
                   const ModelSelection& selection) {
  if (validator.empty()) {
    if (selection.keep == "best" || selection.patience > 0)
      throw std::invalid_argument(
          "validation: expected labelled rows in the data set's validation.jsonl, and validation_limit above 0, to "
          "choose weights by; found none");
    return;
  }
  trainer.validate_with({[&validator] { return validator.exact_match_share(); },
                         [&batches, every = selection.steps, total = batches.total_steps()](std::int64_t done) {
                           return done == total || (every > 0 ? done % every == 0 : batches.ends_epoch(done - 1));
                         },
                         selection});
}

double exact_match_share(DecoderModule& decoder, const text::Tokenizer& tokenizer, const task::PromptContract& contract,
                         const std::vector<task::Example>& examples, std::int64_t max_new_tokens) {
  return Validator(
             decoder, tokenizer, contract, examples, at::get_num_threads(), [] {}, max_new_tokens)
      .exact_match_share();
}

}  // namespace retort::train
