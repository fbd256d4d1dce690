// See embedding.h.
#include "runtime/decoder/embedding.h"

#include "runtime/decoder/weights.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {
namespace {

model::StoredTensor copy(const model::StoredTensor& tensor, std::vector<std::byte>& bytes) {
  bytes.assign(tensor.data, tensor.data + tensor.bytes());
  model::StoredTensor view = tensor;
  view.data = bytes.data();
  return view;
}

}  // namespace

Embedding::Embedding(const model::ModelFolder& folder, const Linear& head)
    : factor_(static_cast<float>(folder.config().embedding_factor())), width_(folder.config().hidden_size) {
  if (folder.config().tie_word_embeddings) {
    tied_ = &head;
    return;
  }
  update(folder);
}

void Embedding::update(const model::ModelFolder& folder) {
  if (tied_ != nullptr) return;
  const LinearWeights stored = read_embedding(folder);
  require_finite(stored);
  weight_ = stored.parts.front();
  weight_tensor_ = copy(*weight_.weight, weight_bytes_);
  weight_.weight = &weight_tensor_;
  if (weight_.scale != nullptr) {
    scale_tensor_ = copy(*weight_.scale, scale_bytes_);
    weight_.scale = &scale_tensor_;
  }
  if (weight_.zero_point != nullptr) {
    zero_tensor_ = copy(*weight_.zero_point, zero_bytes_);
    weight_.zero_point = &zero_tensor_;
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
