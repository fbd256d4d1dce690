// prune.taylor: weights and gradients as the importance of width_plan.h. Feed-forward channels are what down reads,
// heads what o reads, and hidden channels what every norm passes on.
#include <retort/plugin.hpp>
#include <retort/pruner.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "taylor.h"
#include "width_plan.h"

namespace {

using retort::prune::TaylorImportance;
using retort::prune::TaylorMeasure;

std::vector<float> values_of(const retort::TensorView<const float>& view, bool matrix) {
  std::vector<float> values;  // the view may have a stride, and lives until the next question only
  for (std::int64_t row = 0; row < view.rows(); ++row) {
    if (matrix)
      values.insert(values.end(), view.row(row), view.row(row) + view.columns());
    else
      values.push_back(view[row]);
  }
  return values;
}

class TaylorPruner : public retort::Pruner {
 public:
  struct Params : retort::prune::WidthOptions {
    std::string by = "first_order";
    std::int64_t samples = 128;
    Params() { prune_hidden = false; }
  };
  static auto schema() {
    return retort::prune::width_schema<Params>()
        .string("by", &Params::by)
        .one_of({"first_order", "elements", "fisher"})
        .doc(
            "what going costs, from weights w and gradients g of the calibration loss: first_order |sum w*g| of a "
            "channel or head; elements: sum |w*g|; fisher: sum w*w*f/2, f the mean squared gradient of single "
            "sequences, "
            "which still tells channels apart where training has made mean gradients small")
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("sequence")
        .doc("calibration sequences whose gradients are taken");
  }

  explicit TaylorPruner(const Params& params) : params_(params) {}

  retort::PruneRequirements requirements() const override {
    return {measure() == TaylorMeasure::fisher ? RETORT_SIGNAL_SQUARED_GRADIENTS : RETORT_SIGNAL_GRADIENTS,
            params_.samples};
  }

  retort::PrunePlan plan(const retort_prune_structure& structure, const retort::PruneSignals& /*signals*/,
                         const retort::PruneModel& model) override {
    const auto of_layer = [](std::int64_t layer, const char* name) {
      return "model.layers." + std::to_string(layer) + "." + name;
    };
    retort::prune::WidthImportance importance;
    importance.feed_forward = [&](std::int64_t layer) {
      return of_columns(model, of_layer(layer, "mlp.down_proj.weight"), structure.feed_forward, 1);
    };
    importance.kv_heads = [&](std::int64_t layer) {
      const std::int64_t heads = structure.heads / structure.kv_heads;
      return of_columns(model, of_layer(layer, "self_attn.o_proj.weight"), structure.heads * structure.head_dim,
                        heads * structure.head_dim);
    };
    importance.hidden = [&] {
      TaylorImportance sums(measure(), structure.hidden);
      for (std::int64_t layer = 0; layer < structure.layers; ++layer)
        for (const char* norm : {"input_layernorm.weight", "post_attention_layernorm.weight"})
          add(model, of_layer(layer, norm), 1, structure.hidden, sums);
      add(model, "model.norm.weight", 1, structure.hidden, sums);
      return sums.of_groups(1);
    };
    return retort::prune::width_plan(params_, structure, importance);
  }

 private:
  TaylorMeasure measure() const {
    if (params_.by == "fisher") return TaylorMeasure::fisher;
    return params_.by == "elements" ? TaylorMeasure::elements : TaylorMeasure::first_order;
  }

  std::vector<float> of_columns(const retort::PruneModel& model, const std::string& name, std::int64_t columns,
                                std::int64_t group) const {
    TaylorImportance sums(measure(), columns);
    add(model, name, 2, columns, sums);
    return sums.of_groups(group);
  }

  /// Of a weight [R,C], or [C] as one row.
  void add(const retort::PruneModel& model, const std::string& name, int dimensions, std::int64_t columns,
           TaylorImportance& sums) const {
    const bool matrix = dimensions == 2;
    const auto checked = [&](const retort::TensorView<const float>& view) {
      if (matrix)
        retort::expect_shape(view, name.c_str(), -1, columns);
      else
        retort::expect_shape(view, name.c_str(), columns);
      return values_of(view, matrix);
    };
    const std::vector<float> weights = checked(model.weight(name, dimensions));
    const std::vector<float> gradients =
        checked(measure() == TaylorMeasure::fisher ? model.squared_gradient(name, dimensions)
                                                   : model.gradient(name, dimensions));
    try {
      sums.add(weights, gradients);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(name + ", " + error.what());
    }
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("taylor", "1.0.0", "Apache-2.0",
                   retort::component<TaylorPruner>(
                       "prune.taylor", "1.0.0",
                       "narrows a decoder by what the loss does without each channel, from gradients (Taylor)"));
