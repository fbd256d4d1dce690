// What every training stage lets the user set. No LibTorch.
#pragma once

#include <cstdint>
#include <string>

namespace retort::train {

struct TrainingOptions {
  // What changes the result.
  std::string optimizer = "adamw";   ///< or "muon", "adafactor" (optimizer.h)
  double learning_rate = 1e-3;       ///< peak of the schedule
  double weight_decay = 0.01;        ///< decoupled, on matrices only; 0 = off
  std::string schedule = "cosine";   ///< or "wsd", "constant" (learning_rate.h)
  double warmup_fraction = 0.05;     ///< share of the steps; 0 = off
  double decay_fraction = 0.2;       ///< of wsd: share of the steps that fall
  double final_fraction = 0.05;      ///< of the peak, at the last step
  double gradient_clip = 1.0;        ///< global L2 norm; 0 = off
  double average_decay = 0;          ///< exponential moving average of the weights; 0 = off
  double dropout = 0;                ///< of fine-tuning and distillation, on embedding and residual branches; 0 = off
  std::int64_t batch_size = 32;      ///< sequences a step
  double epochs = 1;                 ///< passes over the data
  std::int64_t steps = 0;            ///< optimiser steps; 0 = as many as `epochs` asks for
  double max_rejected_share = 0.01;  ///< of the data set's rows that may be unusable; they are left out and counted
  // What changes speed and memory only (precision changes rounding).
  std::int64_t micro_batch_size = 0;    ///< sequences a forward pass; 0 = the whole batch
  bool packing = false;                 ///< of fine-tuning: sequences follow one another without padding
  bool recompute = false;               ///< activations in the backward pass instead of keeping them (recomputation.h)
  std::int64_t checkpoint_steps = 200;  ///< steps between checkpoints: what a killed run loses at most
  std::string precision = "f32";        ///< "f32", "bf16" (autocast), or "auto" (MixedPrecision, compared_precision)
  std::string device = "cpu";           ///< "cpu", "cuda" or "cuda:N" (training_device.h)
};

}  // namespace retort::train
