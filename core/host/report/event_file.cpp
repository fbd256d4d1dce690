#include "host/report/event_file.h"

#include <array>
#include <bit>
#include <cstdio>
#include <ctime>
#include <map>

#include "host/base/files.h"
#include "host/run/metrics_log.h"

namespace retort::host {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table() {
  constexpr std::uint32_t reversed_polynomial = 0x82F63B78U;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1U) ^ ((rest & 1U) != 0 ? reversed_polynomial : 0U);
    table[byte] = rest;
  }
  return table;
}

void put_little_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFFU);
}

/// As TensorFlow's crc32c::Mask: checksums of data that holds checksums.
std::uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xA282EAD8U;
}

void put_record(std::string& out, const std::string& data) {
  std::string length;
  put_little_endian(length, data.size(), 8);
  out += length;
  put_little_endian(out, masked_crc(length), 4);
  out += data;
  put_little_endian(out, masked_crc(data), 4);
}

// Protocol buffers' encoding: a key of field number and wire type, then the value.
enum WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80U; value >>= 7U) out += static_cast<char>((value & 0x7FU) | 0x80U);
  out += static_cast<char>(value);
}

void put_key(std::string& out, std::uint32_t field, WireType type) {
  put_varint(out, (field << 3U) | type);
}

void put_bytes(std::string& out, std::uint32_t field, std::string_view value) {
  put_key(out, field, bytes);
  put_varint(out, value.size());
  out += value;
}

/// Event: wall_time = 1, step = 2, file_version = 3, summary = 5.
std::string event_begin(double wall_time) {
  std::string event;
  put_key(event, 1, fixed64);
  put_little_endian(event, std::bit_cast<std::uint64_t>(wall_time), 8);
  return event;
}

/// Summary: value = 1; Summary.Value: tag = 1, simple_value = 2.
std::string scalar_event(const ScalarEvent& scalar, double wall_time) {
  std::string value, summary, event = event_begin(wall_time);
  put_bytes(value, 1, scalar.tag);
  put_key(value, 2, fixed32);
  put_little_endian(value, std::bit_cast<std::uint32_t>(scalar.value), 4);
  put_bytes(summary, 1, value);
  put_key(event, 2, varint);
  put_varint(event, static_cast<std::uint64_t>(scalar.step));
  put_bytes(event, 5, summary);
  return event;
}

/// "2026-11-30T07:04:26Z" as seconds since 1970; 0 for what is no such time.
double seconds_of(const std::string& utc) {
  std::tm time{};
  if (std::sscanf(utc.c_str(), "%d-%d-%dT%d:%d:%d", &time.tm_year, &time.tm_mon, &time.tm_mday, &time.tm_hour,
                  &time.tm_min, &time.tm_sec) != 6)
    return 0;
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return static_cast<double>(::timegm(&time));
}

}  // namespace

std::uint32_t crc32c(std::string_view data) {
  static constexpr std::array<std::uint32_t, 256> table = crc_table();
  std::uint32_t rest = 0xFFFFFFFFU;
  for (const char c : data) rest = (rest >> 8U) ^ table[(rest ^ static_cast<unsigned char>(c)) & 0xFFU];
  return ~rest;
}

std::string event_file(const std::vector<ScalarEvent>& events, double wall_time) {
  std::string out, version = event_begin(wall_time);
  put_bytes(version, 3, "brain.Event:2");
  put_record(out, version);
  for (const ScalarEvent& event : events) put_record(out, scalar_event(event, wall_time));
  return out;
}

void write_event_files(const RunFolder& folder) {
  std::map<std::string, std::vector<ScalarEvent>> stages;
  for (const Json& metric : read_metrics(folder.metrics())) {
    if (!metric["value"].is_number() || metric["step"].get<std::int64_t>() < 0) continue;
    stages[metric["stage"]].push_back({metric["name"], metric["step"], metric["value"].get<float>()});
  }
  const std::filesystem::path root = folder.path() / "tensorboard";
  std::filesystem::remove_all(root);
  const double begin = seconds_of(read_json(folder.record()).value("started", ""));
  for (const auto& [stage, events] : stages) {
    std::filesystem::create_directories(root / stage);
    write_file_atomically(root / stage / "events.out.tfevents.0.retort", event_file(events, begin));
  }
}

}  // namespace retort::host
