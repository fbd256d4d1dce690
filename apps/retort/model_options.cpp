#include "model_options.h"

#include <stdexcept>

namespace retort::apps {

namespace po = boost::program_options;

void add_model_options(po::options_description& options, std::int64_t threads) {
  options.add_options()("threads,t", po::value<std::int64_t>()->default_value(threads)->value_name("N"),
                        "threads of the engine; tiny models are fastest with 1")(
      "context", po::value<std::int64_t>()->default_value(0)->value_name("N"),
      "tokens that a sequence may have; 0 = what the model allows, at most 4096")(
      "kv-cache", po::value<std::string>()->default_value("auto")->value_name("TYPE"),
      "keys and values as f32, bf16 or int8; auto = f32 for models below 32M parameters, else bf16");
}

const char* name_of(runtime::KvType type) {
  switch (type) {
    case runtime::KvType::f32:
      return "f32";
    case runtime::KvType::bf16:
      return "bf16";
    case runtime::KvType::int8:
      return "int8";
    case runtime::KvType::automatic:
      break;
  }
  return "auto";
}

runtime::DecoderOptions decoder_options(const po::variables_map& variables) {
  runtime::DecoderOptions options;
  options.threads = variables["threads"].as<std::int64_t>();
  if (options.threads < 1 || options.threads > 1024)
    throw std::invalid_argument("--threads: expected 1 to 1024, found " + std::to_string(options.threads));
  options.context = variables["context"].as<std::int64_t>();
  const std::string type = variables["kv-cache"].as<std::string>();
  for (const runtime::KvType known :
       {runtime::KvType::automatic, runtime::KvType::f32, runtime::KvType::bf16, runtime::KvType::int8}) {
    if (type != name_of(known)) continue;
    options.kv_cache = known;
    return options;
  }
  throw std::invalid_argument("--kv-cache: expected auto, f32, bf16 or int8, found " + type);
}

std::filesystem::path model_path(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path / "run.json")) return path;
  if (!std::filesystem::exists(path / "model"))
    throw std::invalid_argument("the run '" + path.string() +
                                "' has no model yet: it is not complete, or its last stage makes none");
  return path / "model";
}

runtime::CallModel open_model(const std::filesystem::path& path, const po::variables_map& variables) {
  return runtime::CallModel(model_path(path), decoder_options(variables));
}

}  // namespace retort::apps
