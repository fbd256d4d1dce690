// Whether a model reads its prompts from left to right or in both directions. No LibTorch.
#pragma once

#include <string>

#include "model/model_config.h"
#include "task/prompt_contract.h"

namespace retort::train {

/// Gives `config` the attention that `attention` names: "causal"; "bidirectional": a prompt's positions see each other
/// all, up to the token with which `contract` ends prompts (a prefix language model, Raffel et al. 2020, arXiv
/// 1910.10683, §3.2.1); "teacher" leaves it alone. Throws std::invalid_argument for another name, and for
/// "bidirectional" where the task's form has no such token or the family is another than Llama's.
void set_prompt_attention(const std::string& attention, const task::PromptContract& contract,
                          const text::Tokenizer& tokenizer, model::ModelConfig& config);

/// Throws std::invalid_argument where prompts are to be learnt (`prompt_loss_weight` above 0) that the model reads in
/// both directions: it would see what it is to predict.
void expect_unlearnt_prompts(double prompt_loss_weight, const model::ModelConfig& config);

}  // namespace retort::train
