// `retort import` and `retort export` as users and scripts see them: exit codes, messages, --json, and how much memory
// a model needs that is larger than what it may take.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "child_command.h"
#include "exchange/gguf_config.h"
#include "exchange/gguf_names.h"
#include "fixtures.h"
#include "model/gguf_writer.h"
#include "model/model_folder.h"

namespace retort::apps {
namespace {

namespace fs = std::filesystem;
using tests::contains;

/// A llama with random-looking weights and no tokenizer; its embedding [vocabulary,512] is by far the largest tensor.
void write_llama(const fs::path& path, std::int64_t vocabulary) {
  model::ModelConfig config;
  config.vocabulary_size = vocabulary;
  config.hidden_size = 512;
  config.intermediate_size = 1024;
  config.layers = 1;
  config.heads = 8;
  config.kv_heads = 2;
  config.head_dim = 64;
  config.max_positions = 128;
  std::vector<model::GgufDeclaration> tensors;
  for (const auto& [name, shape] : model::tensor_shapes(config))
    tensors.push_back({exchange::gguf_tensor_name(config, name), model::GgmlType::f32, shape});
  const std::vector<float> piece(1 << 16, 0.5F);
  model::write_gguf(path, exchange::gguf_from_config(config), tensors,
                    [&](const model::GgufDeclaration&, model::ByteSink& sink) {
                      while (sink.missing() > 0)
                        sink.append(piece.data(), std::min(sink.missing(), piece.size() * sizeof(float)));
                    });
}

class ExchangeCommandTest : public ::testing::Test {
 protected:
  Outcome retort(const std::vector<std::string>& arguments) const {
    return ChildCommand(folder_.path(), arguments).wait();
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  tests::TemporaryFolder folder_;
};

TEST_F(ExchangeCommandTest, ThereAndBackWithJson) {
  write_llama(path("m.gguf"), 300);
  const Outcome imported = retort({"import", path("m.gguf"), path("model"), "--json"});
  ASSERT_EQ(imported.code, 0) << imported.err;
  const auto json = nlohmann::json::parse(imported.out);
  EXPECT_EQ(json.at("path"), path("model"));
  EXPECT_EQ(json.at("architecture"), "LlamaForCausalLM");
  EXPECT_EQ(json.at("parameters"), 300 * 512 + 512 * 64 * 20 + 3 * 512 * 1024 + 3 * 512);
  EXPECT_EQ(json.at("files"),
            (nlohmann::json{"config.json", "generation_config.json", "model.safetensors", "tokenizer_config.json"}));
  ASSERT_EQ(json.at("notes").size(), 1U);
  EXPECT_TRUE(contains(json.at("notes")[0], "it has no tokenizer"));
  const Outcome exported = retort({"export", path("model"), path("q.gguf"), "--format", "gguf", "--dtype", "q8_0"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  EXPECT_TRUE(contains(exported.out, "q.gguf: LlamaForCausalLM, 2.38M parameters, 2.5")) << exported.out;
  EXPECT_EQ(retort({"export", path("model"), path("half"), "--format", "hf", "--dtype", "f16"}).code, 0);
  EXPECT_NEAR(static_cast<double>(fs::file_size(path("half") + "/model.safetensors")),
              2 * json.at("parameters").get<double>(), 2000)
      << "two bytes a weight, and a header";
}

TEST_F(ExchangeCommandTest, WrongArgumentsAreTheCallersFault) {
  write_llama(path("m.gguf"), 300);
  const auto refusal = [&](const std::vector<std::string>& arguments) {
    const Outcome outcome = retort(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    return outcome.err;
  };
  EXPECT_TRUE(contains(refusal({"import", path("m.gguf")}), "target"));
  EXPECT_TRUE(contains(refusal({"import", path("m.gguf"), path("x"), "--dtype", "q8_0"}), "expected f32, f16 or bf16"));
  EXPECT_TRUE(
      contains(refusal({"import", path("m.gguf"), path("x"), "--shard-size", "5 GB"}), "--shard-size: expected"));
  EXPECT_TRUE(
      contains(refusal({"import", path("m.gguf"), path("x"), "--shard-size", "99999999999GB"}), "--shard-size"));
  EXPECT_TRUE(contains(refusal({"import", path("none.gguf"), path("x")}), "found nothing"));
  EXPECT_TRUE(contains(refusal({"import", path("m.gguf"), path("m.gguf")}), "choose another name"));
  EXPECT_TRUE(contains(refusal({"export", path("m.gguf"), path("x")}), "format"));
  EXPECT_TRUE(contains(refusal({"export", path("m.gguf"), path("x"), "--format", "onnx"}), "expected gguf or hf"));
  EXPECT_TRUE(
      contains(refusal({"export", path("m.gguf"), path("x"), "--format", "gguf", "--dtype", "q2_k"}), "--dtype"));
  std::ofstream(path("cut.gguf"), std::ios::binary) << "GGUF\3";
  EXPECT_TRUE(contains(refusal({"import", path("cut.gguf"), path("x")}), "cut.gguf': byte 4: expected 4 more bytes"));
  EXPECT_FALSE(fs::exists(path("x")));
  for (const char* command : {"import", "export"}) {
    const Outcome help = retort({command, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_TRUE(contains(help.out, "--dtype") && contains(help.out, "example: retort ")) << help.out;
  }
}

/// The bound is 1.2 times the largest tensor and 200 MB. Whoever holds that tensor twice, as the file's pages and as
/// what is written, is above it.
TEST_F(ExchangeCommandTest, MemoryIsBoundedByTheLargestTensorAtMost) {
  constexpr std::int64_t tensor_bytes = 512 * 4 * std::int64_t{150'000};
  constexpr std::int64_t bound_kilobytes = (tensor_bytes * 12 / 10 + 200'000'000) / 1024;
  static_assert(2 * tensor_bytes / 1024 > bound_kilobytes);
  write_llama(path("m.gguf"), 150'000);
  const Outcome imported = retort({"import", path("m.gguf"), path("model")});
  ASSERT_EQ(imported.code, 0) << imported.err;
  EXPECT_LT(imported.peak_kilobytes, bound_kilobytes);
  fs::remove(path("m.gguf"));
  const Outcome exported = retort({"export", path("model"), path("m.gguf"), "--format", "gguf"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  EXPECT_LT(exported.peak_kilobytes, bound_kilobytes);
  fs::remove(path("m.gguf"));
  const Outcome folder = retort({"export", path("model"), path("copy"), "--format", "hf"});
  ASSERT_EQ(folder.code, 0) << folder.err;
  EXPECT_LT(folder.peak_kilobytes, bound_kilobytes);
}

}  // namespace
}  // namespace retort::apps
