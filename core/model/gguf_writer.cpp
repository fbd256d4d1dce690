#include "model/gguf_writer.h"

#include <ranges>
#include <set>
#include <stdexcept>
#include <type_traits>

#include "host/base/files.h"

namespace retort::model {
namespace {

constexpr std::uint32_t version = 3;
constexpr std::size_t alignment = 32;
constexpr std::size_t greatest_written_name = 63;  // GGML_MAX_NAME is 64, with the final zero
constexpr std::uint32_t code_of_arrays = 9;
// By the alternatives of GgufValue, scalars first.
constexpr std::uint32_t codes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12};
constexpr std::size_t scalars = std::size(codes);

std::size_t aligned(std::size_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

/// The header as it grows.
class Header {
 public:
  template <typename Type>
  void put(const Type& value) {
    if constexpr (std::is_same_v<Type, std::string>) {
      put(static_cast<std::uint64_t>(value.size()));
      text_ += value;
    } else if constexpr (std::is_same_v<Type, bool>) {
      text_ += static_cast<char>(value ? 1 : 0);
    } else {
      text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
  }

  void put_value(const GgufValue& value) {
    const bool is_array = value.index() >= scalars;
    if (is_array) put(code_of_arrays);
    put(codes[is_array ? value.index() - scalars : value.index()]);
    std::visit([this](const auto& content) { put_content(content); }, value);
  }

  std::string take_aligned() {
    text_.resize(aligned(text_.size()), '\0');
    return std::move(text_);
  }

 private:
  template <typename Type>
  void put_content(const Type& value) {
    put(value);
  }
  template <typename Type>
  void put_content(const std::vector<Type>& values) {
    put(static_cast<std::uint64_t>(values.size()));
    for (const Type& value : values) put(value);
  }

  std::string text_;
};

std::string header_of(const GgufMetadata& metadata, const std::vector<GgufDeclaration>& tensors) {
  Header header;
  for (const char letter : {'G', 'G', 'U', 'F'}) header.put(letter);
  header.put(version);
  header.put(static_cast<std::uint64_t>(tensors.size()));
  header.put(static_cast<std::uint64_t>(metadata.size()));
  for (const auto& [key, value] : metadata) {
    header.put(key);
    header.put_value(value);
  }
  std::uint64_t offset = 0;
  for (const GgufDeclaration& tensor : tensors) {
    header.put(tensor.name);
    header.put(static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::int64_t size : std::views::reverse(tensor.shape)) header.put(static_cast<std::uint64_t>(size));
    header.put(static_cast<std::uint32_t>(tensor.type));
    header.put(offset);
    offset += aligned(tensor.bytes());
  }
  return header.take_aligned();
}

void check(const GgufMetadata& metadata, const std::vector<GgufDeclaration>& tensors, const std::string& origin) {
  if (metadata.contains("general.alignment"))
    throw std::invalid_argument(origin + ": key 'general.alignment': expected none, the default of 32 is written");
  std::set<std::string> seen;
  for (const GgufDeclaration& tensor : tensors) {
    const auto refuse = [&](const std::string& expected, const std::string& found) {
      throw std::invalid_argument(origin + ": tensor '" + tensor.name + "': expected " + expected + ", found " + found);
    };
    if (tensor.name.empty() || tensor.name.size() > greatest_written_name)
      refuse("a name of 1 to 63 bytes", std::to_string(tensor.name.size()));
    if (!seen.insert(tensor.name).second) refuse("each name once", "it twice");
    if (tensor.shape.empty() || tensor.shape.size() > 4)
      refuse("1 to 4 dimensions", std::to_string(tensor.shape.size()));
    for (const std::int64_t size : tensor.shape)
      if (size < 1) refuse("sizes of at least 1", std::to_string(size));
    if (static_cast<std::size_t>(tensor.shape.back()) % block_elements(tensor.type) != 0)
      refuse("rows of whole blocks of " + std::to_string(block_elements(tensor.type)) + " for " + name_of(tensor.type),
             std::to_string(tensor.shape.back()) + " columns");
  }
}

}  // namespace

std::size_t GgufDeclaration::bytes() const {
  std::size_t elements = 1;
  for (const std::int64_t size : shape) elements *= static_cast<std::size_t>(size);
  return ggml_bytes(type, elements);
}

void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                const std::vector<GgufDeclaration>& tensors, const GgufProducer& producer) {
  const std::string origin = "cannot write '" + path.string() + "'";
  check(metadata, tensors, origin);
  const std::string header = header_of(metadata, tensors);
  host::write_file_atomically(path, [&](int descriptor) {
    host::write_all(descriptor, header.data(), header.size());
    for (const GgufDeclaration& tensor : tensors) {
      const std::size_t bytes = tensor.bytes();
      ByteSink sink(descriptor, bytes);
      producer(tensor, sink);
      if (sink.missing() > 0)
        throw std::invalid_argument(origin + ": tensor '" + tensor.name + "': expected " + std::to_string(bytes) +
                                    " bytes, found " + std::to_string(bytes - sink.missing()));
      const std::string padding(aligned(bytes) - bytes, '\0');
      host::write_all(descriptor, padding.data(), padding.size());
    }
  });
}

}  // namespace retort::model
