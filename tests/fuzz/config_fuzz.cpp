// config.json: the model's shape, its RoPE scaling and its quantization_config. What is accepted must survive being
// written and read again.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "host/base/json.h"
#include "model/model_config.h"
#include "model/model_folder.h"
#include "model/quantization_config.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void read_config(const nlohmann::json& json) {
  using namespace retort::model;
  const ModelConfig config = model_config_from_json(json, "config.json");
  require(model_config_from_json(to_json(config), "written") == config);
  require(config.parameters() > 0);
  if (config.layers <= 64) require(!tensor_shapes(config).empty());
  for (const double frequency : rope_frequencies(config.rope_scaling, config.rope_theta, config.head_dim))
    require(std::isfinite(frequency));
}

void read_quantization(const nlohmann::json& json) {
  using namespace retort::model;
  const retort::host::JsonCursor root(json, "config.json");
  if (!root.has("quantization_config")) return;
  for (const WeightScheme& scheme : read_quantization_config(root.at("quantization_config")))
    require(read_quantization_config(retort::host::JsonCursor(quantization_config({{{"Linear"}, scheme}}, {}),
                                                              "written")) == std::vector<WeightScheme>{scheme});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nlohmann::json json;
  try {
    json = retort::host::parse_json({reinterpret_cast<const char*>(data), size}, "config.json");
  } catch (const std::invalid_argument&) {
    return 0;
  }
  for (const auto reader : {read_config, read_quantization}) {
    try {
      reader(json);
    } catch (const std::invalid_argument&) {
    }
  }
  return 0;
}
