#include "host/base/redaction.h"

#include <algorithm>
#include <mutex>
#include <vector>

namespace retort::host {
namespace {

struct Values {
  std::mutex mutex;
  std::vector<std::string> longest_first;  ///< so that a value that is part of another leaves nothing of it
};

/// Never destroyed: exit handlers log too.
Values& values() {
  static auto* const all = new Values;
  return *all;
}

std::string replaced(std::string text, const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets)
    for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos; at += 3)
      text.replace(at, secret.size(), "***");
  return text;
}

void replace_in(Json& json, const std::vector<std::string>& secrets) {
  if (json.is_string()) json = replaced(json.get<std::string>(), secrets);
  if (json.is_structured())
    for (Json& member : json) replace_in(member, secrets);
}

}  // namespace

void redact(const std::string& value) {
  if (value.empty()) return;
  Values& all = values();
  const std::lock_guard lock(all.mutex);
  const auto place = std::find_if(all.longest_first.begin(), all.longest_first.end(),
                                  [&](const std::string& other) { return other.size() <= value.size(); });
  if (std::find(all.longest_first.begin(), all.longest_first.end(), value) == all.longest_first.end())
    all.longest_first.insert(place, value);
}

std::string redacted(std::string text) {
  Values& all = values();
  const std::lock_guard lock(all.mutex);
  return replaced(std::move(text), all.longest_first);
}

Json redacted(Json json) {
  Values& all = values();
  const std::lock_guard lock(all.mutex);
  if (!all.longest_first.empty()) replace_in(json, all.longest_first);
  return json;
}

}  // namespace retort::host
