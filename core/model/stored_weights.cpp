#include "model/stored_weights.h"

#include <algorithm>
#include <map>

#include "model/quantization_config.h"

namespace retort::model {
namespace {

bool is_matrix(const std::vector<std::int64_t>& shape) {
  return shape.size() == 2;
}

LinearWeight linear_of(const ModelFolder& folder, const std::string& weight) {
  return folder.linear(weight.substr(0, weight.size() - std::string(".weight").size()));
}

std::string form_of(const LinearWeight& weight) {
  return weight.quantized() ? name_of(WeightScheme{weight.bits, weight.group_size, weight.zero_point == nullptr})
                            : name_of(weight.weight->type);
}

}  // namespace

std::vector<StoredWeights> stored_weights(const ModelFolder& folder) {
  std::map<std::string, StoredWeights> forms;
  for (const auto& [name, shape] : tensor_shapes(folder.config())) {
    LinearWeight weight;
    if (is_matrix(shape))
      weight = linear_of(folder, name);
    else
      weight.weight = &folder.tensor(name);
    StoredWeights& form = forms[form_of(weight)];
    form.parameters += is_matrix(shape) ? shape[0] * shape[1] : shape[0];
    form.bytes += static_cast<std::int64_t>(weight.weight->bytes());
    for (const StoredTensor* part : {weight.scale, weight.zero_point})
      if (part != nullptr) form.bytes += static_cast<std::int64_t>(part->bytes());
  }
  std::vector<StoredWeights> result;
  for (auto& [form, weights] : forms) {
    weights.form = form;
    result.push_back(weights);
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const StoredWeights& a, const StoredWeights& b) { return a.bytes > b.bytes; });
  return result;
}

std::string weight_forms(const ModelFolder& folder) {
  std::string quantized, floating;
  for (const StoredWeights& weights : stored_weights(folder)) {
    std::string& forms = weights.form.find("int") != std::string::npos ? quantized : floating;
    forms += (forms.empty() ? "" : " and ") + weights.form;
  }
  return quantized.empty() ? floating : quantized;
}

}  // namespace retort::model
