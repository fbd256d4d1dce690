#include "exchange_options.h"

#include <array>
#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "host/base/log.h"
#include "host/base/number_format.h"
#include "host/base/progress.h"
#include "host/plugin/plugin_error.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

constexpr std::int64_t megabyte = 1'000'000;

struct Interrupted {};

nlohmann::json to_json(const exchange::ExchangeResult& result, const std::string& target) {
  nlohmann::json files = nlohmann::json::array();
  for (const auto& file : result.files) files.push_back(file.string());
  return {{"path", target},
          {"architecture", result.config.architecture},
          {"parameters", result.config.parameters()},
          {"files", files},
          {"bytes", result.bytes},
          {"notes", result.notes}};
}

}  // namespace

void add_exchange_options(po::options_description& options) {
  options.add_options()("shard-size", po::value<std::string>()->default_value("5GB")->value_name("SIZE"),
                        "split the weights of a Hugging Face folder into files of at most SIZE (kB, MB, GB, MiB, GiB)")(
      "json", po::bool_switch(), "one JSON object: path, architecture, parameters, files, bytes, notes");
}

std::size_t parse_size(const std::string& option, const std::string& text) {
  static constexpr std::array<std::pair<const char*, std::size_t>, 7> units = {
      {{"", 1}, {"B", 1}, {"kB", 1'000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}};
  std::size_t number = 0, bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  if (error == std::errc())
    for (const auto& [name, factor] : units)
      if (unit == name && number > 0 && !__builtin_mul_overflow(number, factor, &bytes)) return bytes;
  throw std::invalid_argument(option + ": expected a whole number and kB, MB, GB, MiB or GiB, as in 5GB, found '" +
                              text + "'");
}

model::GgmlType parse_type(const std::string& text) {
  static constexpr std::array<std::pair<const char*, model::GgmlType>, 6> types = {{{"f32", model::GgmlType::f32},
                                                                                    {"f16", model::GgmlType::f16},
                                                                                    {"bf16", model::GgmlType::bf16},
                                                                                    {"q8_0", model::GgmlType::q8_0},
                                                                                    {"q4_0", model::GgmlType::q4_0},
                                                                                    {"q4_1", model::GgmlType::q4_1}}};
  for (const auto& [name, type] : types)
    if (text == name) return type;
  throw std::invalid_argument("--dtype: expected f32, f16, bf16, q8_0, q4_0 or q4_1, found '" + text + "'");
}

int run_exchange(const std::string& label, const po::variables_map& variables,
                 const std::function<exchange::ExchangeResult(const exchange::ProgressReport& report)>& exchange) {
  host::Progress progress(host::standard_error());
  exchange::ExchangeResult result;
  try {
    result = exchange([&](std::int64_t done, std::int64_t total) {
      if (host::stop_requested()) throw Interrupted();
      progress.update(label, done / megabyte, total / megabyte, "MB");
    });
  } catch (const Interrupted&) {
    return exit_interrupted;
  }
  progress.clear();
  const auto target = variables["target"].as<std::string>();
  if (variables["json"].as<bool>()) {
    std::cout << to_json(result, target).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    return exit_success;
  }
  for (const std::string& note : result.notes) host::log_info(note);
  std::cout << target << ": " << result.config.architecture << ", " << host::format_count(result.config.parameters())
            << " parameters, " << host::format_bytes(result.bytes) << "\n";
  return exit_success;
}

}  // namespace retort::apps
