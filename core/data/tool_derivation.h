// Tools that nobody has written down, from the calls that were made.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "task/conversation.h"

namespace retort::data {

/// Memory grows with tools and arguments, not with rows.
class ToolDerivation {
 public:
  void take(const task::Call& call);
  /// By name; each argument with the types that were seen, none required. An argument that is a list somewhere is a
  /// list everywhere: see with_lists.
  std::vector<task::Tool> tools() const;

 private:
  std::map<std::string, std::map<std::string, std::set<std::string>>> seen_;  ///< tool → argument → JSON types
};

/// Tools that rows bring along, joined by their names: what takes a row's call takes it still.
class ToolUnion {
 public:
  void take(const task::ToolSet& tools);
  /// In the order seen. A name's arguments are those of all its definitions, required where all require them; an
  /// enumeration has the values of all, and is none where one definition has none.
  std::vector<task::Tool> tools() const { return tools_; }

 private:
  static void join(task::Tool& known, const task::Tool& other);
  std::vector<task::Tool> tools_;
  std::map<std::string, std::size_t> places_;
  task::ToolSet last_;
};

/// Single values of arguments that the tools take as lists become lists of one; returns how many did.
std::int64_t with_lists(task::Conversation& conversation, const std::vector<task::Tool>& tools);

}  // namespace retort::data
