// Streamed safetensors: shards, their index, and producers that give too little, too much, or up.
#include "model/safetensors_writer.h"

#include <gtest/gtest.h>

#include <numeric>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "model/safetensors.h"

namespace retort::model {
namespace {

using tests::contains;
using tests::error_of;

const std::vector<TensorDeclaration> three = {
    {"c", DataType::f32, {2, 4}}, {"a", DataType::f16, {8}}, {"b", DataType::f32, {4}}};

/// Every byte is the tensor's letter.
void letters(const TensorDeclaration& tensor, ByteSink& sink) {
  const std::string bytes(tensor.bytes(), tensor.name[0]);
  sink.append(bytes.data(), bytes.size());
}

std::string content_of(const StoredTensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data), tensor.bytes()};
}

TEST(SafetensorsWriter, OneFileWhereItFits) {
  const tests::TemporaryFolder folder;
  write_sharded_safetensors(folder.path(), three, {{"format", "pt"}}, 64, letters);
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors.index.json"));
  const SafetensorsFile file(folder / "model.safetensors");
  ASSERT_EQ(file.tensors().size(), 3U);
  EXPECT_EQ(file.tensors()[0].name, "b") << "largest elements first, then by name";
  EXPECT_EQ(file.tensors()[2].name, "a");
  for (const StoredTensor& tensor : file.tensors()) {
    file.release(tensor, 0, tensor.bytes());
    EXPECT_EQ(content_of(tensor), std::string(tensor.bytes(), tensor.name[0])) << "released pages come back";
  }
}

TEST(SafetensorsWriter, ShardsInTheOrderGivenWithAnIndex) {
  const tests::TemporaryFolder folder;
  write_sharded_safetensors(folder.path(), three, {}, 40, letters);
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors"));
  const nlohmann::json index = host::read_json(folder / "model.safetensors.index.json");
  EXPECT_EQ(index.at("metadata").at("total_size"), 32 + 16 + 16);
  EXPECT_EQ(index.at("weight_map"), (nlohmann::json{{"c", "model-00001-of-00002.safetensors"},
                                                    {"a", "model-00002-of-00002.safetensors"},
                                                    {"b", "model-00002-of-00002.safetensors"}}));
  for (const auto& [name, file] : index.at("weight_map").items())
    EXPECT_NE(SafetensorsFile(folder / file.get<std::string>()).find(name), nullptr);
}

TEST(SafetensorsWriter, ATensorLargerThanAShardHasOneAlone) {
  const tests::TemporaryFolder folder;
  write_sharded_safetensors(folder.path(), three, {}, 1, letters);
  EXPECT_TRUE(std::filesystem::exists(folder / "model-00003-of-00003.safetensors"));
  EXPECT_EQ(SafetensorsFile(folder / "model-00001-of-00003.safetensors").tensors().size(), 1U);
}

TEST(SafetensorsWriter, FailuresLeaveTheOlderFile) {
  const tests::TemporaryFolder folder;
  const std::filesystem::path path = folder / "model.safetensors";
  host::write_file_atomically(path, "older");
  const auto refusal = [&](std::vector<TensorDeclaration> tensors, const TensorProducer& producer) {
    return error_of([&] { write_safetensors(path, std::move(tensors), {}, producer); });
  };
  const auto give = [](std::size_t bytes) {
    return [bytes](const TensorDeclaration&, ByteSink& sink) { sink.append(std::string(bytes, 'x').data(), bytes); };
  };
  EXPECT_TRUE(contains(refusal({{"t", DataType::f32, {2}}}, give(7)), "tensor 't': expected 8 bytes, found 7"));
  EXPECT_TRUE(contains(refusal({{"t", DataType::f32, {2}}}, give(9)), "expected at most 8 more bytes"));
  EXPECT_TRUE(contains(refusal({{"t", DataType::f32, {-2}}}, letters), "expected sizes of at least 0"));
  EXPECT_TRUE(contains(refusal({{"t", DataType::f32, {INT64_MAX, INT64_MAX}}}, letters), "fit in 63 bits"));
  EXPECT_TRUE(contains(refusal({three[0], three[0]}, letters), "expected each name once"));
  EXPECT_EQ(refusal(three, [](const auto&, ByteSink&) { throw std::runtime_error("gave up"); }), "gave up");
  EXPECT_EQ(host::read_file(path), "older");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "no temporary file stays";
}

}  // namespace
}  // namespace retort::model
