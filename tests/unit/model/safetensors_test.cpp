// The reader's verdicts against the reference implementation's, and the writer against the reader.
#include "model/safetensors.h"

#include <cstring>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"

namespace retort::model {
namespace {

using tests::contains;
using tests::error_of;
using tests::TemporaryFolder;

std::string bytes_of_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

std::string error_of_file(const std::string& bytes) {
  const TemporaryFolder folder;
  host::write_file_atomically(folder / "x.safetensors", bytes);
  return error_of([&] { SafetensorsFile file(folder / "x.safetensors"); });
}

TEST(Safetensors, GivesTheReferenceVerdicts) {
  const auto path = tests::shared_data("safetensors-cases/cases.json");
  RETORT_NEEDS(path);
  const std::map<std::string, std::string> reason = {{"MetadataIncompleteBuffer", "does not end where the header says"},
                                                     {"HeaderTooLarge", "header too large"},
                                                     {"HeaderTooSmall", "header too small"},
                                                     {"InvalidHeaderLength", "invalid header length"},
                                                     {"InvalidHeader", "not UTF-8 JSON"},
                                                     {"InvalidHeaderDeserialization", "not UTF-8 JSON"},
                                                     {"TensorInvalidInfo", "type and shape do not fit"},
                                                     {"ValidationOverflow", "fits in 63 bits"},
                                                     {"InvalidOffset", "invalid data_offsets"}};
  const auto cases = host::read_json(path);
  EXPECT_GE(cases.size(), 17U);
  for (const auto& item : cases) {
    const std::string expected = item.at("expected");
    const std::string error = error_of_file(bytes_of_hex(item.at("hex")));
    SCOPED_TRACE(item.at("test").get<std::string>() + ", expected " + expected + ", found: " + error);
    if (expected == "ok")
      EXPECT_EQ(error, "");
    else
      EXPECT_TRUE(contains(error, reason.at(expected)) && contains(error, "x.safetensors"));
  }
}

TEST(Safetensors, RefusesBrokenHeadersByName) {
  const auto entry = [](const std::string& type, const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const std::string four(4, '\0');
  EXPECT_EQ(error_of_file(file_of(entry("F32", "[1]", "[0,4]"), four)), "");
  const std::pair<std::string, std::string> cases[] = {
      {entry("F31", "[1]", "[0,4]"), "/a/dtype: expected a supported type"},
      {entry("F32", "[-1]", "[0,4]"), "/a/shape/0"},
      {entry("F32", "[1.0]", "[0,4]"), "/a/shape/0"},
      {entry("F32", "[1]", "[0]"), "two offsets"},
      {entry("F32", "[1]", "[4,8]"), "expected to begin at 0"},
      {entry("F32", "[1]", "[4,0]"), "invalid data_offsets"},
      {entry("F32", "[1]", "[0,18446744073709551615]"), "do not fit data_offsets"},
      {R"({"a":{"shape":[1],"data_offsets":[0,4]}})", "the key \"dtype\""},
      {R"({"a":1})", "/a: expected an object"},
      {R"([1])", "expected an object"},
      {R"({"__metadata__":{"a":1}})", "/__metadata__/a: expected a string"},
      {R"({"a":[[[[[[[[1]]]]]]]]})", "nested deeper"},
      {entry("F32", "[1]", "[0,4]").substr(1), "not UTF-8 JSON"},
  };
  for (const auto& [header, part] : cases) {
    const std::string error = error_of_file(file_of(header, four));
    EXPECT_TRUE(contains(error, part)) << header << ": " << error;
  }
}

TEST(Safetensors, RefusesOverlapsAndHolesByTensor) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}";
  };
  const std::string data(8, '\0');
  EXPECT_EQ(error_of_file(file_of(two("[0,4]", "[4,8]"), data)), "");
  EXPECT_EQ(error_of_file(file_of(two("[4,8]", "[0,4]"), data)), "");  // in any order
  const std::tuple<std::string, std::string, std::string> cases[] = {
      {"[0,4]", "[2,6]", "'b': invalid data_offsets: expected to begin at 4"},
      {"[0,4]", "[0,4]", "'b': invalid data_offsets: expected to begin at 4"},
      {"[0,4]", "[5,9]", "'b': invalid data_offsets: expected to begin at 4"},
      {"[1,5]", "[5,9]", "'a': invalid data_offsets: expected to begin at 0"},
      {"[0,8]", "[8,12]", "'a': type and shape do not fit data_offsets: expected 4 bytes"},
      {"[0,4]", "[4,8]", ""}};
  for (const auto& [a, b, part] : cases) {
    const std::string error = error_of_file(file_of(two(a, b), data));
    EXPECT_TRUE(contains(error, part)) << a << " " << b << ": " << error;
    EXPECT_EQ(error.empty(), part.empty());
  }
  EXPECT_TRUE(contains(error_of_file(file_of(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                                             R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                                             "")),
                       "stands twice"));
}

TEST(Safetensors, RefusesAHeaderLongerThanTheLimitBeforeReadingIt) {
  const TemporaryFolder folder;
  const std::uint64_t length = 100'000'001;
  host::write_file_atomically(folder / "x", std::string(reinterpret_cast<const char*>(&length), 8));
  std::filesystem::resize_file(folder / "x", 8 + length);  // sparse: the header is there, all zero bytes
  EXPECT_TRUE(contains(error_of([&] { SafetensorsFile file(folder / "x"); }),
                       "header too large: expected at most 100000000 bytes, found 100000001"));
}

TEST(Safetensors, ReadsFromMemoryAsFromAFile) {
  const std::string good = file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "xy");
  const auto bytes = [](const std::string& text) {
    return std::span<const std::byte>(reinterpret_cast<const std::byte*>(text.data()), text.size());
  };
  const SafetensorsFile file(bytes(good), "memory");
  EXPECT_EQ(std::memcmp(file.find("a")->data, "xy", 2), 0);
  EXPECT_EQ(error_of([&] { SafetensorsFile(bytes(good.substr(0, 5)), "memory"); }),
            "memory: header too small: expected at least 8 bytes, found 5");
  EXPECT_TRUE(contains(error_of([&] { SafetensorsFile({}, "memory"); }), "header too small"));
}

TEST(Safetensors, RefusesWhatIsNotAFile) {
  const TemporaryFolder folder;
  EXPECT_TRUE(contains(error_of([&] { SafetensorsFile file(folder / "none"); }), "No such file"));
  EXPECT_TRUE(contains(error_of([&] { SafetensorsFile file(folder.path()); }), "expected a regular file"));
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3};
  write_safetensors(folder / "whole", {{"a", DataType::f32, {3}, reinterpret_cast<const std::byte*>(values.data())}});
  const std::string whole = host::read_file(folder / "whole");
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(error_of_file(whole.substr(0, length)), "") << length << " of " << whole.size() << " bytes";
}

TEST(Safetensors, ReadsMisalignedTensors) {
  const std::string header =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  const float value = 2.5F;
  std::string data(5, '\7');
  std::memcpy(data.data() + 1, &value, 4);
  const TemporaryFolder folder;
  host::write_file_atomically(folder / "x", file_of(header, data));
  const SafetensorsFile file(folder / "x");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file.find("b")->data) % 4, 0U);
  EXPECT_EQ(to_f32(*file.find("b")), std::vector<float>{2.5F});
}

TEST(Safetensors, RoundTripsAndIsDeterministic) {
  const TemporaryFolder folder;
  const std::vector<float> floats = {1.5F, -2.0F, 0.0F, 4.0F};
  const std::vector<std::int8_t> codes = {1, -2, 3};
  const std::vector<StoredTensor> tensors = {
      {"z", DataType::i8, {3, 1}, reinterpret_cast<const std::byte*>(codes.data())},
      {"ä \"quoted\"", DataType::f32, {2, 2}, reinterpret_cast<const std::byte*>(floats.data())},
      {"empty", DataType::f32, {0, 7}, nullptr},
      {"scalar", DataType::f32, {}, reinterpret_cast<const std::byte*>(floats.data())}};
  write_safetensors(folder / "one", tensors, {{"format", "pt"}});
  write_safetensors(folder / "two", {tensors.rbegin(), tensors.rend()}, {{"format", "pt"}});
  EXPECT_EQ(host::read_file(folder / "one"), host::read_file(folder / "two"));
  const SafetensorsFile file(folder / "one");
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  ASSERT_EQ(file.tensors().size(), 4U);
  for (const StoredTensor& tensor : tensors) {
    const StoredTensor* found = file.find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->shape, tensor.shape);
    EXPECT_EQ(found->type, tensor.type);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(found->data) % size_of(found->type), 0U);
    EXPECT_TRUE(tensor.bytes() == 0 || std::memcmp(found->data, tensor.data, tensor.bytes()) == 0);
  }
  EXPECT_EQ(file.find("absent"), nullptr);
}

TEST(Safetensors, AFailedWriteLeavesWhatWasThere) {
  const TemporaryFolder folder;
  host::write_file_atomically(folder / "x", "old");
  const float value = 1;
  const StoredTensor tensor{"a", DataType::f32, {1}, reinterpret_cast<const std::byte*>(&value)};
  EXPECT_TRUE(contains(error_of([&] { write_safetensors(folder / "x", {tensor, tensor}); }), "twice"));
  EXPECT_TRUE(
      contains(error_of([&] { write_safetensors(folder / "x", {{"a", DataType::f32, {1}, nullptr}}); }), "null"));
  EXPECT_TRUE(
      contains(error_of([&] { write_safetensors(folder / "x", {{"a", DataType::f32, {-1}, tensor.data}}); }), "-1"));
  EXPECT_EQ(host::read_file(folder / "x"), "old");
  EXPECT_TRUE(contains(error_of([&] { write_safetensors(folder / "none" / "x", {tensor}); }), "No such file"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace retort::model
