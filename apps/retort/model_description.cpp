#include "model_description.h"

#include <exception>

#include "host/base/number_format.h"
#include "model/generation_config.h"
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
  Json vocabulary = {{"rows", folder.config().vocabulary_size}, {"end_texts", Json::object()}};
  try {
    const text::Tokenizer tokenizer = text::Tokenizer::load(folder.path());
    const runtime::VocabularyFit fit = runtime::vocabulary_fit(folder.config(), tokenizer, folder.path().string());
    const auto [first, end] = fit.padding();
    vocabulary["tokens"] = fit.ids;
    vocabulary["padding"] = first < end ? Json::array({first, end}) : Json();
    vocabulary["without_row"] = fit.without_row;
    for (const std::int64_t id : model::end_tokens(folder))
      vocabulary["end_texts"][std::to_string(id)] = tokenizer.token(static_cast<text::TokenId>(id));
    if (const std::string missing = runtime::missing_rows_text(fit, tokenizer); !missing.empty())
      problems.push_back(missing);
  } catch (const std::exception& error) {
    vocabulary["tokens"] = nullptr;
    problems.push_back(error.what());
  }
  return vocabulary;
}

/// The ids that end an answer, and a note where config.json names others than generation_config.json, which counts.
Json ends_of(const model::ModelFolder& folder, Json& notes) {
  const std::vector<std::int64_t> ends = model::end_tokens(folder);
  const Json& config = folder.config_json();
  const Json named = config.contains("eos_token_id") ? config["eos_token_id"] : Json();
  if (!ends.empty() && !named.is_null() && (named.is_array() ? named : Json::array({named})) != Json(ends))
    notes.push_back("eos_token_id is " + named.dump() + " in config.json and " + Json(ends).dump() +
                    " in generation_config.json: the latter ends an answer");
  return ends;
}

std::string number(const Json& value) {
  return std::to_string(value.get<std::int64_t>());
}

/// "262 (<|im_end|>), 260".
std::string ends_text(const Json& description) {
  std::string text;
  for (const Json& end : description["end_tokens"]) {
    text += (text.empty() ? "" : ", ") + number(end);
    const Json& texts = description["vocabulary"]["end_texts"];
    if (const std::string name = texts.value(number(end), ""); !name.empty()) text += " (" + name + ")";
  }
  return text.empty() ? "none named" : text;
}

std::string line(const std::string& name, const std::string& value) {
  return name + std::string(name.size() < 10 ? 10 - name.size() : 1, ' ') + value + "\n";
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
    description["notes"] = folder.notices();
    description["end_tokens"] = ends_of(folder, description["notes"]);
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
    text += line("ends", ends_text(description));
    for (const Json& note : description["notes"]) text += line("note", note.get<std::string>());
  }
  for (const Json& problem : description["problems"]) text += line("problem", problem.get<std::string>());
  return text;
}

}  // namespace retort::apps
