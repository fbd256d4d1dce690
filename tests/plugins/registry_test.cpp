// What the registry finds, what it refuses and why, and what its components do.
#include "host/plugin/registry.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <retort/abi/distill.h>
#include <retort/abi/reward.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>

#include "host/base/files.h"
#include "host/plugin/plugin_error.h"
#include "temporary_folder.h"

namespace retort::host {
namespace {

using test::refusal_of;
using test::TemporaryFolder;

template <typename Exception, typename Body>
std::string message_of(Body body) {
  try {
    body();
  } catch (const Exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

#define EXPECT_CONTAINS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(Registry, DescribesComponentsWithoutLoadingThem) {
  TemporaryFolder folder;
  folder.add("good_c");
  const auto library = folder.add("good_cpp");
  const Registry registry(folder.options());
  ASSERT_TRUE(registry.refused().empty()) << registry.refused()[0].refusal;
  ASSERT_EQ(registry.plugins().size(), 2u);
  EXPECT_EQ(registry.plugins()[1].name, "good_cpp");
  EXPECT_EQ(registry.plugins()[1].version, "1.2.3");
  EXPECT_EQ(registry.component_ids("retort.distill/1"),
            (std::vector<std::string>{"distill.good_c", "distill.good_mse", "distill.wrong_gradient"}));
  const ComponentInfo* component = registry.find("distill.good_c");
  ASSERT_NE(component, nullptr);
  EXPECT_EQ(component->parameters_schema.at("/properties/weight/default"_json_pointer), 1.0);
  EXPECT_EQ(::dlopen(library.c_str(), RTLD_NOW | RTLD_NOLOAD), nullptr);
}

TEST(Registry, DescribesAStageWhoseParametersAreRequired) {
  TemporaryFolder folder;
  folder.add("good_cpp");
  const Registry registry(folder.options());
  const ComponentInfo* stage = registry.find("stage.copier");
  ASSERT_NE(stage, nullptr);
  const Json expected = {
      {"inputs",
       {{{"name", "dataset"}, {"kind", "dataset"}, {"optional", false}, {"list", true}, {"summary", "rows to copy"}}}},
      {"produces", "dataset"}};
  EXPECT_EQ(stage->stage, expected);
  ASSERT_EQ(stage->slots.size(), 1u);
  EXPECT_EQ(stage->slots[0].name, "reward");
  EXPECT_EQ(stage->slots[0].interface, "retort.reward/1");
  EXPECT_EQ(stage->slots[0].summary, "scores");
  EXPECT_TRUE(stage->slots[0].optional);
  EXPECT_FALSE(stage->slots[0].list);
}

TEST(Registry, MakesInstancesThatWork) {
  TemporaryFolder folder;
  const auto library = folder.add("good_c");
  {
    const Registry registry(folder.options());
    const Component component = registry.create("distill.good_c", {{"weight", 2.0}});
    const auto& table = component.functions_as<retort_distill_v1>("retort.distill/1");
    float student[2] = {0, 0}, teacher[2] = {0, 0}, mask[1] = {1};
    const std::int64_t shape[2] = {1, 2}, strides[2] = {2, 1}, one[1] = {1};
    const auto tensor = [](float* data, std::int32_t dimensions, const std::int64_t* sizes, const std::int64_t* steps) {
      return retort_tensor{
          sizeof(retort_tensor), 0, data, RETORT_DEVICE_CPU, 0, RETORT_DTYPE_FLOAT, 32, 1, dimensions, sizes, steps, 0};
    };
    const retort_tensor student_view = tensor(student, 2, shape, strides),
                        teacher_view = tensor(teacher, 2, shape, strides), mask_view = tensor(mask, 1, one, one);
    retort_distill_teacher one_teacher{};
    one_teacher.struct_size = sizeof one_teacher;
    retort_distill_batch batch{};
    batch.struct_size = sizeof batch;
    batch.student_logits = &student_view;
    batch.mask = &mask_view;
    batch.teachers = &one_teacher;
    batch.teacher_count = 1;
    retort_distill_result result{};
    result.struct_size = sizeof result;
    const std::string missing =
        message_of<PluginError>([&] { throw_if_error(table.loss(component.instance(), &batch, &result), "loss"); });
    EXPECT_EQ(missing, "loss: teacher logits are missing");
    one_teacher.logits = &teacher_view;
    throw_if_error(table.loss(component.instance(), &batch, &result), "loss");
    EXPECT_NEAR(result.loss, 2 * 0.69314718, 1e-6);  // weight · ln 2
    EXPECT_THROW(component.functions("retort.rl/1"), std::runtime_error);
  }
  // RTLD_NODELETE: it stays mapped after the registry is gone.
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_NOLOAD);
  EXPECT_NE(handle, nullptr);
  if (handle != nullptr) ::dlclose(handle);
}

std::string score_names(const Component& component) {
  std::string text;
  const retort_text_sink sink = sink_into(text);
  throw_if_error(component.functions_as<retort_reward_v1>("retort.reward/1").scores(component.instance(), &sink),
                 "scores");
  return text;
}

TEST(Registry, GivesAComponentWhatStandsInItsSlots) {
  TemporaryFolder folder;
  folder.add("good_cpp");
  folder.add("plain");
  const Registry registry(folder.options());
  const auto witness = folder.path() / "witness";
  {
    std::vector<FilledSlot> slots;
    slots.push_back(
        {"teacher", "retort.teacher/1", registry.create("teacher.oracle", {{"witness", witness.string()}})});
    slots.push_back({"others", "retort.reward/1", registry.create("reward.plain", Json::object())});
    slots.push_back({"others", "retort.reward/1", registry.create("reward.plain", Json::object())});
    std::optional<Component> judge = registry.create("reward.judge", Json::object(), std::move(slots));
    EXPECT_CONTAINS(score_names(*judge), "teacher.oracle and 2");
    EXPECT_EQ(read_file(witness), "oracle made\n");  // alive as long as the judge is
    const Component copy = *judge;
    judge.reset();
    EXPECT_EQ(read_file(witness), "oracle made\n");
  }
  EXPECT_EQ(read_file(witness), "oracle made\noracle gone\n");
}

TEST(Registry, SlotsThatDoNotFitAreRefusedByName) {
  TemporaryFolder folder;
  folder.add("good_cpp");
  folder.add("plain");
  const Registry registry(folder.options());
  const auto filled = [&](const char* slot, const char* interface, const char* id) {
    std::vector<FilledSlot> slots;
    slots.push_back({slot, interface, registry.create(id, Json::object())});
    return message_of<std::invalid_argument>([&] { registry.create("reward.judge", Json::object(), slots); });
  };
  EXPECT_CONTAINS(filled("teachr", "retort.teacher/1", "teacher.oracle"), "did you mean \"teacher\"?");
  EXPECT_CONTAINS(filled("teacher", "retort.reward/1", "reward.plain"), "takes a component of retort.teacher/1");
  EXPECT_CONTAINS(message_of<PluginError>([&] { registry.create("reward.judge", Json::object()); }),
                  "slot \"teacher\": expected a component, found none");
}

TEST(Registry, ATableOfTheInterfaceMustBeWhole) {
  TemporaryFolder folder;
  folder.add("short_table");
  folder.add("null_score");
  folder.add("good_cpp");
  const Registry registry(folder.options());
  const auto table_of = [&](const char* id) {
    return message_of<std::runtime_error>([&] { registry.create(id, Json::object()).functions("retort.reward/1"); });
  };
  EXPECT_CONTAINS(table_of("reward.short_table"),
                  "its table of retort.reward/1 has struct_size 16, expected at least 24");
  EXPECT_CONTAINS(table_of("reward.short_table"), "short_table.so");
  EXPECT_CONTAINS(table_of("reward.null_score"), "function score() of its table of retort.reward/1 is NULL");
}

struct Refusal {
  const char* name;
  std::vector<const char*> parts;
  double seconds = 0;  ///< time limit of the scan; 0: the usual one
};

/// Keeps the tests' names the same from run to run: googletest prints the bytes of what it does not know.
void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.name;
}

// The thread sanitizer ends a process that calls exit() while a library is loading with a code of its own.
#ifdef __SANITIZE_THREAD__
constexpr const char* kExitCode = "ended with exit code 66";
#else
constexpr const char* kExitCode = "ended with exit code 0";
#endif

class RefusedPlugin : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedPlugin, IsNamedWithTheReasonAndLeavesTheOthersAlone) {
  TemporaryFolder folder;
  folder.add("plain");
  SearchOptions options = folder.options();
  ASSERT_NE(Registry(options).find("reward.plain"), nullptr);  // remembered: the short limit below is not its own
  const auto library = folder.add(GetParam().name);
  if (GetParam().seconds > 0) options.scan_seconds = GetParam().seconds;
  const Registry registry(options);
  const std::string refusal = refusal_of(registry, library.filename());
  EXPECT_CONTAINS(refusal, library.string());
  for (const char* part : GetParam().parts) EXPECT_CONTAINS(refusal, part);
  ASSERT_EQ(registry.plugins().size(), 1u);
  EXPECT_NE(registry.find("reward.plain"), nullptr);
  const std::string id = std::string("reward.") + GetParam().name;
  EXPECT_CONTAINS(message_of<std::invalid_argument>([&] { registry.create(id, Json::object()); }), refusal);
}

INSTANTIATE_TEST_SUITE_P(
    Each, RefusedPlugin,
    testing::Values(
        Refusal{"abi_major", {"wants plugin ABI 2.0", "this host has 1.0", "rebuild", "retort-plugin-abi-2"}},
        Refusal{"abi_minor", {"wants plugin ABI 1.99 or a later minor version", "this host has 1.0", "update Retort"}},
        Refusal{"struct_size", {"struct_size 112", "expected at least 120"}},
        Refusal{"null_function", {"NULL for the function create()"}},
        Refusal{"no_symbol", {"exports no symbol retort_plugin_entry_v1", "RETORT_PLUGIN"}},
        Refusal{"crash", {"quarantined", "crashed (SIGSEGV)", "about to crash"}},
        Refusal{"hang", {"quarantined", "did not finish within 0.3 s", "--rescan"}, 0.3},
        Refusal{"exits", {"quarantined", kExitCode}},
        Refusal{"init_error", {"refused to start", "no licence for this machine"}},
        Refusal{"schema_text", {"reward.schema_text", "not valid JSON"}},
        Refusal{"schema_keyword", {"reward.schema_keyword", "oneOf", "sdk/README.md"}},
        Refusal{"duplicate", {"two components with the id \"reward.duplicate\""}},
        Refusal{"slots_of_one_name", {"\"judge\" is taken", "reward.slots_of_one_name"}},
        Refusal{"slot_called_use", {"\"use\" is taken"}}, Refusal{"slot_like_a_parameter", {"\"scale\" is taken"}},
        Refusal{"slot_of_nothing", {"unknown interface \"retort.judge/1\"", "reward.slot_of_nothing/judge"}},
        Refusal{"short_slot", {"too small a struct_size"}},
        Refusal{"reward_with_a_stage", {"describes a stage but implements retort.reward/1"}},
        Refusal{"stage_without_shape", {"neither what it reads nor what it writes", "shape()"}},
        Refusal{"parameter_called_use", {"has a parameter \"use\""}},
        Refusal{"unknown_interface", {"unknown interface \"retort.reward/2\"", "this host knows", "retort.reward/1"}}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(Registry, RefusesFilesThatAreNoLibraries) {
  TemporaryFolder folder;
  folder.add("plain");
  std::ofstream(folder.plugins() / "text.so") << "this is a text, not a library, and long enough to hold an ELF header";
  std::filesystem::create_directory(folder.plugins() / "folder.so");
  std::ofstream(folder.plugins() / "short.so") << "\x7f"
                                                  "ELF";
  std::string cut = read_file(folder.add("no_table"));
  std::filesystem::remove(folder.plugins() / "no_table.so");
  std::ofstream(folder.plugins() / "cut.so", std::ios::binary) << cut.substr(0, 1000);
  for (const char* name : {"text.so", "short.so", "cut.so"})
    std::filesystem::permissions(folder.plugins() / name, std::filesystem::perms::owner_all);
  SearchOptions options = folder.options();
  options.libraries = {folder.path() / "absent.so"};
  const Registry registry(options);
  EXPECT_CONTAINS(refusal_of(registry, "text.so"), "is not a shared library: it has no ELF header");
  EXPECT_CONTAINS(refusal_of(registry, "short.so"), "no ELF header");
  EXPECT_CONTAINS(refusal_of(registry, "cut.so"), "cut.so");  // the loader may even crash on it
  EXPECT_CONTAINS(refusal_of(registry, "folder.so"), "is not a file");
  EXPECT_CONTAINS(refusal_of(registry, "absent.so"), "does not exist");
  EXPECT_NE(registry.find("reward.plain"), nullptr);
}

TEST(Registry, StdoutOfAPluginDoesNotDisturbItsScan) {
  TemporaryFolder folder;
  folder.add("prints");
  const Registry registry(folder.options());
  EXPECT_TRUE(registry.refused().empty());
  EXPECT_NE(registry.find("reward.prints"), nullptr);
}

TEST(Registry, ErrorsOfComponentsBecomeExceptions) {
  TemporaryFolder folder;
  for (const char* name : {"throwing", "create_error", "create_nothing", "no_table", "plain"}) folder.add(name);
  const Registry registry(folder.options());
  ASSERT_TRUE(registry.refused().empty()) << registry.refused()[0].refusal;
  const auto create = [&](const char* id) { return registry.create(id, Json::object()); };
  EXPECT_EQ(message_of<PluginError>([&] { create("distill.throws_in_create"); }),
            "distill.throws_in_create: cannot open /nowhere/weights.bin");
  EXPECT_CONTAINS(message_of<PluginError>([&] { create("distill.throws_an_integer"); }), "not a std::exception");
  EXPECT_EQ(message_of<PluginError>([&] { create("reward.create_error"); }), "reward.create_error: the device is busy");
  EXPECT_CONTAINS(message_of<std::runtime_error>([&] { create("reward.create_nothing"); }),
                  "neither an error nor an instance");
  const Component no_table = create("reward.no_table");
  EXPECT_CONTAINS(message_of<std::runtime_error>([&] { no_table.functions("retort.reward/1"); }),
                  "does not offer retort.reward/1");
  const Component thrower = create("distill.throws_in_call");
  float number = 0;
  const std::int64_t ones[2] = {1, 1};
  const retort_tensor logits{
      sizeof(retort_tensor), 0, &number, RETORT_DEVICE_CPU, 0, RETORT_DTYPE_FLOAT, 32, 1, 2, ones, ones, 0};
  retort_distill_batch batch{};
  batch.struct_size = sizeof batch;
  batch.student_logits = &logits;
  retort_distill_result result{};
  result.struct_size = sizeof result;
  try {
    throw_if_error(
        thrower.functions_as<retort_distill_v1>("retort.distill/1").loss(thrower.instance(), &batch, &result), "loss");
    FAIL() << "nothing was thrown";
  } catch (const PluginError& error) {
    EXPECT_STREQ(error.what(), "loss: labels are missing");
    EXPECT_EQ(error.code(), RETORT_ERROR_INVALID_ARGUMENT);
  }
  EXPECT_NE(create("reward.plain").instance(), nullptr);
}

TEST(Registry, UnknownComponentNamesTheNearest) {
  TemporaryFolder folder;
  folder.add("good_c");
  const Registry registry(folder.options());
  EXPECT_CONTAINS(message_of<std::invalid_argument>([&] { registry.create("distil.good_c", Json::object()); }),
                  "did you mean \"distill.good_c\"?");
  EXPECT_CONTAINS(message_of<std::invalid_argument>([&] { registry.create("good_c", Json::object()); }),
                  "did you mean \"distill.good_c\"?");
  EXPECT_EQ(registry.find("distill.absent"), nullptr);
}

TEST(Registry, FirstInSearchOrderWins) {
  TemporaryFolder first, second;
  first.add("good_c");
  second.add("good_c");
  SearchOptions options = first.options();
  options.folders = {second.plugins(), first.plugins()};
  EXPECT_EQ(Registry(options).find("distill.good_c")->library, second.plugins() / "good_c.so");
  options.libraries = {first.plugins() / "good_c.so"};
  EXPECT_EQ(Registry(options).find("distill.good_c")->library, first.plugins() / "good_c.so");
}

TEST(Registry, EnvironmentNamesAbsoluteFoldersOnly) {
  ::setenv("RETORT_PLUGIN_PATH", ":/first:relative:.:/second:", 1);
  ::setenv("XDG_DATA_HOME", "/data", 1);
  SearchOptions options;
  options.folders = {"/option"};
  const auto folders = search_folders(options);
  ::unsetenv("RETORT_PLUGIN_PATH");
  ::unsetenv("XDG_DATA_HOME");
  ASSERT_EQ(folders.size(), 5u);
  using Folder = std::pair<std::filesystem::path, std::string>;
  EXPECT_EQ(folders[0], Folder("/option", "--plugin-path"));
  EXPECT_EQ(folders[1], Folder("/first", "RETORT_PLUGIN_PATH"));
  EXPECT_EQ(folders[2], Folder("/second", "RETORT_PLUGIN_PATH"));
  EXPECT_EQ(folders[3], Folder("/data/retort/plugins", "user"));
  EXPECT_EQ(folders[4].second, "installed");
}

TEST(Registry, LibraryThatChangedAfterTheScanIsNotLoaded) {
  TemporaryFolder folder;
  const auto library = folder.add("good_c");
  const Registry registry(folder.options());
  std::filesystem::remove(library);
  folder.add("good_c");
  EXPECT_CONTAINS(message_of<std::runtime_error>([&] { registry.create("distill.good_c", Json::object()); }),
                  "changed after it was scanned");
}

TEST(Registry, ShutsPluginsDownOnceAtExit) {
  TemporaryFolder folder;
  folder.add("shuts_down");
  const auto witness = folder.path() / "shutdowns";
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("RETORT_TEST_SHUTDOWN_FILE", witness.c_str(), 1);
    {
      const Registry one(folder.options()), two(folder.options());
      one.create("reward.shuts_down", Json::object());
      two.create("reward.shuts_down", Json::object());
    }
    std::exit(std::filesystem::exists(witness) ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const std::string calls = read_file(witness);  // of libraries that earlier tests of this process loaded as well
  const auto call = calls.find("reward.shuts_down\n");
  EXPECT_NE(call, std::string::npos);
  EXPECT_EQ(calls.find("reward.shuts_down\n", call + 1), std::string::npos);
}

}  // namespace
}  // namespace retort::host
