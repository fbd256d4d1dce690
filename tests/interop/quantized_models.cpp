#include "quantized_models.h"

#include <cstring>
#include <deque>

#include "code_grid.h"
#include "model/quantization_config.h"

namespace retort::interop {
namespace {

/// Multiples of 2^-16 in [-1/8, 1/8): exact in f32. Constants: Numerical Recipes, 3rd edition, section 7.1.
class Numbers {
 public:
  float next() {
    state_ = state_ * 1664525U + 1013904223U;
    return static_cast<float>(static_cast<int>(state_ >> 18) - 8192) / 65536.0F;
  }

 private:
  std::uint32_t state_ = 42;
};

struct Codes {
  std::vector<std::int8_t> codes;
  std::vector<float> scales;
  std::vector<std::int8_t> zeros;  ///< all 0 where symmetric
};

Codes rounded(const std::vector<float>& weight, std::int64_t width, const quantize::CodeGrid& grid) {
  Codes result;
  const auto step = static_cast<std::size_t>(width);
  const int middle = grid.symmetric ? 0 : 1 << (grid.bits - 1);  // files have signed codes
  for (std::size_t begin = 0; begin < weight.size(); begin += step) {
    const std::span<const float> group(weight.data() + begin, step);
    const quantize::GroupScale scale = quantize::group_scale(group, grid);
    result.scales.push_back(static_cast<float>(scale.scale));
    result.zeros.push_back(static_cast<std::int8_t>(scale.zero_point - middle));
    for (const float value : group)
      result.codes.push_back(static_cast<std::int8_t>(quantize::code_of(value, scale, grid) - middle));
  }
  return result;
}

/// Tensors with the storage that their views borrow.
class Tensors {
 public:
  template <typename T>
  void add(const std::string& name, model::DataType type, const std::vector<std::int64_t>& shape,
           const std::vector<T>& data) {
    auto& bytes = kept_.emplace_back(data.size() * sizeof(T));
    std::memcpy(bytes.data(), data.data(), bytes.size());
    views_.push_back({name, type, shape, bytes.data()});
  }
  const std::vector<model::StoredTensor>& views() const { return views_; }

 private:
  std::deque<std::vector<std::byte>> kept_;
  std::vector<model::StoredTensor> views_;
};

bool in_groups(const QuantizedModel& model, const std::string& name, std::int64_t columns) {
  return model.group_size > 0 && (model.pure || name.ends_with("_proj.weight")) && columns % model.group_size == 0;
}

nlohmann::json description(const QuantizedModel& model) {
  std::vector<model::QuantizedModules> groups = {{{"Linear"}, {8, 0}, model.activation_bits}};
  if (model.group_size > 0) groups = {{{"Linear"}, {4, model.group_size, !model.asymmetric}}};
  std::vector<std::string> int8;
  if (model.group_size > 0 && shape_of(model).intermediate_size % model.group_size != 0)
    int8.emplace_back("model.layers.0.mlp.down_proj");
  if (model.group_size > 0 && !model.pure) int8.emplace_back("lm_head");
  if (!int8.empty()) groups.push_back({int8, {8, 0}, model.activation_bits});
  groups.push_back({{"Embedding"},
                    model.pure ? model::WeightScheme{4, model.group_size, !model.asymmetric} : model::WeightScheme{}});
  return model::quantization_config(groups, {});
}

}  // namespace

const std::vector<QuantizedModel>& quantized_models() {
  static const std::vector<QuantizedModel> models = {{"int8-tied", true, 0},
                                                     {"int8-untied", false, 0},
                                                     {"int4-tied", true, 32},
                                                     {"int4-untied", false, 64},
                                                     {"w8a16-tied", true, 0, 0},
                                                     {"w8a16-untied", false, 0, 0},
                                                     {"w4a16-untied", false, 64, 0},
                                                     {"w4a16-pure-tied", true, 32, 0, true},
                                                     {"w4a16-pure-untied", false, 32, 0, true},
                                                     {"w4a16-asymmetric-tied", true, 32, 0, false, true},
                                                     {"w4a16-asymmetric-untied", false, 64, 0, false, true},
                                                     {"w4a16-pure-asymmetric-untied", false, 32, 0, true, true}};
  return models;
}

model::ModelConfig shape_of(const QuantizedModel& model) {
  model::ModelConfig config;
  config.vocabulary_size = 40;
  config.hidden_size = 64;
  config.intermediate_size = 96;
  config.layers = 1;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 32;
  config.max_positions = 32;
  config.tie_word_embeddings = model.tied;
  return config;
}

void write_quantized_model(const std::filesystem::path& folder, const QuantizedModel& model) {
  Numbers numbers;
  Tensors tensors;
  for (const auto& [name, shape] : model::tensor_shapes(shape_of(model))) {
    std::int64_t elements = 1;
    for (const std::int64_t size : shape) elements *= size;
    std::vector<float> weight(static_cast<std::size_t>(elements));
    for (float& value : weight) value = numbers.next() + (shape.size() == 1 ? 1.0F : 0.0F);
    if (shape.size() == 1) {
      tensors.add(name, model::DataType::f32, shape, weight);
    } else if (in_groups(model, name, shape[1])) {
      const Codes codes = rounded(weight, model.group_size, {.bits = 4, .symmetric = !model.asymmetric});
      tensors.add(name + "_packed", model::DataType::i32, {shape[0], model::packed_int4_columns(shape[1])},
                  model::pack_int4(codes.codes, shape[0], shape[1]));
      tensors.add(name + "_scale", model::DataType::f32, {shape[0], shape[1] / model.group_size}, codes.scales);
      if (model.asymmetric)
        tensors.add(name + "_zero_point", model::DataType::i32,
                    {model::packed_int4_columns(shape[0]), shape[1] / model.group_size},
                    model::pack_zero_points(codes.zeros, shape[0], shape[1] / model.group_size));
      tensors.add(name + "_shape", model::DataType::i64, {2}, shape);
    } else {
      const Codes codes = rounded(weight, shape[1], {.bits = 8});
      tensors.add(name, model::DataType::i8, shape, codes.codes);
      tensors.add(name + "_scale", model::DataType::f32, {shape[0], 1}, codes.scales);
    }
  }
  model::save_model(folder, shape_of(model), tensors.views(), description(model));
}

}  // namespace retort::interop
