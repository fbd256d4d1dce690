// The embedding [V,D]: the head's packed weight where the two are tied, otherwise a copy as the folder stores it.
#pragma once

#include <array>
#include <cstdint>

#include "model/model_folder.h"
#include "runtime/linear/linear.h"
#include "runtime/linear/packed_memory.h"

namespace retort::runtime {

class Embedding {
 public:
  /// `head`, and `memory`, where a copy is kept, must outlive it. Throws as require_finite.
  Embedding(const model::ModelFolder& folder, const Linear& head, PackedMemory& memory);
  Embedding(const Embedding&) = delete;
  Embedding& operator=(const Embedding&) = delete;

  /// Those of `folder`; a tied embedding follows its head. Throws as the constructor, and std::invalid_argument where
  /// they are stored in another form.
  void update(const model::ModelFolder& folder);
  /// Row `token` as f32 [D], times the model's embedding_factor; `token` is within the vocabulary.
  void look_up(std::int64_t token, float* target) const;

 private:
  /// One tensor of the embedding and its place in memory.
  struct Copy {
    model::StoredTensor tensor;
    std::byte* data = nullptr;
  };
  /// The tensors that a weight has, null where it has none, in the order of copies_.
  using Tensors = std::array<const model::StoredTensor**, 3>;
  static Tensors tensors_of(model::LinearWeight& weight) { return {&weight.weight, &weight.scale, &weight.zero_point}; }

  const Linear* tied_ = nullptr;  // null: the copies below
  float factor_;
  std::int64_t width_;
  std::array<Copy, 3> copies_;
  model::LinearWeight weight_;  // of them
};

}  // namespace retort::runtime
