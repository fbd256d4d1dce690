// Typed access to GGUF metadata by key: refuses what is absent, of another type or out of range, by file and key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/gguf_metadata.h"

namespace retort::model {

/// Borrows the metadata. Every function throws std::invalid_argument "origin: key '…': expected …, found …" for a value
/// of another type or range; the optional ones are empty only where the key is absent.
class GgufLookup {
 public:
  GgufLookup(const GgufMetadata& metadata, std::string origin) : metadata_(&metadata), origin_(std::move(origin)) {}

  bool has(const std::string& key) const { return metadata_->contains(key); }
  std::string string(const std::string& key) const;
  std::int64_t integer(const std::string& key, std::int64_t least, std::int64_t greatest) const;

  std::optional<std::string> find_string(const std::string& key) const;
  /// Of any integer type; files differ in the one they use.
  std::optional<std::int64_t> find_integer(const std::string& key, std::int64_t least, std::int64_t greatest) const;
  /// The double with the shortest decimal form that rounds to the stored f32: 1e-5, not 9.99999974e-06.
  std::optional<double> find_number(const std::string& key) const;
  std::optional<bool> find_boolean(const std::string& key) const;
  /// Null where absent.
  const std::vector<std::string>* find_strings(const std::string& key) const;
  const std::vector<float>* find_floats(const std::string& key) const;
  const std::vector<std::int32_t>* find_integers(const std::string& key) const;

  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;  ///< found: its value
  [[noreturn]] void refuse(const std::string& key, const std::string& expected, const std::string& found) const;
  const std::string& origin() const { return origin_; }

 private:
  const GgufValue* find(const std::string& key) const;
  const GgufMetadata* metadata_;
  std::string origin_;
};

/// For messages: a scalar as text, an array as "an array of N u32".
std::string describe(const GgufValue& value);

}  // namespace retort::model
