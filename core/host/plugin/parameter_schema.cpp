// Validation of parameters against a schema that invalid_schema_reason() has accepted.
#include "host/plugin/parameter_schema.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace retort::host {
namespace {

std::string described(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  if (value.is_null()) return "null";
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "…";
  return (value.is_string() ? "the string " : value.is_boolean() ? "the boolean " : "the number ") + text;
}

std::string with_article(const std::string& type) {
  return (type == "integer" || type == "array" || type == "object" ? "an " : "a ") + type;
}

std::string listed(const Json& values) {
  std::string text;
  for (const Json& value : values) text += (text.empty() ? "" : ", ") + value.dump();
  return text;
}

class Checker {
 public:
  explicit Checker(std::vector<Diagnostic>& diagnostics) : diagnostics_(diagnostics) {}

  void object(const Json& schema, Json& value, const std::string& pointer, bool root) {
    const Json none = Json::object();
    const Json& properties = schema.contains("properties") ? schema.at("properties") : none;
    // An inner object that declares nothing is free-form; the parameters as a whole never are.
    const bool open_by_default = !root && !schema.contains("properties");
    for (auto& [key, member] : value.items()) {
      const std::string place = pointer + "/" + pointer_step(key);
      if (properties.contains(key))
        this->value(properties.at(key), member, place);
      else if (schema.contains("additionalProperties") && schema.at("additionalProperties").is_object())
        this->value(schema.at("additionalProperties"), member, place);
      else if (schema.value("additionalProperties", Json(open_by_default)) == Json(true))
        free_form(member, place);
      else
        unknown_key(key, properties, place);
    }
    fill_defaults(schema, properties, value, pointer);
  }

  void value(const Json& schema, Json& value, const std::string& pointer) {
    const std::string type = schema.at("type");
    if (!convert_to(type, value)) {
      add(pointer, "expected " + with_article(type) + ", found " + described(value), default_hint(schema));
      return;
    }
    if (schema.contains("enum")) one_of(schema, value, pointer);
    if (type == "number" || type == "integer") range(schema, value, pointer);
    if (type == "array") array(schema, value, pointer);
    if (type == "object") object(schema, value, pointer, false);
  }

 private:
  void add(const std::string& pointer, const std::string& message, const std::string& suggestion) {
    diagnostics_.push_back({pointer, message, suggestion});
  }

  static std::string default_hint(const Json& schema) {
    return schema.contains("default") ? "leave it out for the default " + schema.at("default").dump() : "";
  }

  /// Whether `value` is of `type`, after the conversions that lose nothing.
  static bool convert_to(const std::string& type, Json& value) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (!value.is_number()) return false;
    if (type == "number") {
      value = value.get<double>();
      return std::isfinite(value.get<double>());
    }
    if (value.is_number_unsigned())
      return value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (value.is_number_float()) {
      const double number = value.get<double>();
      constexpr double exact = 9007199254740992.0;  // 2^53
      if (std::trunc(number) != number || std::abs(number) > exact) return false;
      value = static_cast<std::int64_t>(number);
    }
    return true;
  }

  void one_of(const Json& schema, const Json& value, const std::string& pointer) {
    const Json& allowed = schema.at("enum");
    std::vector<std::string> names;
    for (const Json& candidate : allowed) {
      if (candidate == value) return;
      if (candidate.is_string()) names.push_back(candidate.get<std::string>());
    }
    const std::string nearest = value.is_string() ? nearest_name(value.get<std::string>(), names) : "";
    add(pointer, "expected one of " + listed(allowed) + ", found " + described(value),
        nearest.empty() ? default_hint(schema) : "did you mean \"" + nearest + "\"?");
  }

  void range(const Json& schema, const Json& value, const std::string& pointer) {
    const auto refuse = [&](const char* relation, const Json& bound) {
      const std::string unit = schema.contains("unit") ? " " + schema.at("unit").get<std::string>() : "";
      add(pointer, std::string("expected ") + relation + " " + bound.dump() + unit + ", found " + value.dump(),
          default_hint(schema));
    };
    if (schema.contains("minimum") && value < schema.at("minimum")) refuse("at least", schema.at("minimum"));
    if (schema.contains("maximum") && value > schema.at("maximum")) refuse("at most", schema.at("maximum"));
    if (schema.contains("exclusiveMinimum") && value <= schema.at("exclusiveMinimum"))
      refuse("more than", schema.at("exclusiveMinimum"));
    if (schema.contains("exclusiveMaximum") && value >= schema.at("exclusiveMaximum"))
      refuse("less than", schema.at("exclusiveMaximum"));
  }

  void array(const Json& schema, Json& value, const std::string& pointer) {
    const auto refuse = [&](const char* relation, const Json& bound) {
      add(pointer,
          std::string("expected ") + relation + " " + bound.dump() + " items, found " + std::to_string(value.size()),
          default_hint(schema));
    };
    if (schema.contains("minItems") && value.size() < schema.at("minItems")) refuse("at least", schema.at("minItems"));
    if (schema.contains("maxItems") && value.size() > schema.at("maxItems")) refuse("at most", schema.at("maxItems"));
    for (std::size_t i = 0; i < value.size(); ++i)
      this->value(schema.at("items"), value[i], pointer + "/" + std::to_string(i));
  }

  /// What no schema describes must still cross the ABI.
  void free_form(const Json& value, const std::string& pointer) {
    if (value.is_null()) add(pointer, "expected a value, found null", "leave the key out");
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      add(pointer, "expected an integer of 64 bits with sign, found " + value.dump(), "");
    if (value.is_structured())
      for (const auto& [key, member] : value.items()) free_form(member, pointer + "/" + pointer_step(key));
  }

  void unknown_key(const std::string& key, const Json& properties, const std::string& pointer) {
    std::vector<std::string> known;
    std::string all;
    for (const auto& [name, schema] : properties.items()) {
      known.push_back(name);
      all += (all.empty() ? "" : ", ") + name;
    }
    const std::string nearest = nearest_name(key, known);
    add(pointer, "unknown parameter \"" + key + "\"",
        !nearest.empty() ? "did you mean \"" + nearest + "\"?"
        : all.empty()    ? "there are no parameters here"
                         : "known: " + all);
  }

  void fill_defaults(const Json& schema, const Json& properties, Json& value, const std::string& pointer) {
    const Json required = schema.value("required", Json::array());
    for (const auto& [name, property] : properties.items()) {
      if (value.contains(name)) continue;
      const std::string place = pointer + "/" + pointer_step(name);
      if (std::find(required.begin(), required.end(), Json(name)) != required.end()) {
        const std::string text = property.value("description", "");
        add(place, "missing: " + with_article(property.at("type")) + " is required", text);
      } else if (property.contains("default")) {
        Json member = property.at("default");
        this->value(property, member, place);
        value[name] = std::move(member);
      } else if (property.at("type") == "object" && property.contains("properties") &&
                 property.value("required", Json::array()).empty()) {
        Json member = Json::object();
        this->value(property, member, place);
        if (!member.empty()) value[name] = std::move(member);
      }
    }
  }

  std::vector<Diagnostic>& diagnostics_;
};

void visit_member(const Json& schema, const Json& value, const std::string& format, const std::string& pointer,
                  bool required, const std::function<void(const std::string&, const std::string&, bool)>& visit) {
  if (value.is_string() && schema.value("format", "") == format) {
    visit(pointer, value.get<std::string>(), required);
  } else if (value.is_array() && schema.contains("items")) {
    for (std::size_t i = 0; i < value.size(); ++i)  // a member that is there is meant
      visit_member(schema["items"], value[i], format, pointer + "/" + std::to_string(i), true, visit);
  } else if (value.is_object()) {
    visit_format(schema, value, format, pointer, visit);
  }
}

}  // namespace

std::string pointer_step(const std::string& key) {
  std::string step;
  for (const char c : key) step += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return step;
}

void validate_parameters(const Json& schema, Json& parameters, const std::string& pointer,
                         std::vector<Diagnostic>& diagnostics) {
  if (parameters.is_null()) parameters = Json::object();
  if (!parameters.is_object()) {
    diagnostics.push_back({pointer, "expected an object, found " + described(parameters), ""});
    return;
  }
  Checker(diagnostics).object(schema, parameters, pointer, true);
}

void visit_format(const Json& schema, const Json& value, const std::string& format, const std::string& pointer,
                  const std::function<void(const std::string&, const std::string&, bool)>& visit) {
  if (!value.is_object()) return;
  const Json required = schema.value("required", Json::array());
  const Json properties = schema.value("properties", Json::object());
  const Json additional = schema.value("additionalProperties", Json());
  for (const auto& [key, member] : value.items()) {
    const std::string place = pointer + "/" + pointer_step(key);
    if (properties.contains(key))
      visit_member(properties[key], member, format, place,
                   std::find(required.begin(), required.end(), Json(key)) != required.end() ||
                       properties[key].value("default", Json("")) != Json(""),
                   visit);
    else if (additional.is_object())
      visit_member(additional, member, format, place, true, visit);
  }
}

}  // namespace retort::host
