// The packed form of a folder's tokenizer: the tables of tokens and merges, ready for use, in one file in the folder,
// tokenizer.packed (model/packed_file.h), which Tokenizer::load maps instead of reading tokenizer.json. The same on
// every machine; normalizer, pre-tokenizer and decoder are read from the small rest of the JSON.
#pragma once

#include <filesystem>

namespace retort::text {

inline constexpr char packed_tokenizer_name[] = "tokenizer.packed";
/// What its description must say; see model::PackedFile.
inline constexpr char packed_tokenizer_form[] = "tokenizer 1";

/// Writes the file for the folder's tokenizer.json, in place of an older one, and returns its path. Throws as
/// Tokenizer::load and model::write_packed_file.
std::filesystem::path write_packed_tokenizer(const std::filesystem::path& folder);

}  // namespace retort::text
