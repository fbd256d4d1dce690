// ${key.key} in the strings of a config.
#include <algorithm>

#include "host/config/config.h"

namespace retort::host {
namespace {

class Substitution {
 public:
  Substitution(const Json& document, std::vector<Diagnostic>& diagnostics)
      : document_(document), diagnostics_(diagnostics) {}

  Json replace(const Json& value, const std::string& pointer) {
    if (value.is_string()) return replace_string(value.get<std::string>(), pointer);
    Json result = value;
    if (value.is_object())
      for (auto& [key, member] : result.items()) member = replace(member, pointer_to(pointer, key));
    if (value.is_array())
      for (std::size_t i = 0; i < result.size(); ++i) result[i] = replace(result[i], pointer_to(pointer, i));
    return result;
  }

 private:
  Json replace_string(const std::string& text, const std::string& pointer) {
    if (text.starts_with("${") && text.find('}') == text.size() - 1)
      return lookup(text.substr(2, text.size() - 3), pointer);
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
      if (text.compare(i, 3, "$${") == 0) {
        result += "${";
        i += 3;
      } else if (text.compare(i, 2, "${") == 0) {
        const std::size_t close = text.find('}', i);
        if (close == std::string::npos) {
          report(pointer, "\"" + text + "\": \"${\" without \"}\"", "write \"$${\" for the characters themselves");
          return text;
        }
        result += as_text(lookup(text.substr(i + 2, close - i - 2), pointer), text, pointer);
        i = close + 1;
      } else {
        result += text[i++];
      }
    }
    return result;
  }

  Json lookup(const std::string& reference, const std::string& pointer) {
    if (std::find(open_.begin(), open_.end(), reference) != open_.end()) {
      report(pointer, "${" + reference + "} refers to itself in a circle", "");
      return nullptr;
    }
    const Json* place = &document_;
    std::string target;
    for (std::size_t begin = 0; begin <= reference.size();) {
      const std::size_t dot = std::min(reference.find('.', begin), reference.size());
      const std::string key = reference.substr(begin, dot - begin);
      if (!place->is_object() || !place->contains(key) || key == "stages") {
        report(pointer, "${" + reference + "}: the config has no value of that name",
               place->is_object() ? nearest(key, *place) : "");
        return nullptr;
      }
      place = &(*place)[key];
      target = pointer_to(target, key);
      begin = dot + 1;
    }
    open_.push_back(reference);
    Json result = replace(*place, target);
    open_.pop_back();
    return result;
  }

  std::string as_text(const Json& value, const std::string& text, const std::string& pointer) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_object() || value.is_array())
      report(pointer, "\"" + text + "\": an " + std::string(value.type_name()) + " cannot stand inside a string",
             "refer to one of its members");
    return value.is_null() ? std::string() : value.dump();
  }

  static std::string nearest(const std::string& key, const Json& object) {
    std::vector<std::string> keys;
    for (const auto& item : object.items()) keys.push_back(item.key());
    const std::string name = nearest_name(key, keys);
    return name.empty() ? "" : "did you mean \"" + name + "\"?";
  }

  void report(const std::string& pointer, const std::string& message, const std::string& suggestion) {
    diagnostics_.push_back({pointer, message, suggestion});
  }

  const Json& document_;
  std::vector<Diagnostic>& diagnostics_;
  std::vector<std::string> open_;  ///< references being followed
};

}  // namespace

void substitute_references(Json& document, std::vector<Diagnostic>& diagnostics) {
  const Json original = document;
  document = Substitution(original, diagnostics).replace(original, "");
}

}  // namespace retort::host
