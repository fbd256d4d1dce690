// The shape of a new student: what it is told counts, and what does not fit is refused by name.
#include "train/new_model.h"

#include <gtest/gtest.h>

#include <string>

namespace retort::train {
namespace {

std::string refusal(const NewModel& shape) {
  model::ModelConfig config;
  try {
    apply_shape(shape, config);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST(NewModel, TakesEverySize) {
  model::ModelConfig config;
  config.vocabulary_size = 321;
  apply_shape({.hidden_size = 48,
               .layers = 3,
               .heads = 4,
               .kv_heads = 2,
               .intermediate_size = 40,
               .max_positions = 77,
               .rope_theta = 500},
              config);
  EXPECT_EQ(config.vocabulary_size, 321);
  EXPECT_EQ(config.layers, 3);
  EXPECT_EQ(config.head_dim, 12);
  EXPECT_EQ(config.max_positions, 77);
  EXPECT_EQ(config.rope_theta, 500);
}

TEST(NewModel, RefusesSizesThatDoNotFit) {
  EXPECT_NE(refusal({.heads = 4, .kv_heads = 3}).find("model.kv_heads"), std::string::npos);
  EXPECT_NE(refusal({.head_dim = 7}).find("model.head_dim"), std::string::npos);
  EXPECT_EQ(refusal({}), "");
}

TEST(NewModel, SpreadsSlidingLayersOverItsDepth) {
  model::ModelConfig config;
  config.sliding_window = 8;
  config.sliding_layers = {false, true};  // a teacher of two layers
  model::ModelConfig deeper = config, shallower = config, same = config;
  apply_shape({.layers = 5}, deeper);
  apply_shape({.layers = 1}, shallower);
  apply_shape({.layers = 2}, same);
  EXPECT_EQ(deeper.sliding_layers, (std::vector<bool>{false, false, false, true, true}));
  EXPECT_EQ(deeper.window(4), 8);  // one of every layer: none is read past the end
  EXPECT_EQ(shallower.sliding_layers, std::vector<bool>{false});
  EXPECT_EQ(same.sliding_layers, config.sliding_layers);
}

}  // namespace retort::train
