// A grammar as instructions for byte_automaton.h: what may be read at a place, and where reading goes on. Made by
// program_builder.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "grammar/character_automaton.h"
#include "text/tokenizer.h"

namespace retort::grammar {

using text::TokenId;
using Address = std::int32_t;

/// How a text's characters are written.
enum class Writing : std::uint8_t {
  plain,   ///< as they are, up to where the automaton accepts
  quoted,  ///< as in a JSON string, closing quote included
};

/// A list: items, each read by a rule, with something between them. Also the calls of an answer.
struct ListShape {
  std::vector<Address> prefix;  ///< rules of the first items
  Address items = -1;           ///< rule of the others; -1: none
  std::uint32_t least = 0, most = UINT32_MAX;
  Address between = -1;  ///< what stands before another item, ending in list_item; -1: nothing
  Address close = -1;    ///< where reading goes on behind the list
  Address after = -1;    ///< the list_after
};

/// Members, each once. Also arguments behind tokens of their own.
struct ObjectShape {
  struct Member {
    Address key = -1;  ///< ends in object_value
    Address value = -1;
    bool required = false;
  };
  struct Other {
    Address key = -1;  ///< a rule
    Address colon = -1;
    Address value = -1;
  };
  std::vector<Member> members;
  std::vector<Other> others;
  bool any_order = false;  ///< false: as `members` lists them, then others
  std::uint32_t least = 0, most = UINT32_MAX;
  Address between = -1, close = -1, after = -1;  ///< as ListShape's; `between` ends in object_key
};

struct Instruction {
  enum class Kind : std::uint8_t {
    literal,       ///< reads `bytes`
    token,         ///< reads the token `token`
    text_begin,    ///< goes to the text at `next`, whose counters begin
    text,          ///< reads characters of `text`
    space,         ///< reads at most eight of space, tab and newlines
    choose,        ///< goes to one of `targets`
    call,          ///< goes to targets[0], and from its give_back to `next`
    give_back,     ///< ends a rule
    accept,        ///< the answer is complete
    list_begin,    ///< of lists[shape]
    list_after,    ///< an item was read
    list_item,     ///< an item comes
    object_begin,  ///< of objects[shape]
    object_after,  ///< a member was read
    object_key,    ///< a member comes
    object_value,  ///< the key of member `index` was read
    other_colon,   ///< the key of others[index] was read
    other_value    ///< and what stands behind it
  };
  Kind kind = Kind::accept;
  Address next = -1;
  std::int32_t shape = -1, index = -1;
  TokenId token = -1;
  Writing writing = Writing::plain;
  bool from_conversation = false;  ///< text: may be limited to what was said (said_parts.h)
  std::string bytes;
  std::shared_ptr<const CountedText> text;
  std::vector<Address> targets;
};

/// Immutable; any thread.
struct Program {
  std::vector<Instruction> code;
  std::vector<ListShape> lists;
  std::vector<ObjectShape> objects;
  Address start = 0;
  std::vector<TokenId> ends;  ///< tokens that may follow a complete answer; none: it just stops
};

}  // namespace retort::grammar
