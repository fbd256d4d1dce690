// JSON as configs and artifacts hold it: comments allowed on reading, and errors with file, line and column.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace retort::host {

using Json = nlohmann::json;

/// Throws std::invalid_argument "origin:line:column: …" for malformed text, and "origin: …" for duplicate keys, numbers
/// that no double holds and nesting deeper than 512.
Json parse_json(std::string_view text, const std::string& origin);
Json read_json(const std::filesystem::path& path);
/// Two-space indented, with a final newline, atomically.
void write_json(const std::filesystem::path& path, const Json& json);

}  // namespace retort::host
