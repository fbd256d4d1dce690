// Values that a user brings, one list an argument: names that no row of the data holds.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "task/dataset.h"

namespace retort::stages {

/// "argument" or "tool.argument" -> its values in the order of the file, each once.
using ValueLists = std::map<std::string, std::vector<std::string>>;

/// Reads ARGUMENT.txt (for every tool that has it) and TOOL.ARGUMENT.txt from a folder: UTF-8, a value a line, plain or
/// compressed by gzip (.txt.gz); blank lines are passed over. Throws std::invalid_argument, naming the file, where a
/// name belongs to no argument (with the nearest), a list is empty or a line is not UTF-8, and where the folder has no
/// list.
ValueLists read_value_lists(const std::filesystem::path& folder, const std::vector<task::Tool>& tools);

/// The list of an argument: the tool's own before the one of every tool; nullptr where there is none.
const std::vector<std::string>* list_of(const ValueLists& lists, const std::string& tool, const std::string& argument);

}  // namespace retort::stages
