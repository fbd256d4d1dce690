// The pair of all numbers of losses over pairs: log π chosen −14.2, rejected −17.9; reference −15.0, −16.5; 8 and 5
// tokens. d = 2.2.
#pragma once

#include "pair_loss.h"

namespace retort::golden {

inline const preference::Sequence chosen{-14.2, -15.0, 8}, rejected{-17.9, -16.5, 5};

}  // namespace retort::golden
