// A file of named sections that are used where they lie. It is mapped read-only, so that all processes share one copy
// of it, and was made of other files, its sources: it is of use as long as those are the same. What stands in the
// sections is others' concern (runtime/decoder/packed_weights.h, text/packed_tokenizer.h).
//
// On disk, little-endian: 0 "RETORTPK", 8 u32 version (1), 12 u32 bytes of the description, 16 SHA-256 of those eight
// bytes and the description, 48 the description, zeros up to a multiple of 4096, sections, each on a multiple of 64.
// The description is JSON: {"form": what the sections are and for which machine, "bytes": of the file, "sources":
// [file_stamp.h], "sections": [{"name", "layout", "offset", "bytes", "sha256"}]}.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/file_stamp.h"
#include "model/mapped_file.h"

namespace retort::model {

/// Bytes that a name and a layout say all about. Borrowed.
struct PackedSection {
  std::string name;
  std::string layout;
  std::span<const std::byte> bytes;
};

/// Safe to share between threads.
class PackedFile {
 public:
  /// Maps `path` and checks its description; sections are not read. Throws std::runtime_error saying what does not fit,
  /// expected and found: no such file, another form, a damaged or cut one, sources that are not exactly those of
  /// `sources` (names of files beside it) or have changed.
  PackedFile(const std::filesystem::path& path, const std::string& form, const std::vector<std::string>& sources);

  const std::filesystem::path& path() const { return path_; }
  std::size_t bytes() const { return file_.bytes(); }
  /// Of the section of that name and layout, on a 64-byte line; null data where there is none.
  std::span<const std::byte> find(const std::string& name, const std::string& layout) const;
  /// Reads all sections: the name of the first that has not the bytes that were written, or "".
  std::string damaged_section() const;
  /// Lets the sections be written to; what is written is this process's own copy. For those that replace weights.
  void make_writable() const { file_.make_writable(); }

 private:
  struct Section {
    std::string layout, sha256;
    std::span<const std::byte> bytes;
  };
  void read_description(const std::string& form, const std::vector<std::string>& sources);
  void read_sections(const nlohmann::json& sections);
  [[noreturn]] void refuse(const std::string& expected, const std::string& found) const;

  std::filesystem::path path_;
  MappedFile file_;
  std::map<std::string, Section> sections_;
};

/// Writes such a file, whole or not at all. `sources` are stamps that were made before the sources were read; they are
/// compared once more. Throws std::runtime_error where one has changed or the file cannot be written, and
/// std::invalid_argument for two sections of one name.
void write_packed_file(const std::filesystem::path& path, const std::string& form,
                       const std::vector<FileStamp>& sources, const std::vector<PackedSection>& sections);

}  // namespace retort::model
