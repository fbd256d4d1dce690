#include "model_description.h"

#include <exception>

#include "host/base/number_format.h"
#include "model/stored_weights.h"
#include "runtime/generate/vocabulary_fit.h"

namespace retort::apps {
namespace {

using host::Json;

Json weights_of(const model::ModelFolder& folder) {
  Json weights = Json::array();
  for (const model::StoredWeights& stored : model::stored_weights(folder))
    weights.push_back({{"form", stored.form}, {"parameters", stored.parameters}, {"bytes", stored.bytes}});
  return weights;
}

/// Adds to `problems` what is no reason to refuse the model.
Json vocabulary_of(const model::ModelFolder& folder, Json& problems) {
  Json vocabulary = {{"rows", folder.config().vocabulary_size}};
  try {
    const text::Tokenizer tokenizer = text::Tokenizer::load(folder.path());
    const runtime::VocabularyFit fit = runtime::vocabulary_fit(folder.config(), tokenizer, folder.path().string());
    const auto [first, end] = fit.padding();
    vocabulary["tokens"] = fit.ids;
    vocabulary["padding"] = first < end ? Json::array({first, end}) : Json();
    vocabulary["without_row"] = fit.without_row;
    if (const std::string missing = runtime::missing_rows_text(fit, tokenizer); !missing.empty())
      problems.push_back(missing);
  } catch (const std::exception& error) {
    vocabulary["tokens"] = nullptr;
    problems.push_back(error.what());
  }
  return vocabulary;
}

std::string line(const std::string& name, const std::string& value) {
  return name + std::string(name.size() < 10 ? 10 - name.size() : 1, ' ') + value + "\n";
}

std::string number(const Json& value) {
  return std::to_string(value.get<std::int64_t>());
}

std::string weights_text(const Json& description) {
  std::string text = host::format_bytes(description["bytes"]) + ":";
  const char* separator = " ";
  for (const Json& stored : description["weights"]) {
    text += separator + stored["form"].get<std::string>() + " " + host::format_bytes(stored["bytes"]) + " (" +
            host::format_count(stored["parameters"]) + " parameters)";
    separator = ", ";
  }
  return text;
}

std::string vocabulary_text(const Json& vocabulary) {
  std::string text = number(vocabulary["rows"]) + " rows";
  if (vocabulary["tokens"].is_null()) return text + ", no tokenizer";
  text += ", " + number(vocabulary["tokens"]) + " tokens";
  const Json& padding = vocabulary["padding"];
  if (!padding.is_null())
    text += "; rows " + number(padding[0]) + " to " + std::to_string(padding[1].get<std::int64_t>() - 1) +
            " belong to no token (padding)";
  return text;
}

}  // namespace

Json describe_model(const std::filesystem::path& path) {
  Json problems = Json::array();
  try {
    const model::ModelFolder folder(path);
    const model::ModelConfig& config = folder.config();
    Json description = {{"architecture", config.architecture},
                        {"parameters", config.parameters()},
                        {"layers", config.layers},
                        {"hidden_size", config.hidden_size},
                        {"intermediate_size", config.intermediate_size},
                        {"heads", config.heads},
                        {"kv_heads", config.kv_heads},
                        {"head_dim", config.head_dim},
                        {"context", config.max_positions},
                        {"tied_head", config.tie_word_embeddings},
                        {"bytes", folder.weight_bytes()},
                        {"weights", weights_of(folder)}};
    description["vocabulary"] = vocabulary_of(folder, problems);
    description["problems"] = problems;
    return description;
  } catch (const std::exception& error) {
    problems.push_back(error.what());
    return {{"problems", problems}};
  }
}

std::string description_text(const Json& description) {
  std::string text;
  if (description.contains("architecture")) {
    text += line("family", description["architecture"].get<std::string>() +
                               (description["tied_head"].get<bool>() ? ", head tied to the embedding" : ""));
    text += line("size",
                 host::format_count(description["parameters"]) + " parameters: " + number(description["layers"]) +
                     " layers, hidden " + number(description["hidden_size"]) + ", feed-forward " +
                     number(description["intermediate_size"]) + ", " + number(description["heads"]) + " query and " +
                     number(description["kv_heads"]) + " key/value heads of " + number(description["head_dim"]));
    text += line("context", number(description["context"]) + " tokens");
    text += line("weights", weights_text(description));
    text += line("vocabulary", vocabulary_text(description["vocabulary"]));
  }
  for (const Json& problem : description["problems"]) text += line("problem", problem.get<std::string>());
  return text;
}

}  // namespace retort::apps
