// The safetensors reader's checks follow the reference implementation's order, so that a file is refused for the same
// reason: header size, header text, then every tensor in offset order, then the file's end.
#include "model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include "host/base/json_cursor.h"
#include "model/file_kind.h"
#include "model/mapped_file.h"
#include "model/safetensors_writer.h"

namespace retort::model {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian and are mapped as is");

constexpr std::uint64_t greatest_header = 100'000'000;  // the reference reader's limit
constexpr std::uint64_t length_field = 8;

constexpr DataType all_types[] = {DataType::f32, DataType::f16, DataType::bf16, DataType::i64,
                                  DataType::i32, DataType::i8,  DataType::u8};

std::optional<DataType> type_named(const std::string& name) {
  for (const DataType type : all_types)
    if (name == name_of(type)) return type;
  return std::nullopt;
}

/// One tensor's entry of the header; offsets are relative to the end of the header.
struct HeaderEntry {
  StoredTensor view;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

std::uint64_t unsigned_number(const host::JsonCursor& cursor) {
  if (!cursor.json().is_number_unsigned()) cursor.refuse("a whole number of at least 0");
  return cursor.json().get<std::uint64_t>();
}

HeaderEntry read_entry(const std::string& name, const host::JsonCursor& cursor) {
  HeaderEntry entry;
  entry.view.name = name;
  const auto type = type_named(cursor.at("dtype").string());
  if (!type) cursor.at("dtype").refuse("a supported type (F32, F16, BF16, I64, I32, I8, U8)");
  entry.view.type = *type;
  const host::JsonCursor shape = cursor.at("shape").array();
  std::uint64_t bytes = size_of(*type);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::uint64_t size = unsigned_number(shape.at(i));
    if (size > static_cast<std::uint64_t>(INT64_MAX) || __builtin_mul_overflow(bytes, size, &bytes) ||
        bytes > static_cast<std::uint64_t>(INT64_MAX))
      shape.refuse("a shape whose size in bytes fits in 63 bits");
    entry.view.shape.push_back(static_cast<std::int64_t>(size));
  }
  const host::JsonCursor offsets = cursor.at("data_offsets").array();
  if (offsets.size() != 2) offsets.refuse("two offsets [begin, end]");
  entry.begin = unsigned_number(offsets.at(0));
  entry.end = unsigned_number(offsets.at(1));
  return entry;
}

std::map<std::string, std::string> read_metadata(const host::JsonCursor& cursor) {
  std::map<std::string, std::string> metadata;
  for (const auto& item : cursor.object().json().items()) metadata[item.key()] = cursor.at(item.key()).string();
  return metadata;
}

/// Tensors must tile the data from 0 to `data_bytes` without overlap or hole. Sorts `entries` by offset.
void check_layout(std::vector<HeaderEntry>& entries, std::uint64_t data_bytes) {
  std::stable_sort(entries.begin(), entries.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t next = 0;
  for (const HeaderEntry& entry : entries) {
    const std::string range = "[" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + "]";
    if (entry.begin != next || entry.end < entry.begin)
      throw std::runtime_error("tensor '" + entry.view.name + "': invalid data_offsets: expected to begin at " +
                               std::to_string(next) + " (no overlap, no hole), found " + range);
    if (entry.end - entry.begin != entry.view.bytes())
      throw std::runtime_error("tensor '" + entry.view.name + "': type and shape do not fit data_offsets: expected " +
                               std::to_string(entry.view.bytes()) + " bytes, found " + range);
    next = entry.end;
  }
  if (next != data_bytes)
    throw std::runtime_error("the data does not end where the header says: expected " + std::to_string(next) +
                             " bytes after the header, found " + std::to_string(data_bytes) +
                             "; the file is truncated or has bytes appended");
}

/// "2336927755350992246; the file is a Git LFS pointer, …".
std::string what_begins_so(std::span<const std::byte> file, std::uint64_t length) {
  const auto kind = file_kind(std::string_view(reinterpret_cast<const char*>(file.data()), file.size()));
  return std::to_string(length) + (kind ? "; the file is " + *kind : "; is it a safetensors file?");
}

std::uint64_t header_length(std::span<const std::byte> file) {
  if (file.size() < length_field)
    throw std::runtime_error("header too small: expected at least 8 bytes, found " + std::to_string(file.size()));
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof(length));
  if (length > greatest_header)
    throw std::runtime_error("header too large: expected at most " + std::to_string(greatest_header) +
                             " bytes, found " + what_begins_so(file, length));
  if (length > file.size() - length_field)
    throw std::runtime_error("invalid header length: expected at most " + std::to_string(file.size() - length_field) +
                             " bytes that the file has left, found " + what_begins_so(file, length));
  return length;
}

}  // namespace

struct SafetensorsFile::State {
  /// Reads `content`; `origin` begins each message.
  void parse(const std::string& origin);
  void parse();
  /// The reference writer aligns tensors, but the format does not ask for it: a misaligned one is copied.
  const std::byte* aligned(const std::byte* data, const StoredTensor& view);

  std::optional<MappedFile> mapping;  ///< none: the caller keeps the content
  std::span<const std::byte> content;
  std::vector<StoredTensor> tensors;
  std::map<std::string, std::size_t> index;
  std::map<std::string, std::string> metadata;
  std::vector<std::vector<std::byte>> copies;
};

const std::byte* SafetensorsFile::State::aligned(const std::byte* data, const StoredTensor& view) {
  if (std::bit_cast<std::uintptr_t>(data) % size_of(view.type) == 0) return data;
  copies.emplace_back(data, data + view.bytes());
  return copies.back().data();
}

void SafetensorsFile::State::parse() {
  const std::uint64_t length = header_length(content);
  const std::byte* text = content.data() + length_field;
  nlohmann::json header;
  try {
    header = host::parse_strict_json(std::string_view(reinterpret_cast<const char*>(text), length), 4);
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error(std::string("the header is not UTF-8 JSON: ") + error.what());
  }
  const host::JsonCursor root(header, "header");
  std::vector<HeaderEntry> entries;
  for (const auto& item : root.object().json().items()) {
    if (item.key() == "__metadata__")
      metadata = read_metadata(root.at(item.key()));
    else
      entries.push_back(read_entry(item.key(), root.at(item.key())));
  }
  check_layout(entries, content.size() - length_field - length);
  for (HeaderEntry& entry : entries) {
    entry.view.data = aligned(text + length + entry.begin, entry.view);
    index[entry.view.name] = tensors.size();
    tensors.push_back(std::move(entry.view));
  }
}

void SafetensorsFile::State::parse(const std::string& origin) {
  try {
    parse();
  } catch (const std::exception& error) {
    throw std::runtime_error(origin + ": " + error.what());
  }
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  state_->mapping.emplace(path);
  state_->content = {state_->mapping->data(), state_->mapping->bytes()};
  state_->parse("'" + path.string() + "'");
}

SafetensorsFile::SafetensorsFile(std::span<const std::byte> content, const std::string& origin)
    : state_(std::make_unique<State>()) {
  state_->content = content;
  state_->parse(origin);
}

SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const std::vector<StoredTensor>& SafetensorsFile::tensors() const {
  return state_->tensors;
}

const StoredTensor* SafetensorsFile::find(const std::string& name) const {
  const auto found = state_->index.find(name);
  return found == state_->index.end() ? nullptr : &state_->tensors[found->second];
}

const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return state_->metadata;
}

void SafetensorsFile::release(const StoredTensor& tensor, std::size_t first, std::size_t bytes) const {
  if (state_->mapping) state_->mapping->release(tensor.data + first, bytes);
}

void write_safetensors(const std::filesystem::path& path, const std::vector<StoredTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::map<std::string, const StoredTensor*> index;
  std::vector<TensorDeclaration> declarations;
  for (const StoredTensor& tensor : tensors) {
    declarations.push_back({tensor.name, tensor.type, tensor.shape});
    index[tensor.name] = &tensor;
    if (tensor.data == nullptr && declarations.back().bytes() > 0)
      throw std::invalid_argument("cannot write '" + path.string() + "': tensor '" + tensor.name +
                                  "': expected data, found a null pointer");
  }
  write_safetensors(path, std::move(declarations), metadata, [&](const TensorDeclaration& tensor, ByteSink& sink) {
    sink.append(index.at(tensor.name)->data, tensor.bytes());
  });
}

}  // namespace retort::model
