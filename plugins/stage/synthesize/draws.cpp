// See draws.h.
#include "draws.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "host/base/json_cursor.h"

namespace retort::stages {
namespace {

using nlohmann::json;

std::vector<std::string> required_of(const task::Tool& tool) {
  std::vector<std::string> names;
  const json required = tool.parameters.value("required", json::array());
  for (const json& name : required)
    if (name.is_string()) names.push_back(name);
  return names;
}

}  // namespace

std::string_view name_of(RowKind kind) {
  static constexpr std::string_view names[] = {"single",           "parallel", "multi_step",
                                               "missing_argument", "no_call",  "text_reply"};
  return names[static_cast<std::size_t>(kind)];
}

std::uint64_t Draws::next() {
  std::uint64_t value = state_ += 0x9E3779B97F4A7C15ULL;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31U);
}

std::vector<RowKind> kinds_of_rows(const Quotas& quotas, const std::array<bool, row_kinds>& possible, std::size_t rows,
                                   std::uint64_t seed) {
  double sum = 0;
  for (std::size_t k = 0; k < row_kinds; ++k) sum += possible[k] ? quotas[k] : 0;
  if (!(sum > 0)) throw std::invalid_argument("quotas: expected one above 0 that the tools can serve, found none");
  std::vector<std::pair<double, std::size_t>> remainders;
  std::vector<RowKind> kinds;
  for (std::size_t k = 0; k < row_kinds; ++k) {
    const double wanted = possible[k] ? quotas[k] / sum * static_cast<double>(rows) : 0;
    kinds.insert(kinds.end(), static_cast<std::size_t>(wanted), static_cast<RowKind>(k));
    remainders.emplace_back(std::floor(wanted) - wanted, k);
  }
  std::sort(remainders.begin(), remainders.end());
  for (std::size_t i = 0; kinds.size() < rows; i = (i + 1) % row_kinds)
    if (possible[remainders[i].second] && quotas[remainders[i].second] > 0)
      kinds.push_back(static_cast<RowKind>(remainders[i].second));
  Draws(seed, 0).shuffle(kinds);
  return kinds;
}

std::array<bool, row_kinds> possible_kinds(const std::vector<task::Tool>& tools) {
  std::array<bool, row_kinds> possible;
  possible.fill(!tools.empty());
  possible[static_cast<std::size_t>(RowKind::missing_argument)] =
      std::any_of(tools.begin(), tools.end(), [](const task::Tool& tool) { return !required_of(tool).empty(); });
  return possible;
}

RowPlan plan_of(RowKind kind, const std::vector<task::Tool>& tools, const Samplers& samplers, Draws& draws) {
  RowPlan plan;
  plan.kind = kind;
  if (!samplers.personas.empty()) plan.persona = draws.one_of(samplers.personas);
  if (!samplers.topics.empty()) plan.topic = draws.one_of(samplers.topics);
  if (!samplers.attributes.empty()) plan.attribute = draws.one_of(samplers.attributes);
  std::vector<std::size_t> order(tools.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  draws.shuffle(order);
  if (kind == RowKind::missing_argument)
    std::stable_partition(order.begin(), order.end(), [&](std::size_t i) { return !required_of(tools[i]).empty(); });
  const bool none = kind == RowKind::no_call || kind == RowKind::text_reply;
  const bool several = kind == RowKind::parallel || kind == RowKind::multi_step;
  if (!none) plan.tools.push_back(order[0]);
  if (several) plan.tools.push_back(order.size() > 1 && draws.share() < 0.7 ? order[1] : order[0]);
  const std::size_t spread = samplers.most_distractors - samplers.least_distractors + 1;
  const std::size_t distractors = samplers.least_distractors + draws.below(spread);
  for (const std::size_t tool : order)
    if (plan.distractors.size() < std::max<std::size_t>(distractors, none ? 1 : 0) &&
        std::find(plan.tools.begin(), plan.tools.end(), tool) == plan.tools.end())
      plan.distractors.push_back(tool);
  if (none) return plan;
  const task::Tool& first = tools[plan.tools[0]];
  if (kind == RowKind::missing_argument) plan.missing = draws.one_of(required_of(first));
  const json properties = first.parameters.value("properties", json::object());
  for (const auto& item : properties.items()) {
    auto list = samplers.values.find(first.name + "." + item.key());
    if (list == samplers.values.end()) list = samplers.values.find(item.key());
    if (list != samplers.values.end() && !list->second.empty() && item.key() != plan.missing)
      plan.values[item.key()] = draws.one_of(list->second);
  }
  return plan;
}

std::map<std::string, std::vector<json>> values_from_json(const json& values) {
  const host::JsonCursor root(values, "values");
  std::map<std::string, std::vector<json>> lists;
  for (const auto& item : root.object().json().items()) {
    const host::JsonCursor list = root.at(item.key()).array();
    if (list.size() == 0) list.refuse("values of an argument");
    lists[item.key()] = list.json().get<std::vector<json>>();
  }
  return lists;
}

}  // namespace retort::stages
