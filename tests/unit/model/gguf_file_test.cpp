// GGUF files: what is written is read again, byte for byte; what is broken is refused by place, expected and found.
#include "model/gguf_file.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <functional>
#include <random>

#include "fixtures.h"
#include "host/base/files.h"
#include "model/gguf_lookup.h"
#include "model/gguf_writer.h"

namespace retort::model {
namespace {

using tests::contains;
using tests::error_of;

GgufMetadata all_types() {
  return {{"a.u8", std::uint8_t{255}},
          {"a.i8", std::int8_t{-128}},
          {"a.u16", std::uint16_t{65535}},
          {"a.i16", std::int16_t{-2}},
          {"a.u32", std::uint32_t{4'000'000'000U}},
          {"a.i32", std::int32_t{-3}},
          {"a.f32", 1e-5F},
          {"a.bool", true},
          {"a.string", std::string("Grüße\0x", 9)},
          {"a.u64", std::uint64_t{1} << 63},
          {"a.i64", std::int64_t{-4}},
          {"a.f64", 0.1},
          {"b.u8", std::vector<std::uint8_t>{1, 2}},
          {"b.i8", std::vector<std::int8_t>{-1}},
          {"b.u16", std::vector<std::uint16_t>{3}},
          {"b.i16", std::vector<std::int16_t>{-3}},
          {"b.u32", std::vector<std::uint32_t>{5}},
          {"b.i32", std::vector<std::int32_t>{-5, 6}},
          {"b.f32", std::vector<float>{0.5F, -0.5F}},
          {"b.bool", std::vector<bool>{true, false, true}},
          {"b.string", std::vector<std::string>{"", "x", "yz"}},
          {"b.u64", std::vector<std::uint64_t>{7}},
          {"b.i64", std::vector<std::int64_t>{-7}},
          {"b.f64", std::vector<double>{0.25}},
          {"b.none", std::vector<std::int32_t>{}}};
}

const std::vector<GgufDeclaration> two_tensors = {{"first", GgmlType::f32, {3, 5}},
                                                  {"second", GgmlType::q8_0, {2, 64}}};

/// Byte i of a tensor is i modulo 251.
void produce(const GgufDeclaration& tensor, ByteSink& sink) {
  for (std::size_t i = 0; i < tensor.bytes(); ++i) {
    const auto byte = static_cast<unsigned char>(i % 251);
    sink.append(&byte, 1);
  }
}

std::span<const std::byte> bytes_of(const std::string& content) {
  return {reinterpret_cast<const std::byte*>(content.data()), content.size()};
}

TEST(GgufFile, ReadsWhatIsWritten) {
  const tests::TemporaryFolder folder;
  write_gguf(folder / "m.gguf", all_types(), two_tensors, produce);
  const GgufFile file(folder / "m.gguf");
  EXPECT_EQ(file.metadata(), all_types());
  ASSERT_EQ(file.tensors().size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const GgufTensor& tensor = file.tensors()[i];
    EXPECT_EQ(tensor.name, two_tensors[i].name);
    EXPECT_EQ(tensor.type, two_tensors[i].type);
    EXPECT_EQ(tensor.shape, two_tensors[i].shape);
    ASSERT_EQ(tensor.bytes, two_tensors[i].bytes());
    for (std::size_t byte = 0; byte < tensor.bytes; ++byte)
      ASSERT_EQ(tensor.data[byte], static_cast<std::byte>(byte % 251));
  }
  file.release(file.tensors()[0].data, file.tensors()[0].bytes);
  EXPECT_EQ(file.tensors()[0].data[3], std::byte{3}) << "released pages come back";
  EXPECT_EQ(file.find("second"), &file.tensors()[1]);
  EXPECT_EQ(file.find("third"), nullptr);
  // From memory it is the same, and the same input gives the same bytes.
  const std::string content = host::read_file(folder / "m.gguf");
  EXPECT_EQ(GgufFile(bytes_of(content), "memory").metadata(), all_types());
  write_gguf(folder / "again.gguf", all_types(), two_tensors, produce);
  EXPECT_EQ(host::read_file(folder / "again.gguf"), content);
}

TEST(GgufFile, EveryTruncationIsRefused) {
  const tests::TemporaryFolder folder;
  write_gguf(folder / "m.gguf", all_types(), two_tensors, produce);
  const std::string content = host::read_file(folder / "m.gguf");
  const std::size_t padding = 24;  // 136 bytes of the last tensor end 24 before a multiple of 32; nobody reads these
  ASSERT_EQ((content.size() - padding) % 32, 8U);
  for (std::size_t size = 0; size < content.size() - padding; ++size) {
    const std::string cut = content.substr(0, size);
    ASSERT_THROW(GgufFile(bytes_of(cut), "cut"), std::invalid_argument) << size;
  }
  host::write_file_atomically(folder / "cut.gguf", content.substr(0, 200));
  EXPECT_TRUE(contains(error_of([&] { GgufFile(folder / "cut.gguf"); }), "cut.gguf': "));
}

TEST(GgufFile, ChangedBytesAreReadOrRefusedButNothingElse) {
  const tests::TemporaryFolder folder;
  write_gguf(folder / "m.gguf", all_types(), two_tensors, produce);
  const std::string content = host::read_file(folder / "m.gguf");
  std::mt19937 random(11);
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string changed = content;
    for (unsigned i = 0; i <= random() % 4; ++i) changed[random() % changed.size()] = static_cast<char>(random());
    try {
      const GgufFile file(bytes_of(changed), "changed");
      for (const GgufTensor& tensor : file.tensors()) {
        const std::vector<std::byte> copy(tensor.data, tensor.data + tensor.bytes);
        ASSERT_LE(tensor.data + copy.size(), bytes_of(changed).data() + changed.size());
      }
    } catch (const std::invalid_argument&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

/// A file built by hand.
class RawFile {
 public:
  RawFile& number32(std::uint32_t value) { return append(&value, sizeof(value)); }
  RawFile& number64(std::uint64_t value) { return append(&value, sizeof(value)); }
  RawFile& text(const std::string& value) {
    number64(value.size());
    return append(value.data(), value.size());
  }
  RawFile& header(std::uint32_t version, std::uint64_t tensors, std::uint64_t keys) {
    return append("GGUF", 4).number32(version).number64(tensors).number64(keys);
  }
  /// One dimension of f32.
  RawFile& tensor(const std::string& name, std::uint64_t size, std::uint64_t offset) {
    return text(name).number32(1).number64(size).number32(0).number64(offset);
  }
  RawFile& zeros(std::size_t count) {
    content_.append(count, '\0');
    return *this;
  }
  std::string refusal() const {
    return error_of([&] { GgufFile(bytes_of(content_), "raw"); });
  }

 private:
  RawFile& append(const void* data, std::size_t bytes) {
    content_.append(static_cast<const char*>(data), bytes);
    return *this;
  }
  std::string content_;
};

TEST(GgufFile, BrokenHeadersAreRefusedByPlace) {
  EXPECT_TRUE(contains(RawFile().text("no").zeros(30).refusal(), "raw: byte 4: expected the letters GGUF"));
  EXPECT_TRUE(contains(RawFile().header(1, 0, 0).zeros(8).refusal(), "expected version 2 or 3"));
  EXPECT_TRUE(contains(RawFile().header(0x03000000U, 0, 0).refusal(), "found a big-endian file"));
  EXPECT_EQ(RawFile().header(2, 0, 0).refusal(), "");
  EXPECT_TRUE(contains(RawFile().header(3, 0, std::uint64_t{1} << 62).zeros(64).refusal(), "as many keys as"));
  EXPECT_TRUE(contains(RawFile().header(3, std::uint64_t{1} << 62, 0).zeros(64).refusal(), "as many tensors as"));
  const auto key = [](std::uint32_t type) { return RawFile().header(3, 0, 1).text("k").number32(type); };
  EXPECT_TRUE(contains(key(13).zeros(16).refusal(), "key \"k\": byte 37: expected a value type from 0 to 12"));
  EXPECT_TRUE(contains(key(7).number32(2).refusal(), "expected 0 or 1 for a bool, found 2"));
  EXPECT_TRUE(contains(key(8).number64(UINT64_MAX).refusal(), "more bytes, found 0 before the end"));
  EXPECT_TRUE(contains(key(9).number32(9).number64(1).zeros(16).refusal(), "no array in an array, found 9"));
  EXPECT_TRUE(contains(key(9).number32(10).number64(std::uint64_t{1} << 61).zeros(16).refusal(),
                       "expected an array that fits in the 16 bytes left"));
  RawFile twice;
  twice.header(3, 0, 2).text("k").number32(4).number32(1).text("k").number32(4).number32(1);
  EXPECT_TRUE(contains(twice.refusal(), "key \"k\": byte 58: expected each key once"));
}

TEST(GgufFile, BrokenTensorsAreRefusedByName) {
  const auto one = [] { return RawFile().header(3, 1, 0); };
  EXPECT_TRUE(contains(one().tensor("t", 8, 4).zeros(128).refusal(),
                       "tensor \"t\": expected an offset that is a multiple of 32"));
  EXPECT_TRUE(contains(one().tensor("t", 64, 0).zeros(32).refusal(), "the file is truncated"));
  EXPECT_TRUE(contains(one().tensor("t", 8, UINT64_MAX - 31).zeros(64).refusal(), "the file is truncated"));
  EXPECT_TRUE(contains(one().tensor("t", 0, 0).zeros(64).refusal(), "expected sizes of at least 1"));
  EXPECT_TRUE(contains(one().tensor("t", std::uint64_t{1} << 60, 0).zeros(64).refusal(), "at most 2^56 elements"));
  EXPECT_TRUE(
      contains(one().tensor(std::string(65, 'n'), 8, 0).zeros(64).refusal(), "expected a name of 1 to 64 bytes"));
  EXPECT_TRUE(contains(one().text("t").number32(5).zeros(64).refusal(), "expected 1 to 4 dimensions, found 5"));
  EXPECT_TRUE(contains(one().text("t").number32(1).number64(8).number32(10).number64(0).zeros(64).refusal(),
                       "Q5_K or Q6_K, found Q2_K"));
  EXPECT_TRUE(contains(one().text("t").number32(1).number64(33).number32(8).number64(0).zeros(64).refusal(),
                       "expected rows of whole blocks of 32 for type Q8_0, found 33 columns"));
  const auto two = [] { return RawFile().header(3, 2, 0); };
  EXPECT_TRUE(contains(two().tensor("t", 8, 0).tensor("t", 8, 32).zeros(64).refusal(), "expected each tensor once"));
  EXPECT_TRUE(contains(two().tensor("s", 16, 0).tensor("t", 8, 32).zeros(128).refusal(),
                       "tensor \"t\": expected no byte shared with another tensor, found that it overlaps \"s\""));
  const auto aligned = [](std::uint32_t value) {
    return RawFile().header(3, 0, 1).text("general.alignment").number32(4).number32(value);
  };
  EXPECT_EQ(aligned(64).refusal(), "");
  for (const std::uint32_t value : {0U, 4U, 33U, 0x80000000U})
    EXPECT_TRUE(contains(aligned(value).refusal(), "power of two from 8")) << value;
}

TEST(GgufFile, AbsentFilesAndFoldersAreTheWorldsFault) {
  const tests::TemporaryFolder folder;
  EXPECT_THROW(GgufFile(folder / "none.gguf"), std::runtime_error);
  EXPECT_THROW(GgufFile(folder.path()), std::runtime_error);
  host::write_file_atomically(folder / "empty.gguf", "");
  EXPECT_TRUE(contains(error_of([&] { GgufFile(folder / "empty.gguf"); }), "expected 4 more bytes, found 0"));
}

TEST(GgufWriter, RefusesWhatTheFormatCannotHold) {
  const tests::TemporaryFolder folder;
  const auto refusal = [&](const std::vector<GgufDeclaration>& tensors, const GgufProducer& producer = produce) {
    return error_of([&] { write_gguf(folder / "m.gguf", {}, tensors, producer); });
  };
  EXPECT_TRUE(contains(refusal({{"t", GgmlType::f32, {2}}, {"t", GgmlType::f32, {2}}}), "expected each name once"));
  EXPECT_TRUE(contains(refusal({{"t", GgmlType::q4_0, {2, 33}}}), "whole blocks of 32 for Q4_0, found 33 columns"));
  EXPECT_TRUE(contains(refusal({{"t", GgmlType::f32, {0}}}), "expected sizes of at least 1, found 0"));
  EXPECT_TRUE(contains(refusal({{std::string(64, 'n'), GgmlType::f32, {1}}}), "a name of 1 to 63 bytes"));
  EXPECT_TRUE(
      contains(refusal({{"t", GgmlType::f32, {2}}}, [](const auto&, ByteSink& sink) { sink.append("1234", 4); }),
               "tensor 't': expected 8 bytes, found 4"));
  EXPECT_TRUE(
      contains(refusal({{"t", GgmlType::f32, {1}}}, [](const auto&, ByteSink& sink) { sink.append("12345", 5); }),
               "expected at most 4 more bytes"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "a refused file leaves nothing behind";
}

TEST(GgufLookup, ValuesHaveTheirTypeAndRange) {
  const GgufMetadata metadata = all_types();
  const GgufLookup keys(metadata, "m.gguf");
  EXPECT_EQ(keys.integer("a.u32", 0, INT64_MAX), 4'000'000'000);
  EXPECT_EQ(keys.integer("a.i8", -128, 0), -128);
  EXPECT_EQ(keys.find_number("a.f32"), 1e-5) << "the shortest decimal, not 9.99999975e-06";
  EXPECT_EQ(keys.find_boolean("a.bool"), true);
  EXPECT_FALSE(keys.find_integer("none", 0, 1));
  EXPECT_TRUE(contains(error_of([&] { keys.integer("none", 0, 9); }),
                       "m.gguf: key 'none': expected a whole number from 0 to 9, found none"));
  EXPECT_TRUE(contains(error_of([&] { keys.integer("a.u64", 0, INT64_MAX); }), "found 9223372036854775808"));
  EXPECT_TRUE(contains(error_of([&] { keys.integer("a.bool", 0, 1); }), "found true"));
  EXPECT_TRUE(contains(error_of([&] { keys.string("b.string"); }), "expected a string, found an array of 3 string"));
  EXPECT_TRUE(contains(error_of([&] { keys.find_number("a.i32"); }), "expected a floating-point number, found -3"));
}

}  // namespace
}  // namespace retort::model
