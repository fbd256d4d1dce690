// See text_model.h.
#include "runtime/generate/text_model.h"

#include <algorithm>
#include <stdexcept>

#include "host/base/log.h"
#include "model/generation_config.h"
#include "runtime/generate/stop_strings.h"
#include "runtime/generate/vocabulary_fit.h"

namespace retort::runtime {
namespace {

VocabularyFit checked_vocabulary(const model::ModelFolder& folder, const text::Tokenizer& tokenizer) {
  VocabularyFit fit = vocabulary_fit(folder.config(), tokenizer, folder.path().string());
  if (const std::string missing = missing_rows_text(fit, tokenizer); !missing.empty()) host::log_warning(missing);
  return fit;
}

/// The prompt's ids behind the token that the tokenizer puts first, unless the prompt brings it itself.
std::vector<TokenId> prompt_tokens(const text::Tokenizer& tokenizer, std::string_view prompt) {
  std::vector<TokenId> tokens = tokenizer.encode(prompt, text::Tokenizer::Special::parse);
  const auto begin = tokenizer.begin_token();
  if (begin && (tokens.empty() || tokens.front() != *begin)) tokens.insert(tokens.begin(), *begin);
  return tokens;
}

std::vector<TokenId> ends_of(const model::ModelFolder& folder) {
  std::vector<TokenId> ends;
  for (const std::int64_t token : model::end_tokens(folder)) ends.push_back(static_cast<TokenId>(token));
  return ends;
}

}  // namespace

struct TextModel::State {
  State(const std::filesystem::path& path, const DecoderOptions& options)
      : folder(path),
        tokenizer(text::Tokenizer::load(path)),
        vocabulary(checked_vocabulary(folder, tokenizer)),
        decoder(folder, options),
        ends(ends_of(folder)) {
    for (const std::string& notice : folder.notices()) host::log_warning(folder.path().string() + ": " + notice);
  }

  model::ModelFolder folder;
  text::Tokenizer tokenizer;
  VocabularyFit vocabulary;
  Decoder decoder;
  std::vector<TokenId> ends;
};

TextModel::TextModel(const std::filesystem::path& folder, DecoderOptions options)
    : state_(std::make_unique<State>(folder, options)) {}

TextModel::~TextModel() = default;

Continuation TextModel::continue_text(std::string_view prompt, GenerationOptions options,
                                      const std::function<void(std::string_view)>& piece,
                                      std::vector<std::string> stops) {
  Continuation result;
  result.prompt = prompt_tokens(state_->tokenizer, prompt);
  if (result.prompt.empty())
    throw std::invalid_argument(
        "the prompt is empty, and this model's tokenizer puts no token before a text: expected "
        "at least one character");
  require_rows(result.prompt, state_->tokenizer, state_->folder.config());
  if (options.ends.empty()) options.ends = state_->ends;
  using Place = text::StreamingDecoder::Place;
  text::StreamingDecoder streaming(state_->tokenizer, prompt.empty() ? Place::text_begin : Place::continuation);
  StopStrings stop(std::move(stops));
  const auto emit = [&](const std::string& text) {
    result.text += text;
    if (piece && !text.empty()) piece(text);
  };
  const auto inner = std::move(options.token);
  options.token = [&](TokenId token) {
    if (!state_->tokenizer.is_special(token)) emit(stop.push(streaming.push(token)));
    return (!inner || inner(token)) && !stop.found();
  };
  result.generation = generate(state_->decoder, result.prompt, options);
  emit(stop.push(streaming.finish()));
  emit(stop.finish());
  result.stop = stop.found();
  const std::vector<TokenId>& tokens = result.generation.tokens;
  result.ended =
      !tokens.empty() && std::find(options.ends.begin(), options.ends.end(), tokens.back()) != options.ends.end();
  return result;
}

const model::ModelFolder& TextModel::folder() const {
  return state_->folder;
}
const text::Tokenizer& TextModel::tokenizer() const {
  return state_->tokenizer;
}
Decoder& TextModel::decoder() {
  return state_->decoder;
}
std::pair<std::int64_t, std::int64_t> TextModel::padding_rows() const {
  return state_->vocabulary.padding();
}

}  // namespace retort::runtime
