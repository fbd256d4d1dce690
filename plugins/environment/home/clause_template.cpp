// Parses the notation of data.h for one clause, and draws from it.
#include "clause_template.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace retort::home {
namespace {

using Kinds = std::map<std::string, std::string>;

class Parser {
 public:
  Parser(std::string_view text, const Kinds& kinds) : text_(text), kinds_(kinds) {}

  std::vector<Piece> parse() {
    std::vector<Piece> pieces = sequence();
    if (position_ != text_.size()) fail("a balanced template");
    return pieces;
  }

 private:
  std::vector<Piece> sequence() {
    std::vector<Piece> pieces;
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (c == '|' || c == ')' || c == ']') break;
      if (c == '(' || c == '[') {
        pieces.push_back(choice(c == '(' ? ')' : ']'));
      } else if (c == '{') {
        pieces.push_back(slot());
      } else {
        pieces.push_back(words());
      }
    }
    return pieces;
  }

  Piece words() {
    const std::size_t end = std::min(text_.find_first_of("()[]{|", position_), text_.size());
    Piece piece{Piece::Kind::words, std::string(text_.substr(position_, end - position_)), "", {}};
    position_ = end;
    return piece;
  }

  Piece slot() {
    const std::size_t end = text_.find('}', position_);
    if (end == std::string_view::npos) fail("'}'");
    std::string name(text_.substr(position_ + 1, end - position_ - 1));
    position_ = end + 1;
    std::string kind;
    const std::size_t colon = name.find(':');
    if (colon != std::string::npos) {
      kind = name.substr(colon + 1);
      name.resize(colon);
    } else {
      const auto found = kinds_.find(name);
      kind = found != kinds_.end() ? found->second : name;
    }
    check_slot_kind(kind);
    return {Piece::Kind::slot, std::move(name), std::move(kind), {}};
  }

  Piece choice(char closing) {
    Piece piece{Piece::Kind::choice, "", "", {}};
    do {
      ++position_;
      piece.choices.push_back(sequence());
    } while (position_ < text_.size() && text_[position_] == '|');
    if (position_ >= text_.size() || text_[position_] != closing) fail(std::string("'") + closing + "'");
    ++position_;
    if (closing == ']') piece.choices.emplace_back();
    return piece;
  }

  [[noreturn]] void fail(const std::string& expected) const {
    throw std::invalid_argument("template \"" + std::string(text_) + "\" at " + std::to_string(position_) +
                                ": expected " + expected);
  }

  std::string_view text_;
  const Kinds& kinds_;
  std::size_t position_ = 0;
};

void draw_into(const std::vector<Piece>& pieces, Split split, Random& random, Clause& clause) {
  for (const Piece& piece : pieces) {
    if (piece.kind == Piece::Kind::words) {
      clause.text += piece.text;
      if (piece.text.find_first_not_of(' ') != std::string::npos) clause.ends_in_free_text = false;
    } else if (piece.kind == Piece::Kind::slot) {
      SlotValue value = draw_slot(piece.slot_kind, split, random);
      clause.text += value.surface;
      clause.arguments[piece.text] = std::move(value.value);
      clause.ends_in_free_text = value.free_text;
    } else {
      draw_into(random.pick(piece.choices), split, random, clause);
    }
  }
}

/// An optional group that was left out leaves two spaces, or one at an end.
std::string single_spaces(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == ' ' && (result.empty() || result.back() == ' ')) continue;
    result += c;
  }
  if (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

}  // namespace

ClauseTemplate::ClauseTemplate(std::string id, std::string_view text, const Kinds& kinds, nlohmann::json fixed,
                               bool test_only, bool imperative)
    : id_(std::move(id)),
      pieces_(Parser(text, kinds).parse()),
      fixed_(std::move(fixed)),
      test_only_(test_only),
      imperative_(imperative) {}

Clause ClauseTemplate::draw(Split split, Random& random) const {
  Clause clause;
  clause.arguments = fixed_;
  draw_into(pieces_, split, random, clause);
  clause.text = single_spaces(clause.text);
  return clause;
}

}  // namespace retort::home
