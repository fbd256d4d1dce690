// retort export MODEL DST --format hf|gguf
#include "exchange_options.h"

namespace retort::apps {

namespace po = boost::program_options;

int export_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("format", po::value<std::string>()->required()->value_name("FORMAT"),
                        "gguf: one file for llama.cpp and its kin; hf: a Hugging Face folder in floating point")(
      "dtype", po::value<std::string>()->value_name("TYPE"),
      "f32, f16 or bf16; with gguf also q8_0, q4_0 or q4_1; default: as stored, quantised weights as f32");
  add_exchange_options(options);
  hidden.add_options()("model", po::value<std::string>()->required())("target", po::value<std::string>()->required());
  positional.add("model", 1).add("target", 1);
  const auto variables =
      parse_command_line(arguments,
                         {"retort export MODEL DST --format gguf|hf [options]",
                          "Writes a model folder, int8 ones too, in a form that other engines read. DST must not "
                          "exist; it appears when it "
                          "is complete.",
                          "retort export runs/quickstart/model home.gguf --format gguf --dtype q8_0"},
                         options, positional, hidden);
  if (!variables) return exit_success;
  exchange::ExportOptions choice;
  if (variables->count("dtype") > 0) choice.type = parse_type((*variables)["dtype"].as<std::string>());
  choice.shard_bytes = parse_size("--shard-size", (*variables)["shard-size"].as<std::string>());
  const auto format = (*variables)["format"].as<std::string>();
  if (format != "gguf" && format != "hf")
    throw std::invalid_argument("--format: expected gguf or hf, found '" + format + "'");
  const auto model = (*variables)["model"].as<std::string>(), target = (*variables)["target"].as<std::string>();
  return run_exchange("export", *variables, [&](const exchange::ProgressReport& report) {
    return format == "gguf" ? exchange::export_to_gguf(model, target, choice, report)
                            : exchange::export_to_folder(model, target, choice, report);
  });
}

}  // namespace retort::apps
