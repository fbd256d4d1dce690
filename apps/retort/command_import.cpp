// retort import SRC DST
#include "exchange_options.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

std::optional<model::DataType> float_type(const po::variables_map& variables) {
  if (variables.count("dtype") == 0) return std::nullopt;
  const auto text = variables["dtype"].as<std::string>();
  if (text == "f32") return model::DataType::f32;
  if (text == "f16") return model::DataType::f16;
  if (text == "bf16") return model::DataType::bf16;
  throw std::invalid_argument("--dtype: expected f32, f16 or bf16, found '" + text + "'");
}

}  // namespace

int import_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("dtype", po::value<std::string>()->value_name("TYPE"),
                        "f32, f16 or bf16 for all weights; default: as stored, quantised ones as f32")(
      "tokenizer", po::value<std::string>()->value_name("FILE"),
      "tokenizer.bin of a llama2.c checkpoint; default: the file of that name beside it")(
      "no-tokenizer", po::bool_switch(), "leave the tokenizer out, where it is of a kind that is not read");
  add_exchange_options(options);
  hidden.add_options()("source", po::value<std::string>()->required())("target", po::value<std::string>()->required());
  positional.add("source", 1).add("target", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort import SRC DST [options]",
       "Makes a Hugging Face folder DST of a GGUF file (architectures llama, qwen2, qwen3) or a llama2.c checkpoint. "
       "DST must not exist; it appears when it is complete.",
       "retort import SmolLM2-135M-Instruct.Q4_1.gguf smollm2-135m"},
      options, positional, hidden);
  if (!variables) return exit_success;
  exchange::ImportOptions import;
  import.type = float_type(*variables);
  if (variables->count("tokenizer") > 0) import.tokenizer_file = (*variables)["tokenizer"].as<std::string>();
  import.with_tokenizer = !(*variables)["no-tokenizer"].as<bool>();
  import.shard_bytes = parse_size("--shard-size", (*variables)["shard-size"].as<std::string>());
  const auto source = (*variables)["source"].as<std::string>(), target = (*variables)["target"].as<std::string>();
  return run_exchange("import", *variables, [&](const exchange::ProgressReport& report) {
    return exchange::import_model(source, target, import, report);
  });
}

}  // namespace retort::apps
