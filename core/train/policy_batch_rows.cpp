// Rows of batches of rollouts: chosen, joined, and written down.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/json.h"
#include "train/policy_batch.h"

namespace retort::train {
namespace {

using Values = std::vector<float> host::RlStep::*;

struct NamedValues {
  const char* name;
  Values values;
};
constexpr std::array<NamedValues, 3> of_rows = {{{"rewards", &host::RlStep::rewards},
                                                 {"finished", &host::RlStep::finished},
                                                 {"reward_parts", &host::RlStep::reward_parts}}};
constexpr std::array<NamedValues, 6> of_tokens = {{{"mask", &host::RlStep::mask},
                                                   {"old_log_probs", &host::RlStep::old_log_probs},
                                                   {"token_rewards", &host::RlStep::token_rewards},
                                                   {"old_values", &host::RlStep::old_values},
                                                   {"sampler_log_probs", &host::RlStep::sampler_log_probs},
                                                   {"reference_log_probs", &host::RlStep::reference_log_probs}}};
constexpr std::array<NamedValues, 3> of_advantages = {
    {{"advantages", &host::RlStep::advantages}, {"returns", &host::RlStep::returns}, {"keep", &host::RlStep::keep}}};

/// Rows of `from` columns each become rows of `to`, with 0 behind their end.
void widen(std::vector<float>& values, std::int64_t from, std::int64_t to) {
  if (values.empty() || from == to) return;
  const std::size_t rows = values.size() / static_cast<std::size_t>(from);
  std::vector<float> wider(rows * static_cast<std::size_t>(to), 0.0F);
  for (std::size_t row = 0; row < rows; ++row)
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(row) * from, from,
                wider.begin() + static_cast<std::ptrdiff_t>(row) * to);
  values = std::move(wider);
}

void widen(PolicyBatch& batch, std::int64_t positions) {
  for (const NamedValues& one : of_tokens) widen(batch.step.*one.values, batch.step.positions, positions);
  widen(batch.teacher_log_probs, batch.step.positions, positions);
  widen(batch.entropies, batch.step.positions, positions);
  batch.step.positions = positions;
}

}  // namespace

PolicyBatch kept_groups(const PolicyBatch& batch) {
  const auto rows = static_cast<std::size_t>(batch.step.rows());
  const auto group = static_cast<std::size_t>(batch.step.group_size);
  PolicyBatch kept;
  kept.step = batch.step;
  std::vector<std::size_t> chosen;
  for (std::size_t first = 0; first < rows; first += group) {
    const auto begin = batch.step.keep.begin() + static_cast<std::ptrdiff_t>(first);
    if (std::all_of(begin, begin + static_cast<std::ptrdiff_t>(group), [](float keep) { return keep == 0; })) continue;
    for (std::size_t g = 0; g < group; ++g) chosen.push_back(first + g);
  }
  const auto take = [&](const std::vector<float>& all) {
    const std::size_t width = all.size() / std::max<std::size_t>(rows, 1);
    std::vector<float> values;
    for (const std::size_t row : chosen)
      values.insert(values.end(), all.begin() + static_cast<std::ptrdiff_t>(row * width),
                    all.begin() + static_cast<std::ptrdiff_t>((row + 1) * width));
    return values;
  };
  for (const std::size_t row : chosen) kept.sequences.push_back(batch.sequences[row]);
  for (const NamedValues& one : of_rows) kept.step.*one.values = take(batch.step.*one.values);
  for (const NamedValues& one : of_tokens) kept.step.*one.values = take(batch.step.*one.values);
  for (const NamedValues& one : of_advantages) kept.step.*one.values = take(batch.step.*one.values);
  kept.teacher_log_probs = take(batch.teacher_log_probs);
  kept.step.prompts = static_cast<std::int64_t>(chosen.size() / group);
  return kept;
}

void append(PolicyBatch& batch, PolicyBatch more) {
  const std::int64_t positions = std::max(batch.step.positions, more.step.positions);
  widen(batch, positions);
  widen(more, positions);
  const auto join = [](std::vector<float>& to, const std::vector<float>& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  for (const NamedValues& one : of_rows) join(batch.step.*one.values, more.step.*one.values);
  for (const NamedValues& one : of_tokens) join(batch.step.*one.values, more.step.*one.values);
  for (const NamedValues& one : of_advantages) (batch.step.*one.values).clear();
  join(batch.teacher_log_probs, more.teacher_log_probs);
  join(batch.entropies, more.entropies);
  if (batch.unscored.empty()) batch.unscored = std::move(more.unscored);
  std::move(more.sequences.begin(), more.sequences.end(), std::back_inserter(batch.sequences));
  batch.step.prompts += more.step.prompts;
}

std::vector<std::size_t> other_prompts(std::size_t count, std::span<const std::size_t> asked, std::size_t wanted,
                                       std::uint64_t seed) {
  std::set<std::size_t> taken(asked.begin(), asked.end());
  std::vector<std::size_t> others;
  SeededSequence random(seed, 0x726566696C6CULL);
  wanted = std::min(wanted, count - std::min(count, taken.size()));
  while (others.size() < wanted) {
    const std::size_t prompt = random.below(count);
    if (taken.insert(prompt).second) others.push_back(prompt);
  }
  return others;
}

namespace {

nlohmann::json to_json(const PolicyBatch& batch) {
  nlohmann::json json = {{"prompts", batch.step.prompts},         {"group_size", batch.step.group_size},
                         {"positions", batch.step.positions},     {"maximum_tokens", batch.step.maximum_tokens},
                         {"temperature", batch.step.temperature}, {"teacher_log_probs", batch.teacher_log_probs},
                         {"sequences", nlohmann::json::array()}};
  for (const NamedValues& one : of_rows) json[one.name] = batch.step.*one.values;
  for (const NamedValues& one : of_tokens) json[one.name] = batch.step.*one.values;
  for (const NamedValues& one : of_advantages) json[one.name] = batch.step.*one.values;
  for (const Sequence& sequence : batch.sequences) json["sequences"].push_back(to_json(sequence));
  return json;
}

PolicyBatch read_batch(const nlohmann::json& json) {
  PolicyBatch batch;
  host::RlStep& step = batch.step;
  step.prompts = json.at("prompts");
  step.group_size = json.at("group_size");
  step.positions = json.at("positions");
  step.maximum_tokens = json.at("maximum_tokens");
  step.temperature = json.at("temperature");
  batch.teacher_log_probs = json.at("teacher_log_probs").get<std::vector<float>>();
  for (const NamedValues& one : of_rows) step.*one.values = json.at(one.name).get<std::vector<float>>();
  for (const NamedValues& one : of_tokens) step.*one.values = json.at(one.name).get<std::vector<float>>();
  for (const NamedValues& one : of_advantages) step.*one.values = json.at(one.name).get<std::vector<float>>();
  for (const nlohmann::json& one : json.at("sequences")) batch.sequences.push_back(sequence_from_json(one));
  return batch;
}

}  // namespace

PolicyBatch of_all_processes(const Processes& processes, PolicyBatch own, const MetricMap& of_own, MetricMap& metrics) {
  const auto add = [&](const MetricMap& part, double share) {
    for (const auto& [name, value] : part) metrics[name] += name == "unscored_prompts" ? value : share * value;
  };
  if (processes.alone()) {
    add(of_own, 1);
    return own;
  }
  nlohmann::json said = {{"batch", to_json(own)}, {"unscored", own.unscored}, {"metrics", of_own}};
  said["entropies"] = own.entropies;
  const std::vector<nlohmann::json> all = processes.gather(said);
  std::int64_t prompts = 0;
  for (const nlohmann::json& one : all) prompts += one.at("batch").at("prompts").get<std::int64_t>();
  PolicyBatch joined;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    PolicyBatch part = read_batch(all[rank].at("batch"));
    part.entropies = all[rank].at("entropies").get<std::vector<float>>();
    part.unscored = all[rank].at("unscored").get<std::string>();
    add(all[rank].at("metrics").get<MetricMap>(),
        static_cast<double>(part.step.prompts) / static_cast<double>(std::max<std::int64_t>(prompts, 1)));
    if (rank == 0)
      joined = std::move(part);
    else
      append(joined, std::move(part));
  }
  return joined;
}

void save_policy_batch(const std::filesystem::path& file, const PolicyBatch& batch, std::int64_t number) {
  nlohmann::json json = to_json(batch);
  json["batch"] = number;
  host::write_file_atomically(file, json.dump());
}

PolicyBatch load_policy_batch(const std::filesystem::path& file, std::int64_t number) {
  const nlohmann::json json = host::read_json(file);
  try {
    if (json.value("batch", std::int64_t{-1}) != number)
      throw std::runtime_error("'" + file.string() + "': expected batch " + std::to_string(number) +
                               " of rollouts, found " + json.value("batch", nlohmann::json()).dump() +
                               "; delete the work folder to start this stage again");
    return read_batch(json);
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error("'" + file.string() + "': expected a batch of rollouts: " + error.what() +
                             "; delete the work folder to start this stage again");
  }
}

}  // namespace retort::train
