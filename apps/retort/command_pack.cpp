// retort pack MODEL
#include <iomanip>
#include <iostream>

#include "host/base/json.h"
#include "model_options.h"
#include "runtime/decoder/packed_weights.h"
#include "text/packed_tokenizer.h"

namespace retort::apps {

namespace po = boost::program_options;

int pack_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("threads,t", po::value<std::int64_t>()->default_value(1)->value_name("N"), "threads that pack")(
      "json", po::bool_switch(), "as JSON");
  hidden.add_options()("model", po::value<std::string>()->required());
  positional.add("model", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort pack MODEL [options]",
       "Writes the model's weights as this machine's kernels keep them, and its tokenizer's tables, into the model's "
       "folder (model.<instruction set>.packed, tokenizer.packed). Every command maps them from then on: the model is "
       "loaded at once, and processes share one copy. Answers stay the same to the bit. Files that no longer fit, "
       "because the weights or the program changed, are passed over with a message; pack again.",
       "retort pack runs/quickstart/model"},
      options, positional, hidden);
  if (!variables) return exit_success;
  const auto threads = (*variables)["threads"].as<std::int64_t>();
  if (threads < 1 || threads > 1024)
    throw std::invalid_argument("--threads: expected 1 to 1024, found " + std::to_string(threads));
  const std::filesystem::path path = model_path((*variables)["model"].as<std::string>());
  const model::ModelFolder folder(path);
  std::vector<std::filesystem::path> files{runtime::write_packed_weights(folder, threads).path};
  if (std::filesystem::exists(path / "tokenizer.json")) files.push_back(text::write_packed_tokenizer(path));
  host::Json list = host::Json::array();
  for (const std::filesystem::path& file : files) {
    const auto bytes = std::filesystem::file_size(file);
    list.push_back({{"path", file.string()}, {"bytes", bytes}});
    if (!(*variables)["json"].as<bool>())
      std::cout << file.filename().string() << "  " << std::fixed << std::setprecision(1)
                << static_cast<double>(bytes) / 1e6 << " MB\n";
  }
  if ((*variables)["json"].as<bool>()) std::cout << host::Json{{"files", list}}.dump(2) << "\n";
  return exit_success;
}

}  // namespace retort::apps
