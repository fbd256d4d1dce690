// Format: https://github.com/huggingface/safetensors#format; the index as Transformers writes it.
#include "model/safetensors_writer.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include "host/base/files.h"
#include "host/base/json.h"

namespace retort::model {
namespace {

/// Header of a file that holds `tensors` in this order.
std::string header_of(const std::vector<TensorDeclaration>& tensors, const std::map<std::string, std::string>& metadata,
                      const std::filesystem::path& path) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::map<std::string, bool> seen;
  std::uint64_t offset = 0;
  for (const TensorDeclaration& tensor : tensors) {
    const auto refuse = [&](const std::string& reason) {
      throw std::invalid_argument("cannot write '" + path.string() + "': tensor '" + tensor.name + "': " + reason);
    };
    if (tensor.name.empty() || tensor.name == "__metadata__") refuse("expected another name");
    if (!seen.emplace(tensor.name, true).second) refuse("expected each name once, found it twice");
    const std::uint64_t end = offset + tensor.bytes();
    header[tensor.name] = {{"dtype", name_of(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data then begins on a multiple of 8
  return text;
}

std::string shard_name(std::size_t number, std::size_t of) {
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "model-%05zu-of-%05zu.safetensors", number, of);
  return name.data();
}

/// Consecutive tensors, each group as large as fits.
std::vector<std::vector<TensorDeclaration>> shards_of(const std::vector<TensorDeclaration>& tensors,
                                                      std::size_t shard_bytes) {
  std::vector<std::vector<TensorDeclaration>> shards(1);
  std::size_t filled = 0;
  for (const TensorDeclaration& tensor : tensors) {
    const std::size_t bytes = tensor.bytes();
    const bool fits = filled <= shard_bytes && bytes <= shard_bytes - filled;
    if (!fits && !shards.back().empty()) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(tensor);
    filled += bytes;
  }
  return shards;
}

}  // namespace

std::size_t TensorDeclaration::bytes() const {
  std::size_t bytes = size_of(type);
  for (const std::int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<std::size_t>(size), &bytes) || bytes > INT64_MAX)
      throw std::invalid_argument("tensor '" + name +
                                  "': expected sizes of at least 0 whose bytes fit in 63 bits, found " +
                                  std::to_string(size));
  return bytes;
}

void write_safetensors(const std::filesystem::path& path, std::vector<TensorDeclaration> tensors,
                       const std::map<std::string, std::string>& metadata, const TensorProducer& producer) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorDeclaration& a, const TensorDeclaration& b) {
    return size_of(a.type) != size_of(b.type) ? size_of(a.type) > size_of(b.type) : a.name < b.name;
  });
  const std::string header = header_of(tensors, metadata, path);
  const std::uint64_t length = header.size();
  host::write_file_atomically(path, [&](int descriptor) {
    host::write_all(descriptor, &length, sizeof(length));
    host::write_all(descriptor, header.data(), header.size());
    for (const TensorDeclaration& tensor : tensors) {
      ByteSink sink(descriptor, tensor.bytes());
      producer(tensor, sink);
      if (sink.missing() > 0)
        throw std::invalid_argument("cannot write '" + path.string() + "': tensor '" + tensor.name + "': expected " +
                                    std::to_string(tensor.bytes()) + " bytes, found " +
                                    std::to_string(tensor.bytes() - sink.missing()));
    }
  });
}

void write_sharded_safetensors(const std::filesystem::path& folder, const std::vector<TensorDeclaration>& tensors,
                               const std::map<std::string, std::string>& metadata, std::size_t shard_bytes,
                               const TensorProducer& producer) {
  const auto shards = shards_of(tensors, shard_bytes);
  if (shards.size() == 1) {
    write_safetensors(folder / "model.safetensors", tensors, metadata, producer);
    return;
  }
  nlohmann::json index = {{"metadata", {{"total_size", 0}}}, {"weight_map", nlohmann::json::object()}};
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i + 1, shards.size());
    write_safetensors(folder / name, shards[i], metadata, producer);
    for (const TensorDeclaration& tensor : shards[i]) {
      index["weight_map"][tensor.name] = name;
      total += tensor.bytes();
    }
  }
  index["metadata"]["total_size"] = total;
  host::write_json(folder / "model.safetensors.index.json", index);
}

}  // namespace retort::model
