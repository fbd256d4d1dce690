// What is said of files that are not what they should be.
#include "cases.h"
#include "host/base/json_cursor.h"

namespace retort::cases {
namespace {

class MessageCases : public CaseTest {
 protected:
  std::string message(const std::vector<std::string>& arguments) {
    const auto outcome = retort(arguments);
    EXPECT_NE(outcome.code, 0);
    return outcome.err;
  }
  void write(const std::string& name, const std::string& content) {
    std::ofstream(path(name), std::ios::binary) << content;
  }
};

const char lfs_pointer[] =
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17"
    "e2393\nsize 12345\n";

TEST_F(MessageCases, AGgufFileIsToBeImported) {
  write("x.gguf", std::string("GGUF\3\0\0\0", 8));
  write("d.json", "{}");
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"generate", path("x.gguf"), "p"}, {"template", path("x.gguf"), path("d.json")}})
    EXPECT_TRUE(contains(message(arguments), "found a GGUF file; make a folder of it with `retort import`"))
        << message(arguments);
}

TEST_F(MessageCases, AGitLfsPointerIsToBePulled) {
  RETORT_CASE("files/05-tied-flag-but-own-head/untied");
  std::filesystem::copy(folder, path("model"));
  for (const char* file : {"model.safetensors", "tokenizer.json"}) {
    std::filesystem::permissions(path("model"), std::filesystem::perms::owner_all);
    std::filesystem::remove(path("model") + "/" + file);
    write(std::string("model/") + file, lfs_pointer);
    const std::string said = message({"generate", path("model"), "p"});
    EXPECT_TRUE(contains(said, "a Git LFS pointer, not the file itself; run `git lfs pull`")) << said;
    EXPECT_TRUE(contains(said, file)) << said;
    std::filesystem::copy(folder / file, path("model") + "/" + file, std::filesystem::copy_options::overwrite_existing);
  }
  write("pointer.gguf", lfs_pointer);
  EXPECT_TRUE(contains(message({"import", path("pointer.gguf"), path("out")}), "a Git LFS pointer"));
}

TEST_F(MessageCases, RowsInAnotherEncodingSayWhich) {
  RETORT_CASE("files/20-messages");
  std::ifstream file(folder / "utf16.jsonl", std::ios::binary);
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(
      tests::error_of([&] { host::parse_strict_json(line); }),
      "expected UTF-8, found the byte 0xff at byte 1; it looks like UTF-16: convert it (iconv -f UTF-16 -t UTF-8)");
  EXPECT_EQ(tests::error_of([] { host::parse_strict_json("{\"a\": \"caf\xe9\"}"); }),
            "expected UTF-8, found the byte 0xe9 at byte 11; if it is Latin-1, convert it (iconv -f LATIN1 -t UTF-8)");
  const std::string said = tests::error_of([] { host::parse_strict_json("{\"a\" 1}"); });
  EXPECT_TRUE(contains(said, "not valid JSON: column 6")) << said;
}

TEST_F(MessageCases, AnEmptyPromptNeedsATokenThatBegins) {
  RETORT_CASE("files/05-tied-flag-but-own-head/untied");
  EXPECT_TRUE(contains(message({"generate", folder.string(), ""}), "the prompt is empty"));
}

}  // namespace
}  // namespace retort::cases
