// Input channels that must have one smoothing factor, because one row of what produces them takes it up.
#pragma once

#include <cstdint>

namespace retort::quantize {

/// c, c + group_size, … of each `members` neighbouring blocks of group_size channels (query heads of one kv head)
/// share. {0, 1}: none.
struct SharedChannels {
  std::int64_t group_size = 0, members = 1;
  /// The first channel that shares with `channel`.
  std::int64_t leader(std::int64_t channel) const {
    if (group_size == 0) return channel;
    return channel / (group_size * members) * (group_size * members) + channel % group_size;
  }
};

}  // namespace retort::quantize
