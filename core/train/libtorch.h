// What the training code uses of LibTorch: tensors, operations, autograd. Much narrower than <torch/torch.h>, whose
// modules, optimisers and data loaders double what every file costs the compiler; a file that needs one of those
// includes it itself. Internal to core/train.
#pragma once

#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>
