#include "model_options.h"

#include <stdexcept>

namespace retort::apps {

namespace po = boost::program_options;

void add_model_options(po::options_description& options) {
  options.add_options()("threads", po::value<std::int64_t>()->default_value(1)->value_name("N"),
                        "threads of the engine; tiny models are fastest with 1");
}

runtime::DecoderOptions decoder_options(const po::variables_map& variables) {
  runtime::DecoderOptions options;
  options.threads = variables["threads"].as<std::int64_t>();
  if (options.threads < 1 || options.threads > 1024)
    throw std::invalid_argument("--threads: expected 1 to 1024, found " + std::to_string(options.threads));
  return options;
}

runtime::CallModel open_model(const std::filesystem::path& path, const po::variables_map& variables) {
  const runtime::DecoderOptions options = decoder_options(variables);
  if (!std::filesystem::exists(path / "run.json")) return runtime::CallModel(path, options);
  if (!std::filesystem::exists(path / "model"))
    throw std::invalid_argument("the run '" + path.string() +
                                "' has no model yet: it is not complete, or its last stage makes none");
  return runtime::CallModel(path / "model", options);
}

}  // namespace retort::apps
