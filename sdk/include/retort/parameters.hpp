// A component's parameters: one plain struct is the source of the JSON Schema, of the defaults and of the parsing.
//
//   struct Params { double temperature = 2.0; std::string tail = "bucket"; };
//   static auto schema() {
//     return retort::params<Params>()
//         .number("temperature", &Params::temperature).above(0).doc("softmax temperature")
//         .string("tail", &Params::tail).one_of({"bucket", "drop"}).doc("what happens to the mass outside the top k");
//   }
#pragma once

#include <retort/abi/base.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <locale>
#include <retort/host.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace retort {

namespace detail {

inline std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      constexpr char hexadecimal[] = "0123456789abcdef";
      out += std::string("\\u00") + hexadecimal[c >> 4] + hexadecimal[c & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

template <typename Value>
std::string json_of(const Value& value) {
  if constexpr (std::is_same_v<Value, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_convertible_v<Value, std::string_view>) {
    return detail::quoted(value);
  } else if constexpr (std::is_arithmetic_v<Value>) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(17);
    out << value;
    return out.str();
  } else {
    std::string out;
    for (const auto& member : value) out += (out.empty() ? "" : ",") + json_of(member);
    return "[" + out + "]";
  }
}

}  // namespace detail

/// Use it as `Params` for a component that has none.
struct NoParams {};

/// Built with params<P>(); immutable afterwards.
template <typename P>
class ParameterSet {
 public:
  ParameterSet& number(const char* name, double P::* field) { return add(name, "number", field); }
  ParameterSet& integer(const char* name, std::int64_t P::* field) { return add(name, "integer", field); }
  ParameterSet& boolean(const char* name, bool P::* field) { return add(name, "boolean", field); }
  ParameterSet& string(const char* name, std::string P::* field) { return add(name, "string", field); }
  ParameterSet& strings(const char* name, std::vector<std::string> P::* field) { return add(name, "array", field); }
  ParameterSet& integers(const char* name, std::vector<std::int64_t> P::* field) { return add(name, "array", field); }
  ParameterSet& numbers(const char* name, std::vector<double> P::* field) { return add(name, "array", field); }

  /// A nested object with its own parameters.
  template <typename Nested>
  ParameterSet& object(const char* name, Nested P::* field, const ParameterSet<Nested>& members) {
    Entry entry;
    entry.name = name;
    entry.schema = [field, members](const P& defaults) { return members.schema_body(defaults.*field); };
    entry.assign = [field, members](P& target, std::string_view rest, const retort_parameter& value) {
      members.assign(target.*field, rest, value);
    };
    entries_.push_back(std::move(entry));
    return *this;
  }

  /// An array of nested objects, each with the same parameters.
  template <typename Nested>
  ParameterSet& objects(const char* name, std::vector<Nested> P::* field, const ParameterSet<Nested>& members) {
    Entry entry;
    entry.name = name;
    entry.schema = [members](const P&) {
      return "{\"type\":\"array\",\"items\":" + members.schema_body(Nested{}) + ",\"default\":[]}";
    };
    entry.assign = [field, members](P& target, std::string_view rest, const retort_parameter& value) {
      if (rest.empty()) return (target.*field).clear();  // the empty array
      const std::size_t end = rest.find('/', 1);
      const std::size_t index = std::stoul(std::string(rest.substr(1, end == rest.npos ? rest.npos : end - 1)));
      if (index >= (target.*field).size()) (target.*field).resize(index + 1);
      members.assign((target.*field)[index], end == rest.npos ? std::string_view() : rest.substr(end), value);
    };
    entries_.push_back(std::move(entry));
    return *this;
  }

  // These refine the parameter that was added last.
  ParameterSet& doc(const char* text) { return keyword("description", detail::quoted(text)); }
  ParameterSet& unit(const char* text) { return keyword("unit", detail::quoted(text)); }
  ParameterSet& at_least(double bound) { return keyword("minimum", detail::json_of(bound)); }
  ParameterSet& at_most(double bound) { return keyword("maximum", detail::json_of(bound)); }
  ParameterSet& above(double bound) { return keyword("exclusiveMinimum", detail::json_of(bound)); }
  ParameterSet& below(double bound) { return keyword("exclusiveMaximum", detail::json_of(bound)); }
  ParameterSet& one_of(std::initializer_list<const char*> values) {
    return keyword("enum", detail::json_of(std::vector<std::string>(values.begin(), values.end())));
  }
  ParameterSet& existing_path() { return keyword("format", "\"path-exists\""); }  ///< of a string: the host checks it
  /// Of a string: the name of an environment variable, whose value secret() gives and nothing records.
  ParameterSet& secret_env() { return keyword("format", "\"secret-env\""); }
  ParameterSet& required() {
    entries_.back().required = true;
    return *this;
  }

  /// The JSON Schema, with P's default values.
  std::string schema() const { return schema_body(P{}); }

  /// Steps by struct_size: a newer host's entries may be longer than this header's.
  P parse(const retort_parameter* parameters, std::uint64_t count) const {
    P result{};
    const char* entry = reinterpret_cast<const char*>(parameters);
    for (std::uint64_t i = 0; i < count; ++i) {
      const retort_parameter& parameter = *reinterpret_cast<const retort_parameter*>(entry);
      assign(result, to_view(parameter.path), parameter);
      entry += parameter.struct_size;
    }
    return result;
  }

  std::string schema_body(const P& defaults) const {
    std::string properties, required_names;
    for (const Entry& entry : entries_) {
      const std::string body = entry.schema(defaults);
      properties += (properties.empty() ? "" : ",") + detail::quoted(entry.name) + ":" +
                    body.substr(0, body.size() - 1) + entry.keywords + "}";
      if (entry.required) required_names += (required_names.empty() ? "" : ",") + detail::quoted(entry.name);
    }
    return "{\"type\":\"object\",\"properties\":{" + properties + "},\"required\":[" + required_names +
           "],\"additionalProperties\":false}";
  }

  /// `path`: JSON pointer below this object. Throws std::invalid_argument for a name that is not declared.
  void assign(P& target, std::string_view path, const retort_parameter& value) const {
    if (path.empty()) return;  // the object itself, empty
    const std::size_t slash = path.find('/', 1);
    const std::string_view name = path.substr(1, slash == std::string_view::npos ? slash : slash - 1);
    for (const Entry& entry : entries_)
      if (entry.name == name) {
        entry.assign(target, slash == std::string_view::npos ? std::string_view() : path.substr(slash), value);
        return;
      }
    throw std::invalid_argument("parameter " + std::string(path) + " is not one of this component's");
  }

 private:
  struct Entry {
    std::string name, keywords;
    bool required = false;
    std::function<std::string(const P&)> schema;
    std::function<void(P&, std::string_view, const retort_parameter&)> assign;
  };

  template <typename Value>
  static void set(Value& target, const retort_parameter& value) {
    if constexpr (std::is_same_v<Value, bool>) {
      target = value.integer != 0;
    } else if constexpr (std::is_same_v<Value, std::int64_t>) {
      target = value.integer;
    } else if constexpr (std::is_same_v<Value, double>) {
      target = value.number;
    } else {
      target = std::string(to_view(value.string));
    }
  }

  template <typename Value>
  ParameterSet& add(const char* name, const char* type, Value P::* field) {
    constexpr bool scalar = std::is_arithmetic_v<Value> || std::is_same_v<Value, std::string>;
    Entry entry;
    entry.name = name;
    entry.schema = [field, type](const P& defaults) {
      std::string items;
      if constexpr (!scalar) {
        using Member = typename Value::value_type;
        items = std::string(",\"items\":{\"type\":\"") +
                (std::is_same_v<Member, double>         ? "number"
                 : std::is_same_v<Member, std::int64_t> ? "integer"
                                                        : "string") +
                "\"}";
      }
      return std::string("{\"type\":\"") + type + "\"" + items + ",\"default\":" + detail::json_of(defaults.*field) +
             "}";
    };
    entry.assign = [field](P& target, std::string_view rest, const retort_parameter& value) {
      if constexpr (scalar) {
        set(target.*field, value);
      } else {  // the first member (or the empty array) replaces the default
        if (rest.empty() || rest == "/0") (target.*field).clear();
        if (rest.empty()) return;
        typename Value::value_type member{};
        set(member, value);
        (target.*field).push_back(std::move(member));
      }
    };
    entries_.push_back(std::move(entry));
    return *this;
  }

  ParameterSet& keyword(const char* name, const std::string& json) {
    entries_.back().keywords += "," + detail::quoted(name) + ":" + json;
    return *this;
  }

  std::vector<Entry> entries_;
};

template <typename P>
ParameterSet<P> params() {
  return {};
}

}  // namespace retort
