// Sealing artifacts, and telling whole ones from others.
#include "host/run/artifact.h"

#include <cmath>

#include "pipeline_fixture.h"

namespace retort::host {
namespace {

class ArtifactTest : public PipelineTest {
 protected:
  Manifest seal(const std::string& name = "made") {
    std::filesystem::create_directories(folder_ / "tmp/sub");
    write_file_atomically(folder_ / "tmp/a.txt", "alpha");
    write_file_atomically(folder_ / "tmp/sub/b.txt", "beta");
    Manifest manifest;
    manifest.kind = "model";
    manifest.stage = "sft";
    manifest.key = "0123";
    manifest.facts = {{"parameters", 12}, {"ratio", 0.1}, {"not a number", std::nan("")}};
    manifest.inputs = {{"dataset", "source", "source-12", "ff"}};
    manifest.created = utc_now();
    seal_artifact(folder_ / "tmp", folder_ / name, manifest);
    return manifest;
  }
};

TEST_F(ArtifactTest, RoundTrip) {
  const Manifest sealed = seal();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "tmp"));
  const Manifest read = read_manifest(folder_ / "made");
  EXPECT_EQ(read.sha256, sealed.sha256);
  EXPECT_EQ(read.facts["parameters"], 12);
  ASSERT_EQ(read.files.size(), 2u);
  EXPECT_EQ(read.files[1]["path"], "sub/b.txt");
  EXPECT_EQ(read.files[0]["sha256"], sha256("alpha"));
  EXPECT_EQ(read.inputs[0].artifact, "source-12");
  EXPECT_EQ(damage(folder_ / "made", read, Verification::full), "");
}

TEST_F(ArtifactTest, ContentAloneDecidesTheHash) {
  const Manifest first = seal("one");
  EXPECT_EQ(seal("two").sha256, first.sha256);
}

TEST_F(ArtifactTest, ChangedManifestIsRefused) {
  seal();
  std::string text = read_file(folder_ / "made/manifest.json");
  text.replace(text.find("\"sft\""), 5, "\"sgt\"");
  write_file_atomically(folder_ / "made/manifest.json", text);
  EXPECT_THROW(read_manifest(folder_ / "made"), std::invalid_argument);
}

TEST_F(ArtifactTest, EveryCutOfAManifestIsRefused) {
  seal();
  const std::string text = read_file(folder_ / "made/manifest.json");
  for (std::size_t size = 0; size + 2 < text.size(); size += 7) {
    write_file_atomically(folder_ / "made/manifest.json", text.substr(0, size));
    EXPECT_THROW(read_manifest(folder_ / "made"), std::invalid_argument) << size;
  }
  for (const char* other : {"{}", "[]", "null", "{\"format\": 1, \"checksum\": \"\"}", "{\"format\": 2}"}) {
    write_file_atomically(folder_ / "made/manifest.json", other);
    EXPECT_THROW(read_manifest(folder_ / "made"), std::invalid_argument) << other;
  }
}

TEST_F(ArtifactTest, DamageNamesTheFile) {
  const Manifest manifest = seal();
  write_file_atomically(folder_ / "made/a.txt", "alphb");
  EXPECT_EQ(damage(folder_ / "made", manifest, Verification::sizes), "");
  EXPECT_NE(damage(folder_ / "made", manifest, Verification::full).find("a.txt"), std::string::npos);
  write_file_atomically(folder_ / "made/a.txt", "alphabet");
  EXPECT_NE(damage(folder_ / "made", manifest, Verification::sizes).find("a.txt"), std::string::npos);
  std::filesystem::remove(folder_ / "made/a.txt");
  EXPECT_NE(damage(folder_ / "made", manifest, Verification::sizes).find("a.txt"), std::string::npos);
}

TEST_F(ArtifactTest, LinksAndForeignManifestsAreRefused) {
  Manifest manifest;
  manifest.kind = "model";
  std::filesystem::create_directories(folder_ / "t1");
  std::filesystem::create_symlink("/etc/passwd", folder_ / "t1/link");
  EXPECT_THROW(seal_artifact(folder_ / "t1", folder_ / "out", manifest), std::invalid_argument);
  std::filesystem::create_directories(folder_ / "t2");
  write_file_atomically(folder_ / "t2/manifest.json", "{}");
  EXPECT_THROW(seal_artifact(folder_ / "t2", folder_ / "out", manifest), std::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

}  // namespace
}  // namespace retort::host
