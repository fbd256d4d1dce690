// Scans are remembered for exactly the file that was scanned, and a damaged cache costs nothing but time.
#include <gtest/gtest.h>

#include <fstream>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/plugin/plugin_scan_cache.h"
#include "temporary_folder.h"

namespace retort::host {
namespace {

using test::refusal_of;
using test::TemporaryFolder;

std::filesystem::path cache_file(const TemporaryFolder& folder) {
  return folder.cache() / "plugins.json";
}

/// Marks the remembered scan, so that a later answer shows where it came from.
void mark(const TemporaryFolder& folder) {
  Json cache = read_json(cache_file(folder));
  for (Json& scan : cache["scans"]) {
    scan["plugin"]["name"] = "from the cache";
    if (!scan["plugin"]["refusal"].get<std::string>().empty()) scan["plugin"]["refusal"] = "from the cache";
  }
  write_json(cache_file(folder), cache);
}

TEST(PluginScanCache, RemembersAScan) {
  TemporaryFolder folder;
  folder.add("good_c");
  ASSERT_EQ(Registry(folder.options()).plugins().at(0).name, "good_c");
  mark(folder);
  const Registry registry(folder.options());
  ASSERT_EQ(registry.plugins().at(0).name, "from the cache");
  EXPECT_NE(registry.create("distill.good_c", Json::object()).instance(), nullptr);
}

TEST(PluginScanCache, AChangedFileIsScannedAgain) {
  TemporaryFolder folder;
  const auto library = folder.add("good_c");
  Registry first(folder.options());
  mark(folder);
  std::filesystem::last_write_time(library, std::filesystem::last_write_time(library) + std::chrono::seconds(1));
  EXPECT_EQ(Registry(folder.options()).plugins().at(0).name, "good_c");
}

TEST(PluginScanCache, QuarantineIsRememberedUntilTheFileChanges) {
  TemporaryFolder folder;
  const auto library = folder.add("crash");
  const Registry first(folder.options());
  ASSERT_NE(refusal_of(first, "crash.so").find("quarantined"), std::string::npos);
  mark(folder);
  EXPECT_EQ(refusal_of(Registry(folder.options()), "crash.so"), "from the cache");
  std::filesystem::copy_file(folder.add("plain"), library, std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(refusal_of(Registry(folder.options()), "crash.so"), "");
}

TEST(PluginScanCache, ALongerTimeLimitGivesASlowLibraryAnotherChance) {
  TemporaryFolder folder;
  folder.add("hang");
  SearchOptions options = folder.options();
  options.scan_seconds = 0.3;
  const Registry first(options);
  mark(folder);
  EXPECT_EQ(refusal_of(Registry(options), "hang.so"), "from the cache");
  options.scan_seconds = 0.4;
  EXPECT_NE(refusal_of(Registry(options), "hang.so").find("did not finish within 0.4 s"), std::string::npos);
}

TEST(PluginScanCache, ASlowLibraryGetsAnotherChanceLater) {
  TemporaryFolder folder;
  folder.add("hang");
  SearchOptions options = folder.options();
  options.scan_seconds = 0.3;
  const Registry first(options);
  mark(folder);
  Json cache = read_json(cache_file(folder));
  ASSERT_GT(cache["scans"][0]["retry_after"], 0);
  cache["scans"][0]["retry_after"] = 1;
  write_json(cache_file(folder), cache);
  EXPECT_NE(refusal_of(Registry(options), "hang.so").find("did not finish within 0.3 s"), std::string::npos);
}

TEST(PluginScanCache, WhatMayBeCuredOutsideTheFileIsNotRemembered) {
  TemporaryFolder folder;
  std::ofstream(folder.plugins() / "text.so") << "not a library";
  std::filesystem::permissions(folder.plugins() / "text.so", std::filesystem::perms::owner_all);
  const Registry registry(folder.options());
  ASSERT_EQ(registry.refused().size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(cache_file(folder)));
}

TEST(PluginScanCache, ForgottenScansAreDoneAgain) {
  TemporaryFolder folder;
  folder.add("good_c");
  const Registry first(folder.options());
  mark(folder);
  forget_scans(folder.cache());
  EXPECT_EQ(Registry(folder.options()).plugins().at(0).name, "good_c");
  forget_scans({});
}

TEST(PluginScanCache, DamageIsIgnoredAndRepaired) {
  TemporaryFolder folder;
  folder.add("good_c");
  std::filesystem::create_directories(folder.cache());
  const Registry good(folder.options());
  const std::string whole = read_file(cache_file(folder));
  for (const std::string& damage : {std::string("not JSON"), std::string(), std::string("[]"), std::string("{}"),
                                    whole.substr(0, whole.size() / 2), std::string("{\"scanned_by\": 3}")}) {
    write_file_atomically(cache_file(folder), damage);
    const Registry registry(folder.options());
    EXPECT_EQ(registry.plugins().size(), 1u) << damage;
    EXPECT_EQ(read_file(cache_file(folder)), whole) << damage;
  }
}

TEST(PluginScanCache, AScanOfAnotherHostVersionDoesNotCount) {
  TemporaryFolder folder;
  folder.add("good_c");
  const Registry first(folder.options());
  mark(folder);
  Json cache = read_json(cache_file(folder));
  cache["scanned_by"]["abi"] = {0, 9};
  write_json(cache_file(folder), cache);
  EXPECT_EQ(Registry(folder.options()).plugins().at(0).name, "good_c");
}

TEST(PluginScanCache, AFolderThatCannotBeWrittenCostsNothing) {
  TemporaryFolder folder;
  folder.add("good_c");
  SearchOptions options = folder.options();
  options.cache_folder = "/dev/null/cache";
  EXPECT_EQ(Registry(options).plugins().size(), 1u);
}

}  // namespace
}  // namespace retort::host
