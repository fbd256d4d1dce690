// See json_items.h. Nothing leaves the sink's function: a component in C may stand behind it.
#include "host/algorithm/json_items.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "host/algorithm/component_failure.h"
#include "host/base/foreign_json.h"
#include "host/base/numeric_environment.h"
#include "host/base/printable.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {

void refuse_result(const std::string& who, const std::string& expected, const std::string& found) {
  constexpr std::size_t longest = 200;
  throw std::runtime_error(who + ": expected " + expected + ", found " + found.substr(0, longest) +
                           (found.size() > longest ? "…" : "") + "; this is a fault of the component");
}

Json parse_result(const std::string& who, std::string_view text) {
  std::optional<Json> parsed = try_parse_json(text);
  if (!parsed) refuse_result(who, "JSON", "\"" + printable(text.substr(0, 200)) + "\"");
  return std::move(*parsed);
}

JsonItems::JsonItems(std::string who, std::size_t count, Take take)
    : who_(std::move(who)),
      take_(std::move(take)),
      seen_(count, false),
      sink_{sizeof(retort_item_sink), 0, this, [](void* context, std::uint64_t index, retort_string json) {
              static_cast<JsonItems*>(context)->take(index, json);
            }} {}

void JsonItems::take(std::uint64_t index, retort_string json) noexcept {
  if (failure_) return;
  try {
    accept(index, json.size == 0 ? std::string_view() : std::string_view(json.data, json.size));
  } catch (...) {
    failure_ = std::current_exception();
  }
}

void JsonItems::accept(std::uint64_t index, std::string_view json) {
  if (index >= seen_.size())
    refuse_result(who_, "items below " + std::to_string(seen_.size()), "item " + std::to_string(index));
  if (seen_[index]) refuse_result(who_, "each item once", "item " + std::to_string(index) + " twice");
  Json item = parse_result(who_ + ": item " + std::to_string(index), json);
  seen_[index] = true;
  take_(index, std::move(item));
}

void JsonItems::finish(retort_error* error) const {
  if (failure_) {
    restore_floating_point(who_);
    if (error != nullptr) host_services().error_free(error);
    std::rethrow_exception(failure_);
  }
  throw_component_failure(error, who_);
}

void JsonItems::require_all() const {
  const auto came = static_cast<std::size_t>(std::count(seen_.begin(), seen_.end(), true));
  if (came == seen_.size()) return;
  const auto first = std::find(seen_.begin(), seen_.end(), false) - seen_.begin();
  refuse_result(who_, std::to_string(seen_.size()) + " items",
                std::to_string(came) + " (item " + std::to_string(first) + " did not come)");
}

std::size_t JsonItems::require_prefix() const {
  const auto end = std::find(seen_.begin(), seen_.end(), false);
  const auto beyond = std::find(end, seen_.end(), true);
  if (beyond != seen_.end())
    refuse_result(
        who_, "items 0, 1, … without a gap",
        "item " + std::to_string(beyond - seen_.begin()) + " without item " + std::to_string(end - seen_.begin()));
  return static_cast<std::size_t>(end - seen_.begin());
}

}  // namespace retort::host
