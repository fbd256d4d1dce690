// Ways around the checks of which library is loaded: links, equal names, folders above, folders that are swapped.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "../plugins/temporary_folder.h"
#include "fault_fixture.h"
#include "host/config/resolved_config.h"
#include "host/plugin/plugin_error.h"

namespace retort::faults {
namespace {

using fs::perms;
using host::Registry;
using host::SearchOptions;
using test::refusal_of;
using test::TemporaryFolder;

class PinFaults : public ::testing::Test {
 protected:
  void SetUp() override { ::umask(022); }
  /// What `retort check` finds in a config with these plugins, and one stage of the test stages.
  std::string findings(const Json& plugins) const {
    const fs::path file = folder_.path() / "config.json";
    host::write_json(
        file, {{"plugins", plugins}, {"stages", Json::array({{{"name", "source"}, {"use", "stage.test_source"}}})}});
    SearchOptions options;
    options.libraries = {TEST_STAGES_PLUGIN};
    options.environment = false;
    options.allow_writable = true;
    options.cache_folder = folder_.cache();
    try {
      std::optional<Registry> registry;
      host::load_and_resolve(file, {}, options, registry);
      return "nothing was found";
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
  }
  TemporaryFolder folder_;
};

TEST_F(PinFaults, AreNotBypassedByALink) {
  const fs::path library = folder_.add("good_c");
  fs::create_symlink("good_c.so", folder_.plugins() / "alias.so");
  const std::string hash = host::sha256_of_file(library), wrong(64, '0');
  EXPECT_EQ(findings(Json::array({{{"path", "plugins/alias.so"}, {"sha256", hash}}})), "nothing was found");
  const std::string text = findings(Json::array({{{"path", "plugins/alias.so"}, {"sha256", wrong}}}));
  EXPECT_HAS(text, "/plugins/0: '" + library.string() + "' has the SHA-256 " + hash + ", pinned is " + wrong);
  EXPECT_HAS(findings({"plugins/good_c.so", {{"path", "plugins/alias.so"}, {"sha256", wrong}}}), "pinned is " + wrong);
}

TEST_F(PinFaults, OfEqualFileNamesAreTwo) {
  fs::create_directories(folder_.path() / "v1");
  fs::create_directories(folder_.path() / "v2");
  const fs::path one = folder_.path() / "v1" / "kd.so", other = folder_.path() / "v2" / "kd.so";
  fs::copy_file(folder_.add("good_c"), one);
  fs::copy_file(folder_.add("good_cpp"), other);
  const auto pinned = [](const char* path, const std::string& hash) { return Json{{"path", path}, {"sha256", hash}}; };
  const std::string first = host::sha256_of_file(one), second = host::sha256_of_file(other);
  EXPECT_EQ(findings({pinned("v1/kd.so", first), pinned("v2/kd.so", second)}), "nothing was found");
  EXPECT_HAS(findings({pinned("v1/kd.so", second), pinned("v2/kd.so", second)}), "/plugins/0: ");
  EXPECT_HAS(findings({pinned("v1/kd.so", first), pinned("v2/kd.so", first)}), "/plugins/1: ");
  EXPECT_HAS(findings({pinned("v1/kd.so", first), pinned("v1/kd.so", second)}), "a second, different pin");
}

TEST(TrustFaults, EveryFolderOnTheWayIsChecked) {
  ::umask(022);
  TemporaryFolder folder;
  const fs::path above = folder.path() / "above", deep = above / "middle" / "plugins";
  fs::create_directories(deep);
  fs::copy_file(folder.add("good_c"), deep / "good_c.so");
  SearchOptions options = folder.options();
  options.folders = {deep};
  ASSERT_NE(Registry(options).find("distill.good_c"), nullptr);
  for (const fs::path& open : {above, above / "middle"}) {
    const perms before = fs::status(open).permissions();
    fs::permissions(open, perms::all);
    const Registry registry(options);
    EXPECT_EQ(registry.find("distill.good_c"), nullptr) << open;
    EXPECT_HAS(refusal_of(registry, "good_c.so"), "the folder '" + open.string() + "' can be written by everyone");
    // As /tmp is: what is in it belongs to the user, and nobody else can rename that.
    fs::permissions(open, perms::all | perms::sticky_bit);
    EXPECT_NE(Registry(options).find("distill.good_c"), nullptr) << open;
    fs::permissions(open, before);
  }
  if (::geteuid() != 0) return;  // only root can give folders away
  ASSERT_EQ(::chown(above.c_str(), 12345, 12345), 0);
  EXPECT_HAS(refusal_of(Registry(options), "good_c.so"), "belongs to user 12345");
}

bool loads(SearchOptions options) {
  options.cache_folder += "-" + std::to_string(::getpid());
  try {
    const Registry registry(options);
    if (registry.find("reward.plain") == nullptr) return false;
    registry.create("reward.plain", Json::object());
    return true;
  } catch (const std::exception&) {
    return false;  // the folder was the other one: refused, as it should be
  }
}

/// Folders are swapped as fast as possible while libraries are scanned and loaded: what was judged is what runs.
TEST(TrustFaults, ASwappedFolderNeverRunsAForeignConstructor) {
  ::umask(022);
  TemporaryFolder folder;
  const fs::path good = folder.path() / "good", evil = folder.path() / "evil", link = folder.path() / "plugins";
  const fs::path witness = folder.path() / "witness";
  for (const fs::path& each : {good, evil}) fs::create_directory(each);
  fs::copy_file(fs::path(TEST_PLUGINS) / "plain.so", good / "plain.so");
  fs::copy_file(FOREIGN_PLUGIN, evil / "plain.so");
  fs::permissions(evil / "plain.so", perms::all);  // what a check of the library itself must refuse
  fs::remove_all(link);
  fs::rename(good, link);
  ::setenv("RETORT_TEST_WITNESS", witness.c_str(), 1);
  SearchOptions options = folder.options();
  options.folders = {link};
  std::atomic<bool> done{false};
  std::thread swapper([&] {
    std::error_code ignored;
    for (unsigned round = 0; !done; ++round) {
      fs::rename(link, good, ignored);
      fs::rename(evil, link, ignored);
      std::this_thread::sleep_for(std::chrono::microseconds(round % 7 * 400));
      fs::rename(link, evil, ignored);
      fs::rename(good, link, ignored);
      std::this_thread::sleep_for(std::chrono::microseconds(round % 11 * 400));
    }
  });
  // In children: a library is loaded once in a process.
  int loaded = 0;
  for (int i = 0; i < 200; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(loads(options) ? 0 : 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    loaded += status == 0 ? 1 : 0;
  }
  done = true;
  swapper.join();
  ::unsetenv("RETORT_TEST_WITNESS");
  EXPECT_FALSE(fs::exists(witness)) << "a foreign constructor ran";
  EXPECT_GT(loaded, 0) << "nothing was ever loaded: the test shows nothing";
  std::printf("  the right library was loaded in %d of 200 tries\n", loaded);
}

TEST(TrustFaults, ALibraryFindsWhatLiesBesideIt) {
  ::umask(022);
  TemporaryFolder folder;
  fs::copy_file(ORIGIN_PLUGIN, folder.plugins() / "origin.so");
  fs::copy_file(ORIGIN_LIBRARY, folder.plugins() / fs::path(ORIGIN_LIBRARY).filename());
  fs::permissions(folder.plugins() / "origin.so", perms::owner_all);
  const Registry registry(folder.options());
  ASSERT_NE(registry.find("reward.origin"), nullptr) << refusal_of(registry, "origin.so");
  EXPECT_NO_THROW(registry.create("reward.origin", Json::object()));
}

TEST(TrustFaults, TheLoadersTextNamesTheFileAsPeopleKnowIt) {
  TemporaryFolder folder;
  fs::copy_file(ORIGIN_PLUGIN, folder.plugins() / "origin.so");  // without the library that it needs
  fs::permissions(folder.plugins() / "origin.so", perms::owner_all);
  const std::string refusal = refusal_of(Registry(folder.options()), "origin.so");
  EXPECT_HAS(refusal, "'" + (folder.plugins() / "origin.so").string() + "' cannot be loaded");
  EXPECT_LACKS(refusal, "/proc/");
}

}  // namespace
}  // namespace retort::faults
