// Whether a grammar takes a JSON value, however its text is spaced and its numbers are spelled.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "grammar/program.h"
#include "schema/schema_document.h"

namespace retort::grammar {

/// `json` without white space; 2.0 and 2e0 become 2, other numbers the shortest text of the same double.
std::string compact_text(const schema::OrderedJson& json);
/// `text`, valid JSON, less its white space between tokens.
std::string without_white_space(std::string_view text);

/// Whether `program`, made for compact JSON with keys in any order, takes the value of the JSON `text`, as it is
/// spelled or as compact_text() spells it. Throws std::invalid_argument where `text` is no JSON, has a key twice or an
/// integer beyond 64 bits.
class InstanceCheck {
 public:
  explicit InstanceCheck(std::shared_ptr<const Program> program);
  ~InstanceCheck();
  bool accepts(std::string_view text);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace retort::grammar
