// How a student that learns computes, and how it is written: what a distillation does not know of quantisation-aware
// training (quantization_aware.h). Internal to core/train.
#pragma once

#include <filesystem>
#include <vector>

#include "train/model_weights.h"
#include "train/parameter_groups.h"

namespace retort::train {

class StudentForm {
 public:
  StudentForm() = default;
  virtual ~StudentForm() = default;
  StudentForm(const StudentForm&) = delete;
  StudentForm& operator=(const StudentForm&) = delete;
  /// Before the first step. What else is learnt, beside the decoder's weights.
  virtual std::vector<ParameterGroup> prepare(DecoderModule& student) = 0;
  /// The model folder, with tokenizer and task.
  virtual void save(const std::filesystem::path& folder, const CallModule& student) = 0;
};

}  // namespace retort::train
