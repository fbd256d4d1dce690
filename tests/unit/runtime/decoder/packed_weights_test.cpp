// A packed model gives the bits that its folder gives, whatever form its weights have, and a packed file that does not
// fit is passed over: never a crash, never other logits.
#include "runtime/decoder/packed_weights.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>

#include "host/base/files.h"
#include "random_model.h"
#include "runtime/decoder/decoder.h"
#include "runtime/measure/synthetic_model.h"

namespace retort::runtime {
namespace {

using Path = std::filesystem::path;
using testing::TemporaryFolder;

std::vector<float> logits_of(const Path& folder, WeightSource weights = WeightSource::packed,
                             std::int64_t threads = 1) {
  const model::ModelFolder model(folder);
  Decoder decoder(model, {.threads = threads, .weights = weights});
  std::vector<TokenId> tokens;
  for (int i = 0; i < 40; ++i) tokens.push_back((i * 37 + 5) % static_cast<int>(model.config().vocabulary_size));
  std::vector<float> logits = decoder.forward_all(std::span(tokens).first(33));
  for (std::size_t i = 33; i < tokens.size(); ++i) {
    const std::span<const float> one = decoder.forward(std::span(tokens).subspan(i, 1));
    logits.insert(logits.end(), one.begin(), one.end());
  }
  return logits;
}

/// How many of the decoder's weights lie in the packed file, of how many.
std::pair<std::size_t, std::size_t> mapped_weights(const Path& folder) {
  const model::ModelFolder model(folder);
  const std::shared_ptr<const model::PackedFile> file = open_packed_weights(model);
  const Decoder decoder(model, {});
  std::size_t mapped = 0;
  for (const model::PackedSection& section : decoder.packed_sections())
    mapped += file != nullptr && file->find(section.name, section.layout).size() == section.bytes.size() ? 1 : 0;
  return {mapped, decoder.packed_sections().size()};
}

bool fits(const Path& folder) {
  return open_packed_weights(model::ModelFolder(folder)) != nullptr;
}

void pack(const Path& folder) {
  write_packed_weights(model::ModelFolder(folder), 1);
}

struct Form {
  const char* name;
  std::function<void(const Path&)> write;
};

void PrintTo(const Form& form, std::ostream* out) {
  *out << form.name;
}

std::function<void(const Path&)> stored(testing::Storage storage, bool tied) {
  return [=](const Path& folder) {
    const model::ModelConfig config = testing::grouped_config("qwen2", tied);
    testing::write_model(folder, config, testing::random_weights(config, 5), storage);
  };
}

std::function<void(const Path&)> awkward(const char* family, testing::Storage storage) {
  return [=](const Path& folder) {
    const model::ModelConfig config = testing::awkward_config(family);
    testing::write_model(folder, config, testing::random_weights(config, 6), storage);
  };
}

std::function<void(const Path&)> synthetic(SyntheticWeights weights, bool tied) {
  return [=](const Path& folder) { write_synthetic_model(folder, testing::grouped_config("qwen2", tied), weights, 7); };
}

class PackedForms : public ::testing::TestWithParam<Form> {};

TEST_P(PackedForms, GiveTheBitsOfTheFolder) {
  const TemporaryFolder folder;
  GetParam().write(folder.path());
  const std::vector<float> expected = logits_of(folder.path(), WeightSource::folder);
  EXPECT_EQ(mapped_weights(folder.path()).first, 0U);
  pack(folder.path());
  const auto [mapped, all] = mapped_weights(folder.path());
  EXPECT_EQ(mapped, all);
  EXPECT_EQ(logits_of(folder.path()), expected);
  EXPECT_EQ(logits_of(folder.path(), WeightSource::packed, 2), logits_of(folder.path(), WeightSource::folder, 2));
  // The packed weights are used, not only there: other ones give other logits.
  const Path file = packed_weights_path(folder.path());
  std::string bytes = host::read_file(file);
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2), bytes.end(), '\1');
  host::write_file_atomically(file, bytes);
  EXPECT_NE(logits_of(folder.path()), expected);
  const std::vector<std::string> damaged = damaged_packed_files(model::ModelFolder(folder.path()));
  ASSERT_EQ(damaged.size(), 1U);
  EXPECT_NE(damaged[0].find("section 'model.layers."), std::string::npos) << damaged[0];
}

INSTANTIATE_TEST_SUITE_P(All, PackedForms,
                         ::testing::Values(Form{"F32", stored(testing::Storage::f32, true)},
                                           Form{"F32Untied", awkward("llama3", testing::Storage::f32)},
                                           Form{"Bf16", synthetic(SyntheticWeights::bf16, true)},
                                           Form{"Bf16Untied", synthetic(SyntheticWeights::bf16, false)},
                                           Form{"Int8", stored(testing::Storage::int8, true)},
                                           Form{"Int8Awkward", awkward("gemma3", testing::Storage::int8)},
                                           Form{"W8A16Untied", synthetic(SyntheticWeights::w8a16, false)},
                                           Form{"Int4", synthetic(SyntheticWeights::int4, true)},
                                           Form{"Int4Untied", synthetic(SyntheticWeights::int4_pure, false)},
                                           Form{"Int4Symmetric", stored(testing::Storage::int4_pure, true)},
                                           Form{"Int4Asymmetric", stored(testing::Storage::int4_asymmetric, true)},
                                           Form{"Int4AsymmetricUntied",
                                                stored(testing::Storage::int4_asymmetric, false)},
                                           Form{"Mixed", stored(testing::Storage::mixed, false)}),
                         [](const ::testing::TestParamInfo<Form>& form) { return form.param.name; });

/// A packed int4 model, its logits and the bytes of its packed file.
class PackedWeightsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_synthetic_model(folder(), testing::grouped_config("qwen2", false), SyntheticWeights::int4, 7);
    expected_ = logits_of(folder(), WeightSource::folder);
    pack(folder());
    bytes_ = host::read_file(file());
  }
  const Path& folder() const { return folder_.path(); }
  Path file() const { return packed_weights_path(folder()); }
  void write(std::string_view bytes) const { host::write_file_atomically(file(), bytes); }

  TemporaryFolder folder_;
  std::vector<float> expected_;
  std::string bytes_;
};

TEST_F(PackedWeightsTest, ACutFileIsPassedOver) {
  ASSERT_TRUE(fits(folder()));
  std::vector<std::size_t> ends{
      0, 1, 7, 8, 12, 16, 47, 48, 49, 4095, 4096, 4097, bytes_.size() - 64, bytes_.size() - 1};
  const model::PackedFile packed(file(), "weights 1 " + instruction_set_name(), {"model.safetensors"});
  const model::ModelFolder model(folder());
  {
    const Decoder decoder(model, {});
    const std::byte* first = nullptr;
    for (const model::PackedSection& section : decoder.packed_sections())
      if (first == nullptr || section.bytes.data() < first) first = section.bytes.data();
    for (const model::PackedSection& section : decoder.packed_sections())  // the end of each, from the data's begin
      ends.push_back(std::min(bytes_.size() - 1, static_cast<std::size_t>(section.bytes.data() - first) + 4096));
  }
  for (const std::size_t end : ends) {
    write(std::string_view(bytes_).substr(0, end));
    EXPECT_FALSE(fits(folder())) << end;
  }
  EXPECT_EQ(logits_of(folder()), expected_);
  write(bytes_ + std::string(64, '\0'));
  EXPECT_FALSE(fits(folder()));
}

TEST_F(PackedWeightsTest, AFlippedBitBeforeTheSectionsIsFoundOrMeansNothing) {
  std::uint32_t length = 0;
  std::memcpy(&length, bytes_.data() + 12, 4);
  const std::size_t described = 48 + length;
  ASSERT_LT(described, bytes_.size());
  for (std::size_t place = 0; place < described; place += place < 64 ? 1 : 37) {
    std::string flipped = bytes_;
    flipped[place] = static_cast<char>(flipped[place] ^ (1 << (place % 8)));
    write(flipped);
    EXPECT_FALSE(fits(folder())) << "byte " << place;
  }
  std::string padding = bytes_;  // between the description and the sections nothing is read
  padding[described] = 'x';
  write(padding);
  EXPECT_EQ(logits_of(folder()), expected_);
}

TEST_F(PackedWeightsTest, OtherWeightsAreNotAnsweredForByOldOnes) {
  // Of the same size, within the same second; then with the old time, as a careless copy leaves it.
  const Path weights = folder() / "model.safetensors";
  const auto time = std::filesystem::last_write_time(weights);
  write_synthetic_model(folder(), testing::grouped_config("qwen2", false), SyntheticWeights::int4, 8);
  EXPECT_FALSE(fits(folder()));
  std::filesystem::last_write_time(weights, time);
  EXPECT_FALSE(fits(folder()));
  const std::vector<float> other = logits_of(folder());
  EXPECT_NE(other, expected_);
  EXPECT_EQ(other, logits_of(folder(), WeightSource::folder));
  pack(folder());
  EXPECT_TRUE(fits(folder()));
  EXPECT_EQ(logits_of(folder()), other);
}

TEST_F(PackedWeightsTest, TheSameWeightsOfAnotherTimeFit) {
  const Path weights = folder() / "model.safetensors";
  std::filesystem::last_write_time(weights, std::filesystem::last_write_time(weights) + std::chrono::hours(5));
  EXPECT_TRUE(fits(folder()));
  std::string changed = host::read_file(weights);
  changed.back() = static_cast<char>(changed.back() ^ 1);
  host::write_file_atomically(weights, changed);
  EXPECT_FALSE(fits(folder()));
}

TEST_F(PackedWeightsTest, AnotherFormIsPassedOver) {
  const model::FileStamp stamp = model::stamp_of(folder() / "model.safetensors");
  const model::ModelFolder model(folder());
  const Decoder decoder(model, {.weights = WeightSource::folder});
  for (const std::string& form :
       {"weights 0 " + instruction_set_name(), std::string("weights 1 avx1024"), std::string()}) {
    model::write_packed_file(file(), form, {stamp}, decoder.packed_sections());
    EXPECT_FALSE(fits(folder())) << form;
  }
  model::write_packed_file(file(), "weights 1 " + instruction_set_name(), {}, decoder.packed_sections());
  EXPECT_FALSE(fits(folder()));
  // Sections that are missing, or laid out otherwise, are packed anew, each by itself.
  std::vector<model::PackedSection> sections = decoder.packed_sections();
  sections[1].layout += ", turned round";
  sections.pop_back();
  sections[2].bytes = sections[2].bytes.first(64);
  model::write_packed_file(file(), "weights 1 " + instruction_set_name(), {stamp}, sections);
  EXPECT_TRUE(fits(folder()));
  EXPECT_EQ(mapped_weights(folder()), std::pair(sections.size() - 2, sections.size() + 1));
  EXPECT_EQ(logits_of(folder()), expected_);
}

TEST_F(PackedWeightsTest, WhatIsNoFileIsPassedOver) {
  std::filesystem::remove(file());
  std::filesystem::create_directory(file());
  EXPECT_FALSE(fits(folder()));
  EXPECT_EQ(logits_of(folder()), expected_);
  std::filesystem::remove(file());
  EXPECT_FALSE(fits(folder()));
  EXPECT_TRUE(damaged_packed_files(model::ModelFolder(folder())).empty());
}

TEST_F(PackedWeightsTest, NewWeightsLeaveTheFileAsItIs) {
  const model::ModelConfig config = testing::grouped_config("qwen2", false);
  const TemporaryFolder first, second;
  write_synthetic_model(first.path(), config, SyntheticWeights::bf16, 1);
  write_synthetic_model(second.path(), config, SyntheticWeights::bf16, 2);
  pack(first.path());
  const std::string before = host::read_file(packed_weights_path(first.path()));
  const model::ModelFolder one(first.path()), other(second.path());
  Decoder decoder(one, {});
  decoder.update_weights(other);
  const std::vector<TokenId> tokens{1, 2, 3, 4};
  Decoder expected(other, {});
  EXPECT_EQ(decoder.forward_all(tokens), expected.forward_all(tokens));
  EXPECT_EQ(host::read_file(packed_weights_path(first.path())), before);
}

TEST(PackedWeights, OneModelHasTheseBytes) {
  // If this fails because weights are laid out otherwise than before under the same layout's name, raise
  // kPackingVersion (packed_weights.cpp), and then the hashes: files of older programs must not be taken for new ones.
  const TemporaryFolder folder;
  write_synthetic_model(folder.path(), testing::grouped_config("qwen2", true), SyntheticWeights::int4, 3);
  const model::ModelFolder model(folder.path());
  const Decoder decoder(model, {.weights = WeightSource::folder});
  const std::map<std::string, std::string> known{
      {"int4 panels, groups of 64, scales bf16", "a1b271a2e2ce5ab555965bfb01facc41e99a24712e0e415cdcc61b19fd9ead0a"},
      {"int8 panels, 48 words", "67597bcf1f370e1f9e910d473f149f3037544428ac83657793d9ed481e16e6ec"}};
  std::map<std::string, std::string> found;
  for (const model::PackedSection& section : decoder.packed_sections())
    found.emplace(section.layout,
                  host::sha256({reinterpret_cast<const char*>(section.bytes.data()), section.bytes.size()}));
  for (const auto& [layout, hash] : known) {
    ASSERT_TRUE(found.contains(layout)) << layout;
    EXPECT_EQ(found.at(layout), hash) << layout;
  }
}

/// A number of /proc/self/smaps' kB of the mapping of `file`.
std::int64_t kilobytes(const Path& file, const std::string& key) {
  std::ifstream maps("/proc/self/smaps");
  std::int64_t sum = 0;
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < 20 && line.find(' ') < 40 && line.find(':') > 20)
      inside = line.ends_with(file.filename().string());
    if (!inside || !line.starts_with(key + ":")) continue;
    std::istringstream rest(line.substr(key.size() + 1));
    std::int64_t count = 0;
    rest >> count;
    sum += count;
  }
  return sum;
}

/// Whether at least half of `file` is resident here, none of it this process's own, and this process's part of it such
/// as `processes` leave.
bool is_shared(const Path& file, int processes) {
  const std::int64_t resident = kilobytes(file, "Rss"), part = kilobytes(file, "Pss");
  const std::int64_t own = kilobytes(file, "Private_Clean") + kilobytes(file, "Private_Dirty");
  return resident * 1024 > static_cast<std::int64_t>(std::filesystem::file_size(file)) / 2 && own == 0 &&
         part * (processes - 1) <= resident;
}

/// Lets processes wait for one another.
class Gate {
 public:
  Gate() { EXPECT_EQ(::pipe(ends_), 0); }
  ~Gate() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  void send(char byte, int times = 1) const {
    for (int i = 0; i < times; ++i)
      if (::write(ends_[1], &byte, 1) != 1) ::_exit(2);
  }
  char receive() const {
    char byte = 0;
    return ::read(ends_[0], &byte, 1) == 1 ? byte : '\0';
  }

 private:
  int ends_[2] = {-1, -1};
};

TEST(PackedWeights, ProcessesShareOneCopy) {
  if (!std::filesystem::exists("/proc/self/smaps")) GTEST_SKIP() << "no /proc/self/smaps";
  const TemporaryFolder folder;
  model::ModelConfig config = testing::grouped_config("qwen2", true);
  config.vocabulary_size = 20000;
  write_synthetic_model(folder.path(), config, SyntheticWeights::int4_pure, 3);
  pack(folder.path());
  const Path file = packed_weights_path(folder.path());
  constexpr int kProcesses = 10;
  const Gate reports, look, leave;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    children.push_back(child);
    if (child > 0) continue;
    const model::ModelFolder model(folder.path());
    Decoder decoder(model, {});
    decoder.forward(std::vector<TokenId>{1, 2, 3});
    reports.send('r');
    look.receive();
    reports.send(is_shared(file, kProcesses) ? 'y' : 'n');
    leave.receive();
    ::_exit(0);
  }
  for (int i = 0; i < kProcesses; ++i) EXPECT_EQ(reports.receive(), 'r');
  look.send('g', kProcesses);
  for (int i = 0; i < kProcesses; ++i) EXPECT_EQ(reports.receive(), 'y');
  leave.send('g', kProcesses);
  for (const pid_t child : children) ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace retort::runtime
