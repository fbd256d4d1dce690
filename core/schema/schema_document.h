// A JSON Schema read once: keywords as fields, references resolved, patterns compiled. Checked against values by
// schema_check.h, turned into token masks by core/grammar. README.md lists the keywords and what is refused.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schema/pattern.h"

namespace retort::schema {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

/// Sets of types, as bits. A number without a fraction is an integer however it is spelled.
namespace types {
inline constexpr unsigned null = 1, boolean = 2, integer = 4, number = 8, string = 16, array = 32, object = 64;
inline constexpr unsigned all = null | boolean | number | string | array | object;
}  // namespace types

inline constexpr std::int64_t unlimited = -1;

/// [least, most]; most may be `unlimited`.
struct Counts {
  std::int64_t least = 0, most = unlimited;
};

/// One schema of a document. What a keyword does not restrict is empty.
struct Schema {
  std::string pointer;  ///< where it stands: "" or "/properties/room"
  bool never = false;   ///< the schema `false`
  unsigned allowed_types = types::all;
  std::optional<std::vector<Json>> values;  ///< "enum"
  std::optional<Json> constant;             ///< "const"
  // Numbers.
  std::optional<Json> minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of;
  // Strings; lengths in characters.
  Counts length;
  std::shared_ptr<const Pattern> pattern;
  std::string format;
  // Arrays. `items` holds for what `prefix_items` does not cover.
  std::vector<const Schema*> prefix_items;
  const Schema* items = nullptr;
  Counts item_count;
  bool unique_items = false;
  const Schema* contains = nullptr;
  Counts contained{1, unlimited};
  // Objects.
  std::vector<std::pair<std::string, const Schema*>> properties;  ///< in the order of the document
  std::vector<std::string> required;
  const Schema* additional_properties = nullptr;
  std::vector<std::pair<std::shared_ptr<const Pattern>, const Schema*>> pattern_properties;
  const Schema* property_names = nullptr;
  Counts property_count;
  std::vector<std::pair<std::string, std::vector<std::string>>> dependent_required;
  std::vector<std::pair<std::string, const Schema*>> dependent_schemas;
  // Any value.
  const Schema* reference = nullptr;
  std::vector<const Schema*> all_of, any_of, one_of;
  const Schema *negated = nullptr, *condition = nullptr, *then_schema = nullptr, *else_schema = nullptr;

  const Schema* property(const std::string& name) const;
};

/// Immutable. The patterns make it one thread's at a time.
class SchemaDocument {
 public:
  /// Drafts 4, 6, 7, 2019-09 and 2020-12 by "$schema"; 2020-12 without it and for an unknown one. Throws
  /// std::invalid_argument: JSON pointer, expected, found: for what is no JSON Schema, and for a keyword that is not
  /// implemented.
  explicit SchemaDocument(const OrderedJson& schema);
  ~SchemaDocument();
  SchemaDocument(SchemaDocument&&) noexcept;

  const Schema& root() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// `json` as text for a message, cut after 80 bytes.
std::string excerpt(const Json& json);
/// `token` as a part of a JSON pointer.
std::string pointer_token(const std::string& token);
/// The text of a schema's place for a message: "/a/b", or "the schema" for "".
std::string place_of(const std::string& pointer);

}  // namespace retort::schema
