// Libraries that others could have replaced are not loaded, and pins hold.
#include <gtest/gtest.h>

#include <fstream>

#include "host/base/files.h"
#include "host/plugin/registry.h"
#include "temporary_folder.h"

namespace retort::host {
namespace {

using std::filesystem::perms;
using test::refusal_of;
using test::TemporaryFolder;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(PluginTrust, RefusesALibraryThatOthersCanWrite) {
  TemporaryFolder folder;
  folder.add("plain");
  const auto library = folder.add("good_c");
  for (const auto& [bit, who] :
       {std::pair(perms::others_write, "everyone"), std::pair(perms::group_write, "its group")}) {
    std::filesystem::permissions(library, perms::owner_all | bit);
    const Registry registry(folder.options());
    const std::string refusal = refusal_of(registry, "good_c.so");
    EXPECT_TRUE(contains(refusal, std::string("can be written by ") + who)) << refusal;
    EXPECT_TRUE(contains(refusal, "chmod go-w")) << refusal;
    EXPECT_EQ(registry.find("distill.good_c"), nullptr);
    EXPECT_NE(registry.find("reward.plain"), nullptr);
  }
  SearchOptions options = folder.options();
  options.allow_writable = true;
  EXPECT_NE(Registry(options).find("distill.good_c"), nullptr);
}

TEST(PluginTrust, RefusesAFolderThatOthersCanWrite) {
  TemporaryFolder folder;
  folder.add("good_c");
  std::filesystem::permissions(folder.plugins(), perms::owner_all | perms::others_write | perms::sticky_bit);
  const Registry registry(folder.options());
  const std::string refusal = refusal_of(registry, "good_c.so");
  EXPECT_TRUE(contains(refusal, "its folder '" + folder.plugins().string() + "' can be written by everyone"))
      << refusal;
}

TEST(PluginTrust, JudgesTheFileBehindALink) {
  TemporaryFolder folder, open;
  const auto target = open.add("good_c");
  std::filesystem::permissions(open.plugins(), perms::all);
  std::filesystem::create_symlink(target, folder.plugins() / "link.so");
  const Registry registry(folder.options());
  EXPECT_TRUE(registry.plugins().empty());
  EXPECT_TRUE(contains(refusal_of(registry, "good_c.so"), "can be written by everyone"));
}

TEST(PluginTrust, WritabilityAfterTheScanCountsToo) {
  TemporaryFolder folder;
  const auto library = folder.add("good_c");
  const Registry registry(folder.options());
  std::filesystem::permissions(library, perms::all);
  EXPECT_THROW(registry.create("distill.good_c", Json::object()), std::runtime_error);
}

TEST(PluginTrust, PinsHold) {
  TemporaryFolder folder;
  const auto library = folder.add("good_c");
  const std::string hash = sha256_of_file(library);
  SearchOptions options = folder.options();
  options.sha256 = {{library.string(), hash}};
  EXPECT_NE(Registry(options).find("distill.good_c"), nullptr);
  std::ofstream(library, std::ios::app) << "one byte more";
  const Registry changed(options);
  const std::string refusal = refusal_of(changed, "good_c.so");
  EXPECT_TRUE(contains(refusal, "pinned is " + hash)) << refusal;
  EXPECT_TRUE(contains(refusal, sha256_of_file(library))) << refusal;
}

TEST(PluginTrust, APinOfNoLibraryIsAnError) {
  TemporaryFolder folder;
  SearchOptions options = folder.options();
  options.sha256 = {{(folder.plugins() / "god_c.so").string(), std::string(64, '0')}};
  EXPECT_THROW(const Registry registry(options), std::invalid_argument);
}

}  // namespace
}  // namespace retort::host
