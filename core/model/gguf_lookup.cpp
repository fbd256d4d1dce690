#include "model/gguf_lookup.h"

#include <array>
#include <charconv>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "host/base/json_cursor.h"

namespace retort::model {
namespace {

constexpr std::array<const char*, 12> scalar_names = {"u8",  "i8",   "u16",    "i16", "u32", "i32",
                                                      "f32", "bool", "string", "u64", "i64", "f64"};

double shortest_decimal(float value) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double number = 0;
  std::from_chars(text.data(), end, number);
  return number;
}

}  // namespace

std::string describe(const GgufValue& value) {
  return std::visit(
      [&](const auto& content) -> std::string {
        using Type = std::decay_t<decltype(content)>;
        if constexpr (std::is_same_v<Type, std::string>)
          return host::excerpt(nlohmann::json(content));
        else if constexpr (std::is_arithmetic_v<Type>)
          return nlohmann::json(content).dump();
        else
          return "an array of " + std::to_string(content.size()) + " " + scalar_names[value.index() - 12];
      },
      value);
}

const GgufValue* GgufLookup::find(const std::string& key) const {
  const auto found = metadata_->find(key);
  return found == metadata_->end() ? nullptr : &found->second;
}

void GgufLookup::refuse(const std::string& key, const std::string& expected) const {
  const GgufValue* value = find(key);
  refuse(key, expected, value != nullptr ? describe(*value) : "none");
}

void GgufLookup::refuse(const std::string& key, const std::string& expected, const std::string& found) const {
  throw std::invalid_argument(origin_ + ": key '" + key + "': expected " + expected + ", found " + found);
}

std::optional<std::string> GgufLookup::find_string(const std::string& key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* text = std::get_if<std::string>(value)) return *text;
  refuse(key, "a string");
}

std::string GgufLookup::string(const std::string& key) const {
  const auto value = find_string(key);
  if (!value) refuse(key, "a string");
  return *value;
}

std::optional<std::int64_t> GgufLookup::find_integer(const std::string& key, std::int64_t least,
                                                     std::int64_t greatest) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto refuse_range = [&] {
    refuse(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(greatest));
  };
  const auto number = std::visit(
      [&](const auto& content) -> std::int64_t {
        using Type = std::decay_t<decltype(content)>;
        if constexpr (std::is_integral_v<Type> && !std::is_same_v<Type, bool>) {
          if constexpr (std::is_same_v<Type, std::uint64_t>)
            if (content > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) refuse_range();
          return static_cast<std::int64_t>(content);
        } else {
          refuse_range();
          return 0;
        }
      },
      *value);
  if (number < least || number > greatest) refuse_range();
  return number;
}

std::int64_t GgufLookup::integer(const std::string& key, std::int64_t least, std::int64_t greatest) const {
  const auto value = find_integer(key, least, greatest);
  if (!value) refuse(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(greatest));
  return *value;
}

std::optional<double> GgufLookup::find_number(const std::string& key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* single = std::get_if<float>(value)) return shortest_decimal(*single);
  if (const auto* exact = std::get_if<double>(value)) return *exact;
  refuse(key, "a floating-point number");
}

std::optional<bool> GgufLookup::find_boolean(const std::string& key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* truth = std::get_if<bool>(value)) return *truth;
  refuse(key, "true or false");
}

namespace {

template <class T>
const T* array_or_refuse(const GgufLookup& lookup, const GgufValue* value, const std::string& key, const char* type) {
  if (value == nullptr) return nullptr;
  if (const T* array = std::get_if<T>(value)) return array;
  lookup.refuse(key, type);
}

}  // namespace

const std::vector<std::string>* GgufLookup::find_strings(const std::string& key) const {
  return array_or_refuse<std::vector<std::string>>(*this, find(key), key, "an array of strings");
}

const std::vector<float>* GgufLookup::find_floats(const std::string& key) const {
  return array_or_refuse<std::vector<float>>(*this, find(key), key, "an array of f32");
}

const std::vector<std::int32_t>* GgufLookup::find_integers(const std::string& key) const {
  return array_or_refuse<std::vector<std::int32_t>>(*this, find(key), key, "an array of i32");
}

}  // namespace retort::model
