// What built-in functions may ask of the rendering that they run in: its budget, its clock, its dialect, and calls
// back.
#pragma once

#include <cstddef>
#include <ctime>
#include <functional>
#include <string>

#include "template/value.h"

namespace retort::jinja {

/// Bounds on one rendering; each ends it with an error. A chat prompt stays far below them.
struct Limits {
  std::size_t steps = 50'000'000;               ///< evaluated nodes, visited items; a second or so
  std::size_t bytes = std::size_t{512} << 20U;  ///< of all values made, in total
  std::size_t output = std::size_t{64} << 20U;  ///< of the prompt
  int depth = 600;                              ///< nested statements and expressions under evaluation
};

/// Whose values and spelling. `javascript` is that of the package @huggingface/jinja, for prompts as transformers.js
/// makes them: true, null and ["a"] instead of True, None and ['a']; generators are lists; `text + number` joins;
/// `in` tells true from 1; `null` is a literal.
enum class Dialect { python, javascript };

using Clock = std::function<std::tm()>;  ///< the time that strftime_now shows

class Session {
 public:
  Session(const Limits& limits, Dialect dialect, Clock clock)
      : limits_(limits), dialect_(dialect), clock_(std::move(clock)) {}
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void step(std::size_t count = 1);  ///< throws std::invalid_argument when the budget is used up
  void produce(std::size_t bytes);   ///< the same for memory; counts steps for long values too
  const Limits& limits() const { return limits_; }
  Dialect dialect() const { return dialect_; }
  bool javascript() const { return dialect_ == Dialect::javascript; }
  std::tm now() const { return clock_(); }

  /// Text whose bytes are counted.
  Value text(std::string value);
  Value markup(std::string value);
  /// Text or markup, as `model` is.
  Value text_like(const Value& model, std::string value);
  Value list(std::vector<Value> items, Sequence::Kind kind = Sequence::Kind::list);

  virtual Value call(const Value& callee, Arguments arguments) = 0;
  virtual std::shared_ptr<Namespace> make_namespace() = 0;  ///< cleared when the rendering ends: it may hold itself

 private:
  Limits limits_;
  Dialect dialect_;
  Clock clock_;
  std::size_t steps_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace retort::jinja
