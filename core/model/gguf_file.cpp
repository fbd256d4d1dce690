#include "model/gguf_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "host/base/json_cursor.h"
#include "model/mapped_file.h"

namespace retort::model {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian and are mapped as is");

constexpr std::uint32_t gguf_magic = 0x46554747;  // "GGUF"
constexpr std::uint64_t default_alignment = 32;
constexpr std::uint64_t greatest_alignment = std::uint64_t{1} << 20;
constexpr std::size_t greatest_name = 64;  // the specification's limit for tensors
constexpr std::size_t greatest_key = (1 << 16) - 1;
constexpr std::uint32_t greatest_rank = 4;

enum : std::uint32_t { code_bool = 7, code_string = 8, code_array = 9 };

/// Reads forward through the file; every read checks what is left.
class Cursor {
 public:
  Cursor(std::span<const std::byte> content, const std::string& origin) : content_(content), origin_(&origin) {}

  /// What is being read, for messages: "key 'general.name'".
  void name_place(std::string place) { place_ = std::move(place); }
  std::size_t position() const { return position_; }
  std::size_t left() const { return content_.size() - position_; }

  [[noreturn]] void refuse(const std::string& expected, const std::string& found) const {
    throw std::invalid_argument(*origin_ + ": " + (place_.empty() ? "" : place_ + ": ") + "byte " +
                                std::to_string(position_) + ": expected " + expected + ", found " + found);
  }

  template <typename Type>
  Type number() {
    if (left() < sizeof(Type)) refuse_short(sizeof(Type));
    Type value;
    std::memcpy(&value, content_.data() + position_, sizeof(value));
    position_ += sizeof(value);
    return value;
  }

  bool boolean() {
    const auto value = number<std::uint8_t>();
    if (value > 1) refuse("0 or 1 for a bool", std::to_string(value));
    return value == 1;
  }

  std::string string() {
    const auto length = number<std::uint64_t>();
    if (length > left()) refuse_short(length);
    std::string text(reinterpret_cast<const char*>(content_.data() + position_), static_cast<std::size_t>(length));
    position_ += text.size();
    return text;
  }

  /// The length of an array of elements that take at least `element_bytes` each.
  std::size_t array_length(std::size_t element_bytes) {
    const auto length = number<std::uint64_t>();
    if (length > left() / element_bytes)
      refuse("an array that fits in the " + std::to_string(left()) + " bytes left",
             std::to_string(length) + " elements of at least " + std::to_string(element_bytes));
    return static_cast<std::size_t>(length);
  }

 private:
  [[noreturn]] void refuse_short(std::uint64_t bytes) const {
    refuse(std::to_string(bytes) + " more bytes", std::to_string(left()) + " before the end of the file");
  }

  std::span<const std::byte> content_;
  const std::string* origin_;
  std::string place_;
  std::size_t position_ = 0;
};

template <typename Type>
Type element(Cursor& cursor) {
  if constexpr (std::is_same_v<Type, bool>)
    return cursor.boolean();
  else if constexpr (std::is_same_v<Type, std::string>)
    return cursor.string();
  else
    return cursor.number<Type>();
}

template <typename Type>
GgufValue array(Cursor& cursor) {
  constexpr std::size_t least_bytes = std::is_same_v<Type, std::string> ? sizeof(std::uint64_t) : sizeof(Type);
  std::vector<Type> values(cursor.array_length(least_bytes));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = element<Type>(cursor);
  return values;
}

/// Calls `read` with a value of the type that the file's number names. Not for arrays.
template <typename Read>
GgufValue with_type(Cursor& cursor, std::uint32_t code, Read&& read) {
  switch (code) {
    case 0:
      return read(std::uint8_t{});
    case 1:
      return read(std::int8_t{});
    case 2:
      return read(std::uint16_t{});
    case 3:
      return read(std::int16_t{});
    case 4:
      return read(std::uint32_t{});
    case 5:
      return read(std::int32_t{});
    case 6:
      return read(float{});
    case code_bool:
      return read(bool{});
    case code_string:
      return read(std::string());
    case 10:
      return read(std::uint64_t{});
    case 11:
      return read(std::int64_t{});
    case 12:
      return read(double{});
    default:
      cursor.refuse("a value type from 0 to 12, and no array in an array", std::to_string(code));
  }
}

GgufValue read_value(Cursor& cursor) {
  const auto code = cursor.number<std::uint32_t>();
  if (code != code_array)
    return with_type(cursor, code,
                     [&](const auto& type) { return GgufValue(element<std::remove_cvref_t<decltype(type)>>(cursor)); });
  const auto element_code = cursor.number<std::uint32_t>();
  return with_type(cursor, element_code,
                   [&](const auto& type) { return array<std::remove_cvref_t<decltype(type)>>(cursor); });
}

GgufMetadata read_metadata(Cursor& cursor, std::uint64_t count) {
  GgufMetadata metadata;
  for (std::uint64_t i = 0; i < count; ++i) {
    cursor.name_place("key " + std::to_string(i + 1) + " of " + std::to_string(count));
    std::string key = cursor.string();
    if (key.empty() || key.size() > greatest_key)
      cursor.refuse("a key of 1 to " + std::to_string(greatest_key) + " bytes", std::to_string(key.size()));
    cursor.name_place("key " + host::excerpt(nlohmann::json(key)));
    GgufValue value = read_value(cursor);
    if (!metadata.emplace(std::move(key), std::move(value)).second) cursor.refuse("each key once", "it twice");
  }
  cursor.name_place("");
  return metadata;
}

/// One tensor's entry of the header; the offset is relative to the data section.
struct Entry {
  GgufTensor tensor;
  std::uint64_t offset = 0;
};

Entry read_entry(Cursor& cursor) {
  Entry entry;
  GgufTensor& tensor = entry.tensor;
  tensor.name = cursor.string();
  if (tensor.name.empty() || tensor.name.size() > greatest_name)
    cursor.refuse("a name of 1 to " + std::to_string(greatest_name) + " bytes", std::to_string(tensor.name.size()));
  cursor.name_place("tensor " + host::excerpt(nlohmann::json(tensor.name)));
  const auto rank = cursor.number<std::uint32_t>();
  if (rank < 1 || rank > greatest_rank) cursor.refuse("1 to 4 dimensions", std::to_string(rank));
  std::uint64_t elements = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const auto size = cursor.number<std::uint64_t>();
    // 2^56 elements of 4 bytes are far above any file and far below an overflow of anything computed from them.
    if (__builtin_mul_overflow(elements, size, &elements) || size == 0 || elements > (std::uint64_t{1} << 56))
      cursor.refuse("sizes of at least 1 with at most 2^56 elements together", std::to_string(size));
    tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(size));
  }
  const auto code = cursor.number<std::uint32_t>();
  const auto type = ggml_type(code);
  if (!type)
    cursor.refuse("type F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K", ggml_type_name(code));
  tensor.type = *type;
  if (static_cast<std::uint64_t>(tensor.shape.back()) % block_elements(*type) != 0)
    cursor.refuse("rows of whole blocks of " + std::to_string(block_elements(*type)) + " for type " + name_of(*type),
                  std::to_string(tensor.shape.back()) + " columns");
  tensor.bytes = ggml_bytes(*type, static_cast<std::size_t>(elements));
  entry.offset = cursor.number<std::uint64_t>();
  return entry;
}

std::uint64_t alignment_of(const GgufMetadata& metadata, Cursor& cursor) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return default_alignment;
  const auto* value = std::get_if<std::uint32_t>(&found->second);
  if (value == nullptr || *value < 8 || *value > greatest_alignment || !std::has_single_bit(*value)) {
    cursor.name_place("key 'general.alignment'");
    cursor.refuse("a u32 power of two from 8 to " + std::to_string(greatest_alignment),
                  value != nullptr ? std::to_string(*value) : "another type");
  }
  return *value;
}

}  // namespace

struct GgufFile::State {
  void parse();
  void place(std::vector<Entry> entries, std::uint64_t alignment, std::uint64_t begin);

  std::string origin;
  std::optional<MappedFile> mapping;
  std::span<const std::byte> content;
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;
  std::map<std::string, std::size_t> index;
};

void GgufFile::State::parse() {
  Cursor cursor(content, origin);
  const auto found = cursor.number<std::uint32_t>();
  if (found != gguf_magic) cursor.refuse("the letters GGUF at the file's beginning", "other bytes; is it a GGUF file?");
  const auto version = cursor.number<std::uint32_t>();
  if (version != 2 && version != 3)
    cursor.refuse("version 2 or 3, little-endian",
                  (version & 0xFFFFU) == 0 ? "a big-endian file" : std::to_string(version));
  const auto tensor_count = cursor.number<std::uint64_t>();
  const auto key_count = cursor.number<std::uint64_t>();
  // The shortest key: length, one byte, type, one byte. The shortest tensor: length, one byte, rank, size, type,
  // offset.
  if (key_count > cursor.left() / 14) cursor.refuse("as many keys as the file has room for", std::to_string(key_count));
  if (tensor_count > cursor.left() / 33)
    cursor.refuse("as many tensors as the file has room for", std::to_string(tensor_count));
  metadata = read_metadata(cursor, key_count);
  std::vector<Entry> entries;
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    cursor.name_place("tensor " + std::to_string(i + 1) + " of " + std::to_string(tensor_count));
    entries.push_back(read_entry(cursor));
    if (!index.emplace(entries.back().tensor.name, static_cast<std::size_t>(i)).second)
      cursor.refuse("each tensor once", "it twice");
  }
  cursor.name_place("");
  const std::uint64_t alignment = alignment_of(metadata, cursor);
  place(std::move(entries), alignment, (cursor.position() + alignment - 1) / alignment * alignment);
}

/// Checks that every tensor lies aligned in the data section, which begins at `begin`, and shares no byte with another.
void GgufFile::State::place(std::vector<Entry> entries, std::uint64_t alignment, std::uint64_t begin) {
  const std::uint64_t room = content.size() > begin ? content.size() - begin : 0;
  std::vector<const Entry*> order;
  for (const Entry& entry : entries) {
    const auto refuse = [&](const std::string& expected, const std::string& value) {
      throw std::invalid_argument(origin + ": tensor " + host::excerpt(nlohmann::json(entry.tensor.name)) +
                                  ": expected " + expected + ", found " + value);
    };
    if (entry.offset % alignment != 0)
      refuse("an offset that is a multiple of " + std::to_string(alignment), std::to_string(entry.offset));
    if (entry.offset > room || entry.tensor.bytes > room - entry.offset)
      refuse(std::to_string(entry.tensor.bytes) + " bytes at offset " + std::to_string(entry.offset),
             std::to_string(room) + " bytes of data; the file is truncated, or its header is wrong");
    order.push_back(&entry);
  }
  std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < order.size(); ++i)
    if (order[i]->offset < order[i - 1]->offset + order[i - 1]->tensor.bytes)
      throw std::invalid_argument(origin + ": tensor " + host::excerpt(nlohmann::json(order[i]->tensor.name)) +
                                  ": expected no byte shared with another tensor, found that it overlaps " +
                                  host::excerpt(nlohmann::json(order[i - 1]->tensor.name)));
  for (Entry& entry : entries) {
    entry.tensor.data = content.data() + begin + entry.offset;
    tensors.push_back(std::move(entry.tensor));
  }
}

GgufFile::GgufFile(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  state_->origin = "'" + path.string() + "'";
  state_->mapping.emplace(path);
  state_->content = {state_->mapping->data(), state_->mapping->bytes()};
  state_->parse();
}

GgufFile::GgufFile(std::span<const std::byte> content, const std::string& origin) : state_(std::make_unique<State>()) {
  state_->origin = origin;
  state_->content = content;
  state_->parse();
}

GgufFile::~GgufFile() = default;
GgufFile::GgufFile(GgufFile&&) noexcept = default;

const std::string& GgufFile::origin() const {
  return state_->origin;
}
const GgufMetadata& GgufFile::metadata() const {
  return state_->metadata;
}
const std::vector<GgufTensor>& GgufFile::tensors() const {
  return state_->tensors;
}

const GgufTensor* GgufFile::find(const std::string& name) const {
  const auto found = state_->index.find(name);
  return found == state_->index.end() ? nullptr : &state_->tensors[found->second];
}

void GgufFile::release(const std::byte* begin, std::size_t bytes) const {
  if (state_->mapping) state_->mapping->release(begin, bytes);
}

}  // namespace retort::model
