// Structs grow at their end: plugins of later and of earlier minor versions work with this host, and a plugin of today
// works with a later host.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <retort/abi/reward.h>

#include <filesystem>

#include "host/plugin/plugin_error.h"
#include "host/plugin/registry.h"

extern "C" unsigned long retort_abi_c_sizes(void);
unsigned long retort_abi_cpp_sizes_17();
unsigned long retort_abi_cpp_sizes_20();

namespace retort::host {
namespace {

std::filesystem::path library(const std::string& name) {
  return std::filesystem::path(ABI_TEST_PLUGINS) / (name + ".so");
}

Registry registry_of(const std::string& name) {
  SearchOptions options;
  options.libraries = {library(name)};
  options.environment = false;
  options.allow_writable = true;  // the build folder may be anyone's
  options.cache_folder = std::filesystem::temp_directory_path() / "retort-abi-test-cache";
  return Registry(options);
}

/// The one item that the plugin writes for no items.
std::string score_of(const Component& component) {
  std::string text;
  const retort_item_sink sink{sizeof(retort_item_sink), 0, &text, [](void* context, std::uint64_t, retort_string json) {
                                static_cast<std::string*>(context)->append(json.data, json.size);
                              }};
  const retort_reward_batch batch{sizeof(retort_reward_batch), 0, to_abi("[]"), to_abi("[]")};
  throw_if_error(component.functions_as<retort_reward_v1>("retort.reward/1").score(component.instance(), &batch, &sink),
                 "score");
  return text;
}

TEST(Abi, StructsHaveTheSameSizesInEveryLanguage) {
  const unsigned long here = sizeof(retort_plugin_entry) + sizeof(retort_host);
  EXPECT_EQ(retort_abi_c_sizes(), here);
  EXPECT_EQ(retort_abi_cpp_sizes_17(), here);
  EXPECT_EQ(retort_abi_cpp_sizes_20(), here);
}

TEST(Abi, AStructMayEndBeforeAField) {
  retort_host host{};
  host.struct_size = offsetof(retort_host, should_stop);
  EXPECT_TRUE(RETORT_HAS_FIELD(&host, retort_host, log));
  EXPECT_FALSE(RETORT_HAS_FIELD(&host, retort_host, should_stop));
  host.struct_size += 4;  // half a field is no field
  EXPECT_FALSE(RETORT_HAS_FIELD(&host, retort_host, should_stop));
}

TEST(Abi, APluginWithAppendedFieldsWorks) {
  const Registry registry = registry_of("later");
  ASSERT_TRUE(registry.refused().empty()) << registry.refused()[0].refusal;
  EXPECT_EQ(score_of(registry.create("reward.later", Json::object())), R"({"scores": {"one": 1}, "reason": ""})");
}

TEST(Abi, ArraysOfLongerStructsAreReadByTheirOwnSize) {
  const Registry registry = registry_of("later");
  const ComponentInfo* stage = registry.find("stage.later");
  ASSERT_NE(stage, nullptr);
  const Json& inputs = stage->stage.at("inputs");
  ASSERT_EQ(inputs.size(), 2u);
  EXPECT_EQ(inputs[1].at("name"), "second");
  EXPECT_EQ(inputs[1].at("kind"), "model");
  EXPECT_EQ(inputs[1].at("optional"), true);
  const ComponentInfo* reward = registry.find("reward.later");
  ASSERT_NE(reward, nullptr);
  ASSERT_EQ(reward->slots.size(), 2u);
  EXPECT_EQ(reward->slots[1].name, "second");
  EXPECT_TRUE(reward->slots[1].list);
}

TEST(Abi, APluginWhoseStructsEndEarlierWorks) {
  const Registry registry = registry_of("earlier");
  ASSERT_TRUE(registry.refused().empty()) << registry.refused()[0].refusal;
  const ComponentInfo* reward = registry.find("reward.earlier");
  ASSERT_NE(reward, nullptr);
  EXPECT_EQ(reward->parameters_schema, Json({{"type", "object"}}));
  EXPECT_EQ(score_of(registry.create("reward.earlier", Json::object())), R"({"scores": {"one": 1}, "reason": ""})");
}

TEST(Abi, APluginOfTodayWorksWithALaterHost) {
  struct LaterHost {
    retort_host base;
    void (*later)(void);
  };
  LaterHost later{host_services(), nullptr};
  later.base.struct_size = sizeof later;
  later.base.abi_minor = RETORT_ABI_MINOR + 1;
  void* handle = ::dlopen(library("today").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(handle, nullptr) << ::dlerror();
  const auto* entry = static_cast<const retort_plugin_entry*>(::dlsym(handle, RETORT_PLUGIN_ENTRY_SYMBOL));
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->init(&later.base), nullptr);
  EXPECT_EQ(entry->component_count(), 1u);
}

TEST(Abi, APluginOfTodayRefusesAnotherMajorVersion) {
  retort_host other = host_services();
  other.abi_major = RETORT_ABI_MAJOR + 1;
  void* handle = ::dlopen(library("today").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(handle, nullptr) << ::dlerror();
  const auto* entry = static_cast<const retort_plugin_entry*>(::dlsym(handle, RETORT_PLUGIN_ENTRY_SYMBOL));
  try {
    throw_if_error(entry->init(&other), "init");
    FAIL() << "accepted";
  } catch (const PluginError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("built for Retort plugin ABI 1.0, the host has 2.0"), std::string::npos) << text;
    EXPECT_NE(text.find("rebuild it"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace retort::host
