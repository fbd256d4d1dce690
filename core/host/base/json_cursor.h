// A place in a JSON document: reads typed values and refuses others with origin, JSON pointer, expected and found.
// Borrows the document; no schema language (that is task/schema_check.h).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace retort::host {

/// Every reading function throws std::invalid_argument "origin: pointer: expected …, found …".
class JsonCursor {
 public:
  /// `json` is borrowed; `origin` is what errors call the document, for example its path.
  JsonCursor(const nlohmann::json& json, std::string origin, std::string pointer = "");

  const nlohmann::json& json() const { return *json_; }
  const std::string& pointer() const { return pointer_; }

  bool has(const std::string& key) const;  ///< present and not null
  JsonCursor at(const std::string& key) const;
  JsonCursor at(std::size_t index) const;
  std::size_t size() const { return json_->size(); }

  const JsonCursor& object() const;  ///< itself, if it is one
  const JsonCursor& array() const;
  std::string string() const;
  bool boolean() const;
  double number() const;
  std::int64_t integer(std::int64_t least, std::int64_t greatest) const;

  [[noreturn]] void refuse(const std::string& expected) const;  ///< found: this value
  [[noreturn]] void refuse(const std::string& expected, const std::string& found) const;

 private:
  const nlohmann::json* json_;
  std::string origin_;
  std::string pointer_;
};

/// At most `limit` bytes of the value as JSON text, for messages. Invalid UTF-8 is replaced.
std::string excerpt(const nlohmann::json& json, std::size_t limit = 80);

/// Parses JSON that comes from data, not from a person: no comments, no duplicate keys, at most `greatest_depth` nested
/// arrays and objects (so that recursive readers cannot exhaust the stack), no whole numbers beyond 64 bits. Throws
/// std::invalid_argument with the reason.
nlohmann::json parse_strict_json(std::string_view text, int greatest_depth = 64);

}  // namespace retort::host
