// One compiled JSON Schema. The only user of valijson, which is slow to compile.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace retort::schema {

/// `json` as text for a message, cut after 80 bytes.
std::string excerpt(const nlohmann::json& json);

/// Used by one thread at a time.
class SchemaCheck {
 public:
  /// Throws std::invalid_argument with the reason if `schema` is not a JSON Schema (drafts 4 to 7). References must
  /// stay inside the document.
  explicit SchemaCheck(const nlohmann::json& schema);
  ~SchemaCheck();
  SchemaCheck(SchemaCheck&&) noexcept;

  /// Where and why `value` violates the schema, or nothing.
  std::optional<std::string> violation(const nlohmann::json& value);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace retort::schema
