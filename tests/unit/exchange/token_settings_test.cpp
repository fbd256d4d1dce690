// Begin, end and padding tokens and the chat template, between GGUF keys and the files of a folder.
#include "exchange/token_settings.h"

#include <gtest/gtest.h>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "random_model.h"

namespace retort::exchange {
namespace {

using tests::contains;
using tests::error_of;

model::GgufMetadata keys() {
  return {
      {"tokenizer.ggml.bos_token_id", std::uint32_t{1}},         {"tokenizer.ggml.eos_token_id", std::uint32_t{2}},
      {"tokenizer.ggml.eot_token_id", std::uint32_t{3}},         {"tokenizer.ggml.padding_token_id", std::uint32_t{0}},
      {"tokenizer.ggml.unknown_token_id", std::uint32_t{0}},     {"tokenizer.ggml.add_bos_token", false},
      {"tokenizer.chat_template", std::string("{{ messages }}")}};
}

TEST(TokenSettings, OfGgufBecomeTheTwoFiles) {
  const model::ModelConfig config = runtime::testing::awkward_config();
  const TokenSettings settings = token_settings_from_gguf(keys(), config, "m.gguf");
  EXPECT_EQ(generation_config(settings), nlohmann::json::parse(R"({"bos_token_id": 1, "eos_token_id": [2, 3],
                                                                   "pad_token_id": 0})"));
  EXPECT_EQ(tokenizer_config(settings, {"<unk>", "<s>", "</s>", "<eot>"}, 640), nlohmann::json::parse(R"({
    "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 640, "clean_up_tokenization_spaces": false,
    "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<unk>", "unk_token": "<unk>", "add_bos_token": false,
    "chat_template": "{{ messages }}"})"));
  EXPECT_EQ(generation_config(token_settings_from_gguf({}, config, "m.gguf")), nlohmann::json::object());
  model::GgufMetadata wrong = keys();
  wrong["tokenizer.ggml.eot_token_id"] = std::uint32_t{131};
  EXPECT_TRUE(contains(error_of([&] { token_settings_from_gguf(wrong, config, "m.gguf"); }),
                       "m.gguf: key 'tokenizer.ggml.eot_token_id': expected a whole number from 0 to 130, found 131"));
}

TEST(TokenSettings, NamedTemplatesAndThreeEndsComeBack) {
  const model::ModelConfig config = runtime::testing::awkward_config();
  TokenSettings settings;
  settings.ends = {4, 5, 6};
  settings.named_templates = {{"rag", "r"}, {"tool_use", "t"}};
  model::GgufMetadata keys = to_gguf(settings);
  keys["tokenizer.ggml.eos_token_id"] = std::uint32_t{4};
  const TokenSettings back = token_settings_from_gguf(keys, config, "m.gguf");
  EXPECT_EQ(back.ends, settings.ends);
  EXPECT_EQ(back.named_templates, settings.named_templates);
  EXPECT_EQ(back.chat_template, std::nullopt);
  EXPECT_EQ(tokenizer_config(back, {}, 8).at("chat_template"),
            nlohmann::json::parse(R"([{"name": "rag", "template": "r"}, {"name": "tool_use", "template": "t"}])"));
}

TEST(TokenSettings, OfAFolderBecomeKeys) {
  const tests::TemporaryFolder folder;
  const model::ModelConfig config = runtime::testing::awkward_config();
  runtime::testing::write_model(folder.path(), config, runtime::testing::random_weights(config, 1),
                                runtime::testing::Storage::f32);
  const auto settings = [&] { return token_settings_of(model::ModelFolder(folder.path())); };
  EXPECT_TRUE(to_gguf(settings()).empty());
  host::write_json(folder / "generation_config.json", {{"eos_token_id", {4, 5}}});
  host::write_json(
      folder / "tokenizer_config.json",
      {{"chat_template", {{{"name", "tool_use"}, {"template", "t"}}, {{"name", "default"}, {"template", "d"}}}}});
  EXPECT_EQ(settings().ends, (std::vector<std::int64_t>{4, 5}));
  EXPECT_EQ(to_gguf(settings()),
            (model::GgufMetadata{{"tokenizer.chat_template", std::string("d")},
                                 {"tokenizer.chat_template.tool_use", std::string("t")},
                                 {"tokenizer.chat_templates", std::vector<std::string>{"tool_use"}},
                                 {"tokenizer.ggml.eot_token_id", std::uint32_t{5}}}));
  host::write_file_atomically(folder / "chat_template.jinja", "newer");
  EXPECT_EQ(settings().chat_template, "newer") << "a file of its own is what Transformers prefers";
  host::write_json(folder / "tokenizer_config.json", {{"chat_template", 3}});
  EXPECT_TRUE(contains(error_of(settings), "tokenizer_config.json: /chat_template: expected"));
}

}  // namespace
}  // namespace retort::exchange
