// Requests to a ChatModel as JSON, many at a time: completions and scores, item by item. What retort.host.models/1
// offers to plugins; sdk/include/retort/abi/host_models.h says what each request and each item holds.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

#include "runtime/generate/chat_model.h"

namespace retort::runtime {

/// Takes the item of request `index`, each once, as soon as it is known.
using TakeItem = std::function<void(std::size_t index, const nlohmann::json& item)>;
/// Whether to give up; asked before every token.
using ShouldStop = std::function<bool()>;

/// Thrown when should_stop said so; items that were given count.
struct StopRequested {};

/// `requests` is a JSON array. A request that is wrong becomes {"error": JSON pointer, what was expected, what was
/// found}, and the others go on. Throws std::invalid_argument where `requests` is no JSON array, StopRequested, and
/// what `take` throws.
void complete(ChatModel& model, std::string_view requests, const TakeItem& take, const ShouldStop& should_stop);
void score(ChatModel& model, std::string_view requests, const TakeItem& take, const ShouldStop& should_stop);

}  // namespace retort::runtime
