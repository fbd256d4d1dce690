// A run's metrics as TensorBoard event files: tensorboard/STAGE/events.out.tfevents.0.retort in the run directory, so
// that `tensorboard --logdir RUN/tensorboard` plots them. A file is TFRecords (length, its masked CRC-32C, data, its
// masked CRC-32C), each an Event of TensorFlow's event.proto: first the file's version, then one scalar an event.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/run/run_folder.h"

namespace retort::host {

struct ScalarEvent {
  std::string tag;
  std::int64_t step = 0;
  float value = 0;
};

/// The bytes of an event file. `wall_time`: seconds since 1970 of every event.
std::string event_file(const std::vector<ScalarEvent>& events, double wall_time);

/// CRC-32C (Castagnoli, RFC 3720, appendix B.4).
std::uint32_t crc32c(std::string_view bytes);

/// One file for every stage that has metrics with steps, in the place of those that are there. The wall time is the
/// begin of the run: metrics have steps, not times. Throws std::runtime_error naming the file.
void write_event_files(const RunFolder& folder);

}  // namespace retort::host
