#include "host/base/foreign_json.h"

namespace retort::host {
namespace {

// As for configs (json.cpp): copying and writing nested values recurse.
constexpr int greatest_foreign_depth = 512;

}  // namespace

std::optional<Json> try_parse_json(std::string_view text) {
  bool too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > greatest_foreign_depth;
    return !too_deep;  // what lies deeper is not kept, so that nothing recurses over it
  };
  Json json = Json::parse(text, watch, false);
  if (too_deep || json.is_discarded()) return std::nullopt;
  return json;
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace retort::host
