// Parses the notation of data.h for one clause, and draws from it.
#include "clause_template.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "marks.h"

namespace retort::home {
namespace {

using nlohmann::json;
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

class Drawing {
 public:
  Drawing(const DrawSetting& setting, Random& random, Clause& clause)
      : setting_(setting), random_(random), clause_(clause) {}

  void draw(const std::vector<Piece>& pieces) {
    for (const Piece& piece : pieces) {
      if (piece.kind == Piece::Kind::words) {
        clause_.text += piece.text;
        if (piece.text.find_first_not_of(' ') != std::string::npos) clause_.ends_in_free_text = false;
      } else if (piece.kind == Piece::Kind::slot) {
        take(piece, draw_slot(piece.slot_kind, setting_, random_));
      } else {
        draw(random_.pick(piece.choices));
      }
    }
  }
  /// Whether two slots of one kind have got the same value.
  bool repeats() const { return repeats_; }

 private:
  void take(const Piece& piece, SlotValue value) {
    clause_.text += value.surface;
    clause_.ends_in_free_text = value.free_text;
    std::vector<json>& drawn = drawn_[piece.slot_kind];
    repeats_ = repeats_ || std::find(drawn.begin(), drawn.end(), value.value) != drawn.end();
    drawn.push_back(value.value);
    if (value.several) {
      clause_.values.update(value.value);
      return;
    }
    const std::size_t spans = copied_spans(value.surface).size();
    for (std::size_t i = 0; i < spans; ++i)
      clause_.copied.push_back("/" + piece.text + (value.value.is_array() ? "/" + std::to_string(i) : ""));
    clause_.values[piece.text] = std::move(value.value);
  }

  const DrawSetting& setting_;
  Random& random_;
  Clause& clause_;
  std::map<std::string, std::vector<json>> drawn_;
  bool repeats_ = false;
};

/// An optional group that was left out leaves two spaces, one at an end, or one before a comma.
std::string single_spaces(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == ' ' && (result.empty() || result.back() == ' ')) continue;
    if (c == ',' && !result.empty() && result.back() == ' ') result.pop_back();
    result += c;
  }
  if (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

/// Puts the values where the pattern has "{slot}".
json filled(const json& pattern, const json& values) {
  if (pattern.is_string()) {
    const std::string& text = pattern.get_ref<const std::string&>();
    const bool slot = text.size() > 2 && text.front() == '{' && text.back() == '}';
    return slot ? values.at(text.substr(1, text.size() - 2)) : pattern;
  }
  json result = pattern;
  if (pattern.is_structured())
    for (auto member = result.begin(); member != result.end(); ++member) *member = filled(*member, values);
  return result;
}

}  // namespace

ClauseTemplate::ClauseTemplate(TemplateSource source)
    : source_(std::move(source)), pieces_(Parser(source_.say, source_.kinds).parse()) {}

Clause ClauseTemplate::draw(const DrawSetting& setting, Random& random) const {
  for (;;) {
    Clause clause;
    clause.values = source_.arguments;
    Drawing drawing(setting, random, clause);
    drawing.draw(pieces_);
    if (drawing.repeats()) continue;
    clause.text = single_spaces(clause.text);
    return clause;
  }
}

json ClauseTemplate::calls(const std::string& tool, const json& values) const {
  if (!source_.calls.is_null()) return filled(source_.calls, values);
  if (tool == "none") return json::array();
  json arguments = json::object();
  for (const auto& member : values.items())
    if (!member.key().starts_with("_")) arguments[member.key()] = member.value();
  return json::array({{{"name", tool}, {"arguments", std::move(arguments)}}});
}

}  // namespace retort::home
