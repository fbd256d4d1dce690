// Event files read back by a parser of its own: bit-by-bit checksums, fields by their protocol numbers.
#include "host/report/event_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>

namespace retort::host {
namespace {

namespace fs = std::filesystem;

/// CRC-32C one bit at a time, as the polynomial 1EDC6F41 says.
std::uint32_t slow_crc(const std::string& bytes) {
  std::uint32_t rest = 0xFFFFFFFFU;
  for (const char c : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      const std::uint32_t in = (static_cast<unsigned char>(c) >> bit) & 1U;
      const bool carry = ((rest ^ in) & 1U) != 0;
      rest >>= 1U;
      if (carry) rest ^= 0x82F63B78U;
    }
  return ~rest;
}

class Reader {
 public:
  explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}
  bool end() const { return at_ == bytes_.size(); }
  std::string take(std::size_t count) {
    if (count > bytes_.size() - at_) throw std::runtime_error("cut short");
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  template <typename Number>
  Number number() {
    Number value;
    const std::string raw = take(sizeof value);
    std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

struct Event {
  double wall_time = -1;
  std::int64_t step = -1;
  std::string version, tag;
  std::optional<float> value;
};

void read_value(Reader value, Event& event) {
  while (!value.end()) {
    const std::uint64_t key = value.varint();
    if (key == (1U << 3U | 2U))
      event.tag = value.take(value.varint());
    else if (key == (2U << 3U | 5U))
      event.value = value.number<float>();
    else
      throw std::runtime_error("an unknown field of a value");
  }
}

Event read_event(Reader data) {
  Event event;
  while (!data.end()) {
    const std::uint64_t key = data.varint();
    if (key == (1U << 3U | 1U)) {
      event.wall_time = data.number<double>();
    } else if (key == (2U << 3U)) {
      event.step = static_cast<std::int64_t>(data.varint());
    } else if (key == (3U << 3U | 2U)) {
      event.version = data.take(data.varint());
    } else if (key == (5U << 3U | 2U)) {
      Reader summary(data.take(data.varint()));
      while (!summary.end()) {
        if (summary.varint() != (1U << 3U | 2U)) throw std::runtime_error("an unknown field of a summary");
        read_value(Reader(summary.take(summary.varint())), event);
      }
    } else {
      throw std::runtime_error("an unknown field of an event");
    }
  }
  return event;
}

std::uint32_t masked(const std::string& bytes) {
  const std::uint32_t crc = slow_crc(bytes);
  return ((crc >> 15U) | (crc << 17U)) + 0xA282EAD8U;
}

std::vector<Event> read_events(const std::string& file) {
  std::vector<Event> events;
  Reader reader(file);
  while (!reader.end()) {
    const std::string length = reader.take(8);
    EXPECT_EQ(reader.number<std::uint32_t>(), masked(length));
    std::uint64_t size = 0;
    std::memcpy(&size, length.data(), 8);
    const std::string data = reader.take(size);
    EXPECT_EQ(reader.number<std::uint32_t>(), masked(data));
    events.push_back(read_event(Reader(data)));
  }
  return events;
}

std::string content(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

TEST(EventFile, ChecksumsAreThoseOfTheStandard) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);              // the check value of CRC-32C
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);    // RFC 3720, appendix B.4
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);  // likewise
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(slow_crc("123456789"), 0xE3069283U);
}

TEST(EventFile, HoldsEveryScalarInOrder) {
  const std::vector<Event> events = read_events(
      event_file({{"loss", 0, 3.5F}, {"loss", 300, -1e-3F}, {std::string(200, 'x'), 1LL << 40, 0.0F}}, 1234.5));
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_FALSE(events[0].value);
  EXPECT_EQ(events[1].tag, "loss");
  EXPECT_EQ(events[1].step, 0);
  EXPECT_EQ(events[1].value, 3.5F);
  EXPECT_EQ(events[1].wall_time, 1234.5);
  EXPECT_EQ(events[2].step, 300);
  EXPECT_EQ(events[2].value, -1e-3F);
  EXPECT_EQ(events[3].tag, std::string(200, 'x'));
  EXPECT_EQ(events[3].step, 1LL << 40);
}

TEST(EventFile, ARunHasOneForEveryStageWithMetrics) {
  const fs::path root = fs::path(::testing::TempDir()) / "event_file_run";
  fs::remove_all(root);
  fs::create_directories(root / "tensorboard" / "older");
  std::ofstream(root / "run.json") << R"({"started": "2026-11-30T07:04:26Z"})";
  std::ofstream(root / "metrics.jsonl") << R"({"stage":"teacher","name":"loss","step":0,"value":2.5})" << "\n"
                                        << R"({"stage":"teacher","name":"loss","step":1,"value":null})" << "\n"
                                        << R"({"stage":"teacher","name":"examples","step":-1,"value":9})" << "\n"
                                        << R"({"stage":"student","name":"kl","step":7,"value":0.125})" << "\n";
  write_event_files(RunFolder(root));
  const auto events = [&](const char* stage) {
    return read_events(content(root / "tensorboard" / stage / "events.out.tfevents.0.retort"));
  };
  ASSERT_EQ(events("teacher").size(), 2u);
  EXPECT_EQ(events("teacher")[1].value, 2.5F);
  EXPECT_EQ(events("teacher")[1].wall_time, 1796022266.0);  // date -d 2026-11-30T07:04:26Z +%s
  ASSERT_EQ(events("student").size(), 2u);
  EXPECT_EQ(events("student")[1].tag, "kl");
  EXPECT_EQ(events("student")[1].step, 7);
  EXPECT_FALSE(fs::exists(root / "tensorboard" / "older"));
}

}  // namespace retort::host
