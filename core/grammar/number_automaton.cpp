// See number_automaton.h. A number's text is compared with its bounds digit by digit: a state knows the sign, how many
// digits stand before the point, and how what stands there compares with as many digits of each bound.
#include "grammar/number_automaton.h"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

#include "grammar/limits.h"
#include "schema/number.h"

namespace retort::grammar {
namespace {

using schema::Json;

constexpr std::int64_t most_fraction_digits = 24;
constexpr std::int64_t most_whole_digits = 18;  // of a number without a bound: any fits into 64 bits

/// A magnitude: digits before and behind the point.
struct Magnitude {
  std::string whole = "0", fraction;
  bool exclusive = false;
};

Magnitude magnitude_of(const Json& number, bool exclusive) {
  constexpr std::int64_t most_places = 400;  // beyond any double
  const schema::Decimal decimal = schema::decimal_of(number);
  Magnitude result;
  result.exclusive = exclusive;
  if (decimal.digits == "0") return result;
  const auto digits = static_cast<std::int64_t>(decimal.digits.size());
  const std::int64_t whole = std::clamp<std::int64_t>(digits + decimal.exponent, -most_places, most_places);
  result.whole.clear();
  for (std::int64_t i = 0; i < whole; ++i)
    result.whole += i < digits ? decimal.digits[static_cast<std::size_t>(i)] : '0';
  if (result.whole.empty()) result.whole = "0";
  for (std::int64_t i = whole; i < digits; ++i)
    result.fraction += i < 0 ? '0' : decimal.digits[static_cast<std::size_t>(i)];
  return result;
}

/// What the magnitudes of one sign must lie between; `most` may be absent.
struct Range {
  Magnitude least;
  std::optional<Magnitude> most;
  bool possible = true;
};

bool is_negative(const Json& number) {
  return schema::compare_numbers(number, Json(0)) < 0;
}
bool is_zero(const Json& number) {
  return schema::compare_numbers(number, Json(0)) == 0;
}

/// Of numbers from 0 up, or mirrored, of those from 0 down.
Range range_of(const NumberBounds& bounds, bool negative) {
  const auto& near = negative ? bounds.most : bounds.least;
  const auto& far = negative ? bounds.least : bounds.most;
  const bool near_exclusive = negative ? bounds.most_exclusive : bounds.least_exclusive;
  const bool far_exclusive = negative ? bounds.least_exclusive : bounds.most_exclusive;
  const auto beyond_zero = [negative](const Json& bound) {  // on this sign's side
    return !is_zero(bound) && is_negative(bound) == negative;
  };
  Range range;
  if (near && (beyond_zero(*near) || is_zero(*near))) range.least = magnitude_of(*near, near_exclusive);
  if (!far) return range;
  if (!beyond_zero(*far) && !is_zero(*far)) range.possible = false;
  range.most = magnitude_of(*far, far_exclusive);
  return range;
}

/// Where a text stands. `order` of the digits so far against each bound's: -1, 0, 1.
struct Place {
  enum class Phase : std::uint8_t { start, sign, zero, whole, point, fraction } phase = Phase::start;
  bool negative = false;
  std::int64_t digits = 0;  ///< of the whole part, then of the fraction
  int least_order = 0, most_order = 0;
  bool only_zeros = true;
  std::vector<std::int64_t> remainders;
  auto operator<=>(const Place&) const = default;
};

class Machine {
 public:
  Machine(const NumberBounds& bounds, bool integers) : bounds_(bounds), integers_(integers) {
    for (const bool negative : {false, true}) ranges_[negative ? 1 : 0] = range_of(bounds, negative);
    fraction_digits_ = most_fraction_digits;
    for (const Range& range : ranges_)
      for (const Magnitude* bound : {&range.least, range.most ? &*range.most : nullptr})
        if (bound != nullptr && bound->exclusive)
          fraction_digits_ = std::min<std::int64_t>(
              fraction_digits_, std::max<std::int64_t>(1, 15 - static_cast<std::int64_t>(bound->whole.size())));
  }

  CharacterAutomaton automaton() {
    static const std::string signs = "-.0123456789";
    CharacterAutomaton result;
    result.starts = {0, '-', '.', '/'};
    result.class_of = {CharacterAutomaton::dead, 0, 1, CharacterAutomaton::dead};
    for (std::int32_t digit = 0; digit < 10; ++digit)
      result.starts.push_back(static_cast<std::uint32_t>('0' + digit)), result.class_of.push_back(2 + digit);
    result.starts.push_back(':'), result.class_of.push_back(CharacterAutomaton::dead);
    result.classes = static_cast<std::int32_t>(signs.size());
    Place start;
    start.remainders.assign(bounds_.multiples_of.size(), 0);
    std::map<Place, std::int32_t> known{{start, 0}};
    std::vector<Place> list{start};
    for (std::size_t i = 0; i < list.size(); ++i) {
      check_limits(list.size(), 5 * most_automaton_states, "states of a number's range");
      result.accepts.push_back(ends(list[i]) ? 1 : 0);
      for (const char sign : signs) {
        const std::optional<Place> next = step(list[i], sign);
        if (!next) {
          result.next.push_back(CharacterAutomaton::dead);
          continue;
        }
        const auto [found, fresh] = known.emplace(*next, static_cast<std::int32_t>(list.size()));
        if (fresh) list.push_back(*next);
        result.next.push_back(found->second);
      }
    }
    return finished(std::move(result));
  }

 private:
  using Phase = Place::Phase;

  const Range& range(const Place& place) const { return ranges_[place.negative ? 1 : 0]; }

  static void compare(int& order, char digit, const std::string& bound, std::int64_t index) {
    const char other = index < static_cast<std::int64_t>(bound.size()) ? bound[static_cast<std::size_t>(index)] : '0';
    if (order == 0) order = digit < other ? -1 : digit > other ? 1 : 0;
  }

  std::optional<Place> step(Place place, char sign) const {
    if (sign == '-') {
      if (place.phase != Phase::start || !ranges_[1].possible) return std::nullopt;
      place.phase = Phase::sign;
      place.negative = true;
      return place;
    }
    if (sign == '.') {
      if (integers_ || (place.phase != Phase::zero && place.phase != Phase::whole)) return std::nullopt;
      settle_whole(place);
      place.phase = Phase::point;
      place.digits = 0;
      return place;
    }
    return digit(std::move(place), sign);
  }

  /// The whole part is complete: one with more digits is larger.
  void settle_whole(Place& place) const {
    const auto settle = [&](int& order, const Magnitude& bound) {
      const auto length = static_cast<std::int64_t>(bound.whole.size());
      if (place.digits != length) order = place.digits < length ? -1 : 1;
    };
    settle(place.least_order, range(place).least);
    if (range(place).most) settle(place.most_order, *range(place).most);
  }

  std::optional<Place> digit(Place place, char sign) const {
    const Range& bounds = range(place);
    const bool whole = place.phase == Phase::start || place.phase == Phase::sign || place.phase == Phase::whole;
    if (place.phase == Phase::zero || !bounds.possible) return std::nullopt;
    const std::int64_t most = whole ? whole_digits(bounds) : fraction_digits_;
    if (place.digits >= most) return std::nullopt;
    const auto part = [whole](const Magnitude& bound) -> const std::string& {
      return whole ? bound.whole : bound.fraction;
    };
    if (whole && place.digits >= static_cast<std::int64_t>(bounds.least.whole.size()))
      place.least_order = place.least_order == 0 ? 1 : place.least_order;
    else
      compare(place.least_order, sign, part(bounds.least), place.digits);
    if (bounds.most) compare(place.most_order, sign, part(*bounds.most), place.digits);
    place.only_zeros = place.only_zeros && sign == '0';
    for (std::size_t i = 0; i < place.remainders.size(); ++i) {
      const auto of = bounds_.multiples_of[i].get<std::int64_t>();
      place.remainders[i] = (place.remainders[i] * 10 + (sign - '0')) % of;
    }
    ++place.digits;
    place.phase = !whole ? Phase::fraction : sign == '0' && place.digits == 1 ? Phase::zero : Phase::whole;
    return place;
  }

  static std::int64_t whole_digits(const Range& bounds) {
    return bounds.most ? static_cast<std::int64_t>(bounds.most->whole.size()) : most_whole_digits;
  }

  bool ends(Place place) const {
    if (place.phase == Phase::start || place.phase == Phase::sign || place.phase == Phase::point) return false;
    if (integers_ && place.negative && place.only_zeros) return false;
    if (place.phase != Phase::fraction) settle_whole(place);
    const std::int64_t behind = place.phase == Phase::fraction ? place.digits : 0;
    const auto settled = [&](int order, const Magnitude& bound) {
      if (order != 0) return order;
      const std::string& fraction = bound.fraction;
      return behind < static_cast<std::int64_t>(fraction.size()) &&
                     fraction.find_first_not_of('0', static_cast<std::size_t>(behind)) != std::string::npos
                 ? -1
                 : 0;
    };
    const Range& bounds = range(place);
    const int least = settled(place.least_order, bounds.least);
    if (least < 0 || (least == 0 && bounds.least.exclusive)) return false;
    if (bounds.most) {
      const int most = settled(place.most_order, *bounds.most);
      if (most > 0 || (most == 0 && bounds.most->exclusive)) return false;
    }
    return std::all_of(place.remainders.begin(), place.remainders.end(), [](std::int64_t rest) { return rest == 0; });
  }

  NumberBounds bounds_;
  bool integers_;
  std::array<Range, 2> ranges_;
  std::int64_t fraction_digits_ = 0;
};

/// Bounds that 64 bits hold where there are none, or farther ones.
NumberBounds within_64_bits(NumberBounds bounds) {
  const Json least = INT64_MIN, most = INT64_MAX, most_unsigned = UINT64_MAX;
  if (!bounds.least || schema::compare_numbers(*bounds.least, least) < 0)
    bounds.least = least, bounds.least_exclusive = false;
  if (!bounds.most) bounds.most = most, bounds.most_exclusive = false;
  if (schema::compare_numbers(*bounds.most, most_unsigned) > 0) bounds.most = most, bounds.most_exclusive = false;
  return bounds;
}

}  // namespace

CharacterAutomaton integer_texts(const NumberBounds& bounds) {
  for (const Json& of : bounds.multiples_of)
    if (!of.is_number_integer() || of.get<std::int64_t>() > 1000000)
      throw std::invalid_argument("\"multipleOf\": a grammar knows integers up to 1000000, found " + of.dump());
  const bool plain = !bounds.least && !bounds.most && bounds.multiples_of.empty();
  static const CharacterAutomaton any = Machine(within_64_bits({}), true).automaton();
  return plain ? any : Machine(within_64_bits(bounds), true).automaton();
}

CharacterAutomaton number_texts(const NumberBounds& bounds) {
  if (!bounds.multiples_of.empty()) return integer_texts(bounds);
  if (bounds.least || bounds.most) return Machine(bounds, false).automaton();
  static const CharacterAutomaton any =
      united(from_pattern("^-?((0|[1-9][0-9]{0,19})(\\.[0-9]{1,24}([eE][-+]?[0-9]{1,2})?|[eE][-+]?[0-9]{1,2})|"
                          "[0-9](\\.[0-9]{1,24})?[eE][-+]?([12][0-9]{2}|30[0-7]))$"),
             Machine(within_64_bits({}), true).automaton());
  return any;
}

}  // namespace retort::grammar
