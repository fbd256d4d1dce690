// Argument validation by valijson, with PCRE2 for "pattern": std::regex recurses once per character and would let a
// long string exhaust the stack. Only the messages are made here.
#define PCRE2_CODE_UNIT_WIDTH 8
#define VALIJSON_USE_EXCEPTIONS 1  // without it valijson aborts the process on a bad schema
#include "call_schema.h"

#include <pcre2.h>

#include <cmath>
#include <map>
#include <stdexcept>
#include <utility>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace retort::call_reward {
namespace {

using nlohmann::json;
using Adapter = valijson::adapters::NlohmannJsonAdapter;

class Pattern {
 public:
  explicit Pattern(const std::string& pattern) {
    int error = 0;
    std::size_t offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                              PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error, &offset, nullptr));
    if (!code_) throw std::invalid_argument("\"pattern\" is not a regular expression: " + pattern);
  }
  /// The interface that valijson asks of an engine. A match that exceeds PCRE2's limits counts as none.
  static bool search(const std::string& text, const Pattern& pattern) {
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
        pcre2_match_data_create_from_pattern(pattern.code_.get(), nullptr), &pcre2_match_data_free);
    return pcre2_match(pattern.code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, match.get(),
                       nullptr) >= 0;
  }

 private:
  std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code_{nullptr, &pcre2_code_free};
};

/// JSON Schema draft 6 on: 2.0 is an integer. valijson goes by how a number is spelled.
json with_integers(json value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::abs(number) <= kExact && std::trunc(number) == number) return static_cast<std::int64_t>(number);
  }
  if (value.is_structured()) {
    for (auto& part : value) part = with_integers(std::move(part));
  }
  return value;
}

struct Function {
  json properties = json::object();
  std::unique_ptr<valijson::Schema> schema;
};

std::string shown(const json& value) {
  constexpr std::size_t kLongest = 80;
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "…";
  return text;
}

Function compile(const json& tool, const std::string& where) {
  const auto object_at = [&](const json& parent, const char* key, const std::string& path) -> const json& {
    if (!parent.is_object() || !parent.contains(key)) {
      throw std::invalid_argument("tools" + path + ": expected an object with \"" + key + "\", found " + shown(parent));
    }
    return parent.at(key);
  };
  const json& function = object_at(tool, "function", where);
  if (!object_at(function, "name", where + "/function").is_string()) {
    throw std::invalid_argument("tools" + where + "/function/name: expected a string, found " +
                                shown(function["name"]));
  }
  Function compiled;
  const json parameters = function.value("parameters", json{{"type", "object"}});
  if (!parameters.is_object()) {
    throw std::invalid_argument("tools" + where + "/function/parameters: expected an object, found " +
                                shown(parameters));
  }
  compiled.properties = parameters.value("properties", json::object());
  compiled.schema = std::make_unique<valijson::Schema>();
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    const json spelled = with_integers(parameters);
    parser.populateSchema(Adapter(spelled), *compiled.schema);
  } catch (const std::exception& error) {
    throw std::invalid_argument("tools" + where + "/function/parameters: not a JSON Schema: " + error.what());
  }
  return compiled;
}

/// valijson reports from the innermost failure outwards; the first that names a place inside the arguments is the most
/// helpful.
std::string first_error(valijson::ValidationResults& results) {
  valijson::ValidationResults::Error error;
  std::string message;
  while (results.popError(error)) {
    std::string place;
    for (std::size_t i = 1; i < error.context.size(); ++i) place += error.context[i];
    message = (place.empty() ? "arguments" : "argument " + place) + ": " + error.description;
    if (!place.empty()) break;
  }
  return message;
}

}  // namespace

struct CallSchema::State {
  std::map<std::string, Function> functions;
};

CallSchema::CallSchema(const json& tools) : state_(std::make_unique<State>()) {
  if (!tools.is_array()) throw std::invalid_argument("tools: expected an array, found " + shown(tools));
  for (std::size_t i = 0; i < tools.size(); ++i) {
    Function function = compile(tools[i], "/" + std::to_string(i));
    const std::string name = tools[i]["function"]["name"];
    if (!state_->functions.emplace(name, std::move(function)).second) {
      throw std::invalid_argument("tools/" + std::to_string(i) + ": expected distinct names, found \"" + name +
                                  "\" again");
    }
  }
}

CallSchema::~CallSchema() = default;
CallSchema::CallSchema(CallSchema&&) noexcept = default;
CallSchema& CallSchema::operator=(CallSchema&&) noexcept = default;

std::optional<std::string> CallSchema::invalid_reason(const std::string& name, const json& arguments) const {
  const auto found = state_->functions.find(name);
  if (found == state_->functions.end()) return "unknown tool \"" + name + "\"";
  if (!arguments.is_object()) return name + ": arguments: expected an object, found " + shown(arguments);
  for (const auto& argument : arguments.items()) {
    if (!found->second.properties.contains(argument.key())) {
      return name + ": unknown argument \"" + argument.key() + "\"";
    }
  }
  valijson::ValidatorT<Pattern> validator(valijson::ValidatorT<Pattern>::kStrongTypes);
  valijson::ValidationResults results;
  try {
    const json spelled = with_integers(arguments);
    if (validator.validate(*found->second.schema, Adapter(spelled), &results)) return std::nullopt;
  } catch (const std::exception& error) {
    return name + ": the schema cannot be applied: " + error.what();
  }
  return name + ": " + first_error(results) + " Found " + shown(arguments);
}

}  // namespace retort::call_reward
