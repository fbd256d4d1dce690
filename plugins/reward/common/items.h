// Texts of retort.reward/1 as JSON: each item is scored by itself, and one that cannot be read is an error of its own.
#pragma once

#include <nlohmann/json.hpp>
#include <retort/reward.hpp>
#include <stdexcept>
#include <string>

namespace retort::rewards {

/// What a model wrote may hold anything: what is not UTF-8 becomes U+FFFD.
inline std::string text_of(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Throws std::invalid_argument unless `text` is a JSON array.
inline nlohmann::json parse_array(std::string_view text, const char* what) {
  nlohmann::json parsed = nlohmann::json::parse(text, nullptr, false);
  if (!parsed.is_array())
    throw std::invalid_argument(std::string(what) + ": expected a JSON array, found " +
                                (parsed.is_discarded() ? "text that is not JSON" : parsed.type_name()));
  return parsed;
}

/// Writes judge(item, tools that hold for it) for every item; std::invalid_argument becomes {"error": reason}.
template <typename Judge>
void score_items(const RewardBatch& batch, const ItemSink& scores, const Judge& judge) {
  const nlohmann::json tools = batch.tools.empty() ? nlohmann::json::array() : parse_array(batch.tools, "tools");
  const nlohmann::json items = parse_array(batch.items, "items");
  for (std::size_t i = 0; i < items.size(); ++i) {
    const nlohmann::json& item = items[i];
    try {
      const bool own = item.is_object() && item.contains("tools") && !item["tools"].is_null();
      scores.item(i, text_of(judge(item, own ? item["tools"] : tools)));
    } catch (const std::invalid_argument& error) {
      scores.item(i, text_of({{"error", error.what()}}));
    }
  }
}

}  // namespace retort::rewards
