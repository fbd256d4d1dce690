#include "model/file_kind.h"

#include <array>
#include <fstream>

namespace retort::model {
namespace {

std::string begin_of(const std::filesystem::path& file) {
  std::string begin(file_kind_bytes, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<std::size_t>(stream.gcount()));
  return begin;
}

}  // namespace

std::optional<std::string> file_kind(std::string_view begin) {
  using namespace std::string_view_literals;
  struct Kind {
    std::string_view begin;
    const char* name;
  };
  static constexpr std::array<Kind, 10> kinds = {
      {{"version https://git-lfs"sv, "a Git LFS pointer, not the file itself; run `git lfs pull`"},
       {"GGUF"sv, "a GGUF file; make a folder of it with `retort import`"},
       {"PK\x03\x04"sv, "a ZIP archive (a PyTorch checkpoint?); only safetensors are read"},
       {"\x80\x02"sv, "a pickle (an old PyTorch checkpoint?); only safetensors are read"},
       {"\x1f\x8b"sv, "a gzip archive; unpack it first"},
       {"<!DOCTYPE"sv, "an HTML page, not the file that was asked for; load it again"},
       {"<html"sv, "an HTML page, not the file that was asked for; load it again"},
       {"\xff\xfe"sv, "UTF-16 text; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"},
       {"\xfe\xff"sv, "UTF-16 text; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"},
       {"\x89HDF"sv, "an HDF5 file; only safetensors are read"}}};
  for (const Kind& kind : kinds)
    if (begin.starts_with(kind.begin)) return kind.name;
  return std::nullopt;
}

std::optional<std::string> kind_of_file(const std::filesystem::path& file) {
  return file_kind(std::string_view(begin_of(file)));
}

bool is_gguf(const std::filesystem::path& file) {
  return begin_of(file).starts_with("GGUF");
}

}  // namespace retort::model
