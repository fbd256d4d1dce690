// See embedding.h.
#include "runtime/decoder/embedding.h"

#include <cstring>
#include <stdexcept>

#include "runtime/decoder/weights.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {

Embedding::Embedding(const model::ModelFolder& folder, const Linear& head, PackedMemory& memory)
    : factor_(static_cast<float>(folder.config().embedding_factor())), width_(folder.config().hidden_size) {
  if (folder.config().tie_word_embeddings) {
    tied_ = &head;
    return;
  }
  const LinearWeights stored = read_embedding(folder);
  weight_ = stored.parts.front();
  bool filled = true;
  const Tensors tensors = tensors_of(weight_);
  for (std::size_t i = 0; i < copies_.size(); ++i) {
    const model::StoredTensor* tensor = *tensors[i];
    if (tensor == nullptr) continue;
    const PackedPlace place = memory.place(tensor->name, std::string("rows as stored, ") + name_of(tensor->type),
                                           static_cast<std::int64_t>(tensor->bytes()));
    copies_[i] = {*tensor, place.data};
    copies_[i].tensor.data = place.data;
    if (!place.filled) std::memcpy(place.data, tensor->data, tensor->bytes());
    filled = filled && place.filled;
    *tensors[i] = &copies_[i].tensor;
  }
  if (!filled) require_finite(stored);
  stored.release();
}

void Embedding::update(const model::ModelFolder& folder) {
  if (tied_ != nullptr) return;
  const LinearWeights stored = read_embedding(folder);
  require_finite(stored);
  model::LinearWeight weight = stored.parts.front();
  const Tensors tensors = tensors_of(weight);
  for (std::size_t i = 0; i < copies_.size(); ++i) {
    const model::StoredTensor* tensor = *tensors[i];
    const bool same = tensor == nullptr ? copies_[i].data == nullptr
                                        : copies_[i].data != nullptr && tensor->type == copies_[i].tensor.type &&
                                              tensor->shape == copies_[i].tensor.shape;
    if (!same) throw std::invalid_argument(stored.name + ": expected an embedding stored as the one in use");
    if (tensor != nullptr) std::memcpy(copies_[i].data, tensor->data, tensor->bytes());
  }
  stored.release();
}

void Embedding::look_up(std::int64_t token, float* target) const {
  if (tied_ != nullptr) {
    tied_->look_up(token, target);
  } else {
    read_row(weight_, token, target);
  }
  if (factor_ != 1.0f) scale_row(factor_, width_, target);
}

}  // namespace retort::runtime
