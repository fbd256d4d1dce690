// valijson behind SchemaCheck, with PCRE2 for "pattern": std::regex recurses once per character and would let a long
// string exhaust the stack.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "schema/schema_check.h"

#include <pcre2.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#define VALIJSON_USE_EXCEPTIONS 1  // without it valijson aborts the process on a bad schema
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace retort::schema {
namespace {

using Adapter = valijson::adapters::NlohmannJsonAdapter;

/// The interface that valijson asks of an engine.
class Pattern {
 public:
  explicit Pattern(const std::string& pattern) {
    int error = 0;
    std::size_t place = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &error, &place, nullptr));
    if (!code_) throw std::invalid_argument("\"pattern\" is not a regular expression: " + pattern);
    match_.reset(pcre2_match_data_create(1, nullptr));
    if (!match_) throw std::bad_alloc();
  }
  /// A match that exceeds PCRE2's limits counts as none.
  static bool search(const std::string& text, const Pattern& pattern) {
    return pcre2_match(pattern.code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0,
                       pattern.match_.get(), nullptr) >= 0;
  }

 private:
  std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code_{nullptr, &pcre2_code_free};
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match_{nullptr, &pcre2_match_data_free};
};

/// JSON Schema draft 6 on: 2.0 is an integer. valijson goes by how a number is spelled, so such numbers are spelled
/// as integers for it, in schemas and in values.
bool is_integral_float(const nlohmann::json& json) {
  constexpr double exact = 9007199254740992.0;  // 2^53
  if (!json.is_number_float()) return false;
  const double value = json.get<double>();
  return std::abs(value) <= exact && std::trunc(value) == value;
}

bool has_integral_float(const nlohmann::json& json) {
  if (!json.is_structured()) return is_integral_float(json);
  return std::any_of(json.begin(), json.end(), has_integral_float);
}

nlohmann::json with_integers(nlohmann::json json) {
  if (is_integral_float(json)) return static_cast<std::int64_t>(json.get<double>());
  if (json.is_structured())
    for (auto& part : json) part = with_integers(std::move(part));
  return json;
}

/// valijson's context ["<root>", "[\"room\"]", "[0]"] as a JSON pointer.
std::string pointer_of(const std::vector<std::string>& context) {
  std::string pointer;
  for (std::size_t i = 1; i < context.size(); ++i) {
    std::string token = context[i];
    if (token.size() >= 2 && token.front() == '[' && token.back() == ']') token = token.substr(1, token.size() - 2);
    if (token.size() >= 2 && token.front() == '"' && token.back() == '"') token = token.substr(1, token.size() - 2);
    pointer += "/" + token;
  }
  return pointer;
}

}  // namespace

std::string excerpt(const nlohmann::json& json) {
  constexpr std::size_t limit = 80;
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // not inside a character
  return text.substr(0, end) + "…";
}

struct SchemaCheck::State {
  valijson::Schema schema;
  valijson::ValidatorT<Pattern> validator;
};

SchemaCheck::SchemaCheck(const nlohmann::json& schema) : state_(std::make_unique<State>()) {
  try {
    const nlohmann::json spelled = with_integers(schema);
    valijson::SchemaParser().populateSchema(Adapter(spelled), state_->schema);
  } catch (const std::exception& error) {
    throw std::invalid_argument(std::string("not a JSON Schema: ") + error.what());
  }
}

SchemaCheck::~SchemaCheck() = default;
SchemaCheck::SchemaCheck(SchemaCheck&&) noexcept = default;

std::optional<std::string> SchemaCheck::violation(const nlohmann::json& value) {
  if (has_integral_float(value)) return violation(with_integers(value));
  const Adapter adapter(value);
  // The first pass stops at the first violation; only then is it worth collecting where and why.
  if (state_->validator.validate(state_->schema, adapter, nullptr)) return std::nullopt;
  valijson::ValidationResults results;
  state_->validator.validate(state_->schema, adapter, &results);
  // The deepest place says most; of several there, the first.
  const valijson::ValidationResults::Error* deepest = nullptr;
  for (const auto& error : results)
    if (deepest == nullptr || error.context.size() > deepest->context.size()) deepest = &error;
  if (deepest == nullptr) return "does not match the schema";
  const std::string pointer = pointer_of(deepest->context);
  std::string found;
  try {
    found = ", found " + excerpt(value.at(nlohmann::json::json_pointer(pointer)));
  } catch (const nlohmann::json::exception&) {  // a key that needs escaping in a pointer: the place alone must do
  }
  return (pointer.empty() ? "" : pointer + ": ") + deepest->description + found;
}

}  // namespace retort::schema
