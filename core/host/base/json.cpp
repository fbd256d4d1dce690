#include "host/base/json.h"

#include <set>
#include <stdexcept>
#include <vector>

#include "host/base/files.h"
#include "host/base/utf8.h"

namespace retort::host {
namespace {

// Writing and destroying nested values recurse; this is far above what configs and models nest.
constexpr int greatest_depth = 512;

/// Without "[json.exception.parse_error.101] … column 3: ".
std::string reason_of(const Json::exception& error, const char* separator) {
  const std::string reason = error.what();
  const auto end = reason.find(separator);
  return end == std::string::npos ? reason : reason.substr(end + 2);
}

std::string place(std::string_view text, std::size_t byte) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (std::size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
    column = text[i] == '\n' ? 1 : column + 1;
    if (text[i] == '\n') ++line;
  }
  return std::to_string(line) + ":" + std::to_string(column);
}

}  // namespace

Json parse_json(std::string_view text, const std::string& origin) {
  std::vector<std::set<std::string>> open_objects;
  std::string duplicate;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > greatest_depth)
      throw std::invalid_argument(origin + ": nested deeper than " + std::to_string(greatest_depth) +
                                  " arrays and objects");
    if (event == Json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == Json::parse_event_t::object_end) open_objects.pop_back();
    if (event == Json::parse_event_t::key && !open_objects.back().insert(parsed.get<std::string>()).second &&
        duplicate.empty())
      duplicate = parsed.get<std::string>();
    return true;
  };
  try {
    Json json = Json::parse(text, watch, true, true);
    if (!duplicate.empty())
      throw std::invalid_argument(origin + ": the key \"" + duplicate + "\" stands twice in one object; keep one");
    return json;
  } catch (const Json::parse_error& error) {
    if (const std::string problem = utf8_problem(text); !problem.empty())
      throw std::invalid_argument(origin + ": " + problem);
    throw std::invalid_argument(origin + ":" + place(text, error.byte) + ": not valid JSON: " + reason_of(error, ": "));
  } catch (const Json::exception& error) {  // a number that does not fit; it has no place
    throw std::invalid_argument(origin + ": not valid JSON: " + reason_of(error, "] "));
  }
}

Json read_json(const std::filesystem::path& path) {
  return parse_json(read_file(path), path.string());
}

void write_json(const std::filesystem::path& path, const Json& json) {
  write_file_atomically(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace retort::host
