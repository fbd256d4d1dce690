#include "train/agreement.h"

#include <stdexcept>

#include "runtime/generate/call_model.h"
#include "task/dataset.h"
#include "train/model_weights.h"
#include "train/reference_sampling.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

/// Two answers agree if both hold the same calls. Two malformed ones say nothing about calls, so they do not agree.
bool same(const task::ParsedResponse& a, const task::ParsedResponse& b) {
  const auto* left = std::get_if<std::vector<task::Call>>(&a);
  const auto* right = std::get_if<std::vector<task::Call>>(&b);
  return left != nullptr && right != nullptr && task::exact_match(*left, *right);
}

bool malformed(const task::ParsedResponse& answer) {
  return std::holds_alternative<task::Malformed>(answer);
}

nlohmann::json run(const AgreementJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  task::Split split = task::read_split(job.dataset / (job.split + ".jsonl"));
  if (job.limit > 0 && split.examples.size() > static_cast<std::size_t>(job.limit))
    split.examples.resize(static_cast<std::size_t>(job.limit));
  if (split.examples.empty())
    throw std::invalid_argument((job.dataset / (job.split + ".jsonl")).string() + ": expected utterances, found none");

  CallModule module = load_call_module(job.model);
  std::vector<std::vector<text::TokenId>> prompts;
  for (const task::Example& example : split.examples)
    prompts.push_back(module.contract.prompt(module.tokenizer, example.utterance));
  const auto expected =
      ref_sample(*module.decoder, prompts,
                 {.max_new_tokens = job.max_new_tokens, .end_token = module.contract.end_token(module.tokenizer)});

  runtime::CallModel model(job.model, {.threads = job.threads});
  model.set_grammar({.on = false});  // the other side has none
  std::size_t calls = 0, tokens = 0, both_malformed = 0;
  nlohmann::json differences = nlohmann::json::array();
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    hooks.throw_if_stopped();
    const runtime::Answer answer = model.answer(split.examples[i].utterance, job.max_new_tokens);
    tokens += answer.tokens == expected[i] ? 1 : 0;
    const task::ParsedResponse parsed = module.contract.parse(module.tokenizer, expected[i]);
    both_malformed += malformed(answer.parsed) && malformed(parsed) ? 1 : 0;
    if (same(answer.parsed, parsed))
      ++calls;
    else
      differences.push_back({{"utterance", split.examples[i].utterance},
                             {"runtime", answer.text},
                             {"libtorch", module.tokenizer.decode(expected[i], true)}});
    hooks.progress("comparing", static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(prompts.size()),
                   "utterances");
  }
  const auto total = static_cast<double>(prompts.size());
  return {{"utterances", prompts.size()},
          {"same_calls", static_cast<double>(calls) / total},
          {"same_tokens", static_cast<double>(tokens) / total},
          {"both_malformed", static_cast<double>(both_malformed) / total},
          {"differences", std::move(differences)}};
}

}  // namespace

nlohmann::json agreement(const AgreementJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
