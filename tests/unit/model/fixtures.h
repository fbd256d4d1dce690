// What the unit tests of model and text share: a folder that goes away, and the shared test data (not in the
// repository).
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace retort::tests {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "retort-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder like " + name);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// $RETORT_SHARED, or the folder `shared` beside the source tree.
inline std::filesystem::path shared_data(const std::string& name) {
  const char* folder = std::getenv("RETORT_SHARED");
  return std::filesystem::path(folder != nullptr ? folder : RETORT_SHARED_DEFAULT) / "data" / name;
}

/// The message of the exception that `action` throws, or "" if it throws none.
template <typename Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace retort::tests

#define RETORT_NEEDS(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no test data at " << (path) << "; set RETORT_SHARED"
