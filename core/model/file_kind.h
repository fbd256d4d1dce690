// What a file is by its first bytes, for messages about a file that is not what was asked for.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace retort::model {

/// How many bytes of a file file_kind() wants to see.
inline constexpr std::size_t file_kind_bytes = 64;

/// "a Git LFS pointer, not the file itself; run `git lfs pull`", "a GGUF file", "a ZIP archive (a PyTorch
/// checkpoint?)", "an HTML page", …: what `begin`, the first bytes of a file, tell. Nothing for what is not known.
std::optional<std::string> file_kind(std::string_view begin);
/// The same of a file; nothing where it cannot be read.
std::optional<std::string> kind_of_file(const std::filesystem::path& file);

bool is_gguf(const std::filesystem::path& file);

}  // namespace retort::model
