// What surrounds the calls of an answer, as data: a prompt form says it, core/grammar turns it into token masks. Plain
// structures without behaviour, so that a new form needs no new grammar.
//
// An answer is one of
//   no_call  ending                                                    (where no_call is allowed)
//   text  ending                                                       (where Text says so)
//   [text]  before_calls  call  (between_calls call)*  after_calls  ending
// and a call is  tool.before  arguments  tool.after.  `ending` is one of `ends`.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace retort::task {

/// Bytes, or one token by its id: special tokens, and what the form writes as one token, are never matched by bytes.
struct EnvelopePart {
  std::string text;
  text::TokenId token = -1;  ///< where not negative, `text` is unused
};
using EnvelopeParts = std::vector<EnvelopePart>;

/// White space between the tokens of JSON. None stands before or after a value.
enum class JsonSpacing : std::uint8_t {
  compact,  ///< none: {"a":1,"b":[2,3]}
  spaced,   ///< one space behind , and :, as Python's json.dumps: {"a": 1, "b": [2, 3]}
  loose,    ///< at most eight spaces, tabs or newlines anywhere between tokens: models of unknown training
};

/// In which order the properties of an object stand.
enum class KeyOrder : std::uint8_t {
  alphabetical,  ///< by bytes, as nlohmann::json writes
  schema,        ///< as "properties" lists them, then what only "required" names, then others; needs ordered schemas
  any,           ///< each once, in any order
};

struct JsonStyle {
  JsonSpacing spacing = JsonSpacing::compact;
  KeyOrder order = KeyOrder::alphabetical;
};

/// How the value of an argument is written that stands behind its own token.
enum class ValueForm : std::uint8_t {
  json,         ///< a space, then JSON in the envelope's style
  raw_string,   ///< a space, then the string's characters up to the next special token
  string_list,  ///< a space and a spoken list, or `next_item`, a space and the characters for every item
};

struct ArgumentEnvelope {
  std::string name;
  text::TokenId token = -1;  ///< stands before the value
  ValueForm form = ValueForm::json;
};

struct ToolEnvelope {
  std::string name;
  nlohmann::ordered_json parameters;        ///< the JSON Schema of the arguments, an object
  EnvelopeParts before, after;              ///< of the arguments
  std::vector<ArgumentEnvelope> arguments;  ///< each behind its token; empty together with
  bool by_token = false;                    ///< false: the arguments are one JSON object instead
};

/// Whether text for the user may stand in an answer.
enum class EnvelopeText : std::uint8_t {
  none,
  instead_of_calls,           ///< an answer is text or calls
  before_or_instead_of_calls  ///< text, calls, or calls behind text
};

struct CallEnvelope {
  std::vector<ToolEnvelope> tools;
  EnvelopeParts before_calls, between_calls, after_calls;
  bool may_call_nothing = true;
  EnvelopeParts no_call;  ///< what stands for no call; empty: the answer is only an ending
  EnvelopeText text = EnvelopeText::none;
  std::vector<text::TokenId> ends;
  std::int64_t most_calls = 16;
  JsonStyle style;
  // Of arguments by token.
  bool any_argument_order = false;  ///< false: as ToolEnvelope::arguments lists them
  text::TokenId next_item = -1;
  std::string conjunction;  ///< before the last item of a spoken list; "": lists stand item by item
};

}  // namespace retort::task
