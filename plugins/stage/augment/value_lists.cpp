// Reads the folder of lists and checks each name against the tools.
#include "value_lists.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <stdexcept>

#include "data/source_lines.h"
#include "host/base/diagnostic.h"
#include "host/base/utf8.h"

namespace retort::stages {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_of(const std::vector<task::Tool>& tools) {
  std::set<std::string> names;
  for (const task::Tool& tool : tools) {
    const nlohmann::json properties = tool.parameters.value("properties", nlohmann::json::object());
    for (const auto& argument : properties.items()) {
      names.insert(argument.key());
      names.insert(tool.name + "." + argument.key());
    }
  }
  return {names.begin(), names.end()};
}

/// The name that a file's list is for; empty where the file is none.
std::string listed_name(const fs::path& file) {
  fs::path name = file.filename();
  if (name.extension() == ".gz") name = name.stem();
  return name.extension() == ".txt" ? name.stem().string() : std::string();
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> read_list(const fs::path& file) {
  data::SourceLines lines(file);
  std::vector<std::string> values;
  std::set<std::string> known;
  for (std::string line; lines.next_filled(line);) {
    const std::string problem = host::utf8_problem(line);
    if (!problem.empty()) {
      throw std::invalid_argument("value_lists: " + file.string() + ":" + std::to_string(lines.line()) + ": " +
                                  problem);
    }
    std::string value = trimmed(line);
    if (known.insert(value).second) values.push_back(std::move(value));
  }
  if (values.empty()) {
    throw std::invalid_argument("value_lists: " + file.string() + ": expected a value a line, found none");
  }
  return values;
}

}  // namespace

ValueLists read_value_lists(const fs::path& folder, const std::vector<task::Tool>& tools) {
  if (!fs::is_directory(folder)) {
    throw std::invalid_argument("value_lists: expected a folder of ARGUMENT.txt, found the file " + folder.string());
  }
  const std::vector<std::string> known = names_of(tools);
  ValueLists lists;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = listed_name(entry.path());
    if (name.empty()) continue;
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::vector<std::string> alike;
      const bool qualified = name.find('.') != std::string::npos;
      std::copy_if(known.begin(), known.end(), std::back_inserter(alike),
                   [&](const std::string& one) { return (one.find('.') != std::string::npos) == qualified; });
      const std::string nearest = host::nearest_name(name, alike);
      throw std::invalid_argument("value_lists: " + entry.path().string() +
                                  ": expected a file named after an argument of a tool, found \"" + name + "\"" +
                                  (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
    }
    if (!lists.emplace(name, read_list(entry.path())).second) {
      throw std::invalid_argument("value_lists: " + folder.string() + " has two lists of \"" + name + "\"");
    }
  }
  if (lists.empty()) {
    throw std::invalid_argument("value_lists: expected files ARGUMENT.txt, one value a line, found none in " +
                                folder.string());
  }
  return lists;
}

const std::vector<std::string>* list_of(const ValueLists& lists, const std::string& tool, const std::string& argument) {
  auto found = lists.find(tool + "." + argument);
  if (found == lists.end()) found = lists.find(argument);
  return found == lists.end() ? nullptr : &found->second;
}

}  // namespace retort::stages
