#include "train/agreement.h"

#include <optional>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/json.h"
#include "runtime/generate/call_model.h"
#include "task/dataset.h"
#include "train/model_weights.h"
#include "train/reference_sampling.h"
#include "train/task_files.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using Json = nlohmann::json;
using Tokens = std::vector<text::TokenId>;

/// Two answers agree if both hold the same calls. Two malformed ones say nothing about calls, so they do not agree.
bool same(const task::ParsedResponse& a, const task::ParsedResponse& b) {
  const auto* left = std::get_if<std::vector<task::Call>>(&a);
  const auto* right = std::get_if<std::vector<task::Call>>(&b);
  return left != nullptr && right != nullptr && task::exact_match(*left, *right);
}

bool malformed(const task::ParsedResponse& answer) {
  return std::holds_alternative<task::Malformed>(answer);
}

/// Sets every "input_activations" inside to null. Returns whether one was not.
bool take_input_activations(Json& json) {
  bool found = false;
  if (json.is_object() && json.contains("input_activations")) {
    found = !json["input_activations"].is_null();
    json["input_activations"] = nullptr;
  }
  if (json.is_structured())
    for (Json& member : json) found = take_input_activations(member) || found;
  return found;
}

/// A folder with the model's weights as they are and a config that does not ask for int8 activations; nothing if the
/// model's does not either.
std::optional<std::filesystem::path> without_int8_activations(const AgreementJob& job) {
  Json config = host::read_json(job.model / "config.json");
  if (!take_input_activations(config)) return std::nullopt;
  if (job.work.empty())
    throw std::invalid_argument("a model with int8 activations is compared with a work folder only");
  const std::filesystem::path folder = job.work / "float-activations";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  for (const auto& entry : std::filesystem::directory_iterator(job.model))
    if (entry.path().filename() != "config.json")
      std::filesystem::create_symlink(std::filesystem::absolute(entry.path()), folder / entry.path().filename());
  host::write_json(folder / "config.json", config);
  return folder;
}

/// Whether LibTorch's choice at the first place where `found` differs from its own answer was within `tie`.
bool parts_at_a_tie(DecoderModule& decoder, const Tokens& prompt, const Tokens& own, const Tokens& found, double tie) {
  std::size_t at = 0;
  while (at < own.size() && at < found.size() && own[at] == found[at]) ++at;
  if (at == own.size() || at == found.size()) return false;  // one was cut short: no choice to compare
  Tokens seen = prompt;
  seen.insert(seen.end(), own.begin(), own.begin() + static_cast<std::ptrdiff_t>(at));
  const torch::NoGradGuard no_grad;
  const auto length = static_cast<std::int64_t>(seen.size());
  ReferenceCache cache;
  const torch::Tensor hidden =
      decoder.hidden_into_cache(pad({seen}), torch::tensor({length}, torch::kInt64), length, cache);
  const torch::Tensor logits = decoder.logits(hidden.index({0, length - 1}).unsqueeze(0))[0];
  return logits[own[at]].item<double>() - logits[found[at]].item<double>() < tie;
}

class Comparison {
 public:
  Comparison(const AgreementJob& job, const RunHooks& hooks) : job_(job), hooks_(hooks) {
    task::Split split = task::read_split(job.dataset / (job.split + ".jsonl"), job.max_rejected_share);
    examples_ = std::move(split.examples);
    if (job.limit > 0 && examples_.size() > static_cast<std::size_t>(job.limit))
      examples_.resize(static_cast<std::size_t>(job.limit));
    drop_unshown();
    if (examples_.empty())
      throw std::invalid_argument((job.dataset / (job.split + ".jsonl")).string() +
                                  ": expected utterances, found none");
  }

  Json run() {
    const std::optional<std::filesystem::path> view = without_int8_activations(job_);
    const std::vector<runtime::Answer> served = answers(view.value_or(job_.model), "float activations");
    Json result = against_libtorch(served);
    result["int8_activations"] = view ? cost_of_int8(served, answers(job_.model, "int8 activations")) : Json();
    if (view) std::filesystem::remove_all(*view);
    return result;
  }

 private:
  std::vector<runtime::Answer> answers(const std::filesystem::path& folder, const char* label) const {
    runtime::CallModel model(folder, {.threads = job_.threads});
    model.set_grammar({.on = false});  // the other side has none
    std::vector<runtime::Answer> all;
    for (const task::Example& example : examples_) {
      hooks_.throw_if_stopped();
      all.push_back(model.answer(example, job_.max_new_tokens));
      hooks_.progress(label, static_cast<std::int64_t>(all.size()), static_cast<std::int64_t>(examples_.size()),
                      "utterances");
    }
    return all;
  }

  Json against_libtorch(const std::vector<runtime::Answer>& served) const {
    CallModule module = load_call_module(job_.model);
    std::vector<Tokens> prompts;
    for (const task::Example& example : examples_) prompts.push_back(module.contract.prompt(module.tokenizer, example));
    const std::vector<Tokens> expected =
        ref_sample(*module.decoder, prompts,
                   {.max_new_tokens = job_.max_new_tokens, .end_token = module.contract.end_token(module.tokenizer)});
    std::size_t calls = 0, tokens = 0, ties = 0, both_malformed = 0;
    Json differences = Json::array();
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      hooks_.throw_if_stopped();
      const task::ParsedResponse parsed = module.contract.parse(module.tokenizer, expected[i], examples_[i]);
      const bool same_tokens = served[i].tokens == expected[i];
      const bool tie =
          !same_tokens && parts_at_a_tie(*module.decoder, prompts[i], expected[i], served[i].tokens, job_.tie);
      tokens += same_tokens ? 1 : 0;
      ties += tie ? 1 : 0;
      both_malformed += malformed(served[i].parsed) && malformed(parsed) ? 1 : 0;
      if (same(served[i].parsed, parsed))
        ++calls;
      else
        differences.push_back({{"utterance", examples_[i].utterance()},
                               {"runtime", served[i].text},
                               {"libtorch", module.tokenizer.decode(expected[i], true)},
                               {"tie", tie}});
    }
    return {{"utterances", prompts.size()},
            {"same_calls", share(calls)},
            {"same_tokens", share(tokens)},
            {"ties", share(ties)},
            {"both_malformed", share(both_malformed)},
            {"differences", std::move(differences)}};
  }

  Json cost_of_int8(const std::vector<runtime::Answer>& in_float, const std::vector<runtime::Answer>& in_int8) const {
    std::size_t calls = 0, tokens = 0;
    Json differences = Json::array();
    for (std::size_t i = 0; i < in_float.size(); ++i) {
      tokens += in_float[i].tokens == in_int8[i].tokens ? 1 : 0;
      if (same(in_float[i].parsed, in_int8[i].parsed))
        ++calls;
      else
        differences.push_back(
            {{"utterance", examples_[i].utterance()}, {"int8", in_int8[i].text}, {"float", in_float[i].text}});
    }
    return {{"same_calls", share(calls)}, {"same_tokens", share(tokens)}, {"differences", std::move(differences)}};
  }

  /// Conversations that the model's prompt form cannot show are not compared, and that is said.
  void drop_unshown() {
    const TaskFiles task = load_task_files(job_.model);
    std::erase_if(examples_, [&](const task::Example& example) {
      try {
        task.contract.prompt(task.tokenizer, example);
        return false;
      } catch (const std::invalid_argument& error) {
        hooks_.log("not compared: " + std::string(error.what()));
        return true;
      }
    });
  }

  double share(std::size_t count) const { return static_cast<double>(count) / static_cast<double>(examples_.size()); }

  const AgreementJob& job_;
  const RunHooks& hooks_;
  std::vector<task::Example> examples_;
};

Json run(const AgreementJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  return Comparison(job, hooks).run();
}

}  // namespace

nlohmann::json agreement(const AgreementJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
