// `retort pack` as people see it: what it writes, what is said of a file that does not fit, and what it refuses.
#include <gtest/gtest.h>

#include <cstdio>

#include "child_command.h"
#include "runtime/decoder/packed_weights.h"
#include "runtime/measure/synthetic_model.h"

namespace retort::apps {
namespace {

class PackCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "retort-pack-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    model::ModelConfig config = runtime::synthetic_config("smollm2-135m");
    config.layers = 2;
    config.vocabulary_size = 300;
    config.hidden_size = 64;
    config.intermediate_size = 128;
    config.heads = config.kv_heads = 1;
    runtime::write_synthetic_model(model(), config, runtime::SyntheticWeights::int4, 1);
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::filesystem::path model() const { return folder_ / "model"; }
  std::filesystem::path packed() const { return runtime::packed_weights_path(model()); }
  Outcome retort(const std::vector<std::string>& arguments) const { return ChildCommand(folder_, arguments).wait(); }
  Outcome bench() const { return retort({"bench", model().string(), "-p", "4", "-n", "2", "-r", "1", "-t", "1"}); }

  std::filesystem::path folder_;
};

TEST_F(PackCommandTest, WritesAFileThatIsUsedUntilItNoLongerFits) {
  const Outcome first = retort({"pack", model().string()});
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_NE(first.out.find(packed().filename().string()), std::string::npos) << first.out;
  EXPECT_FALSE(std::filesystem::exists(model() / "tokenizer.packed"));  // there is no tokenizer
  std::filesystem::resize_file(packed(), std::filesystem::file_size(packed()) - 1);
  const Outcome cut = bench();
  EXPECT_EQ(cut.code, 0) << cut.err;
  const std::size_t said = cut.err.find("`retort pack` makes them anew");
  EXPECT_NE(said, std::string::npos) << cut.err;
  EXPECT_EQ(cut.err.find("`retort pack`", said + 1), std::string::npos) << cut.err;
  EXPECT_EQ(retort({"pack", model().string(), "--threads", "2", "--json"}).code, 0);
  EXPECT_EQ(bench().err, "");
}

TEST_F(PackCommandTest, AFileOfAnotherProcessorIsNamed) {
  ASSERT_EQ(retort({"pack", model().string()}).code, 0);
  std::filesystem::rename(packed(), model() / "model.another.packed");
  const Outcome other = bench();
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_NE(other.err.find("packed for other processors"), std::string::npos) << other.err;
}

TEST_F(PackCommandTest, RefusesWhatIsNoModel) {
  EXPECT_NE(retort({"pack", (folder_ / "none").string()}).code, 0);
  const Outcome threads = retort({"pack", model().string(), "--threads", "0"});
  EXPECT_EQ(threads.code, 2);
  EXPECT_NE(threads.err.find("--threads: expected 1 to 1024, found 0"), std::string::npos) << threads.err;
  EXPECT_EQ(retort({"pack"}).code, 2);
  EXPECT_FALSE(std::filesystem::exists(packed()));
}

}  // namespace
}  // namespace retort::apps
