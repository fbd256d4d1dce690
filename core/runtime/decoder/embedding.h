// The embedding [V,D]: the head's packed weight where the two are tied, otherwise a copy as the folder stores it.
#pragma once

#include <cstdint>
#include <vector>

#include "model/model_folder.h"
#include "runtime/linear/linear.h"

namespace retort::runtime {

class Embedding {
 public:
  /// `head` must outlive it. Throws as require_finite.
  Embedding(const model::ModelFolder& folder, const Linear& head);
  Embedding(const Embedding&) = delete;
  Embedding& operator=(const Embedding&) = delete;

  /// Those of `folder`; a tied embedding follows its head. Throws as the constructor.
  void update(const model::ModelFolder& folder);
  /// Row `token` as f32 [D], times the model's embedding_factor; `token` is within the vocabulary.
  void look_up(std::int64_t token, float* target) const;

 private:
  const Linear* tied_ = nullptr;  // null: the copy below
  float factor_;
  std::int64_t width_;
  std::vector<std::byte> weight_bytes_, scale_bytes_, zero_bytes_;
  model::StoredTensor weight_tensor_, scale_tensor_, zero_tensor_;
  model::LinearWeight weight_;
};

}  // namespace retort::runtime
