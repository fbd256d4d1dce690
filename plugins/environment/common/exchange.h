// How a world elsewhere is reached: one text there, one text back. Which way it goes is the implementation's business.
#pragma once

#include <string>

namespace retort::environments {

/// Whether work is to end; asked about ten times a second.
using ShouldStop = bool (*)();

/// Thrown once the user asked to stop.
struct StopRequested {};

class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;
  /// Sends a JSON text and returns the answer. Throws std::runtime_error where there is none in time, or a longer one
  /// than the limit: who, what was expected, what happened. Throws StopRequested.
  virtual std::string exchange(const std::string& text) = 0;
  /// Sends a text that nothing is to answer; as exchange().
  virtual void send(const std::string& text) = 0;
  /// False once the other side is gone for good.
  virtual bool alive() const = 0;
  /// Whether exchange() may be called by several threads at once.
  virtual bool concurrent() const = 0;
  /// Ends what can no longer be trusted; `why` stands in the message of the std::runtime_error that this throws.
  [[noreturn]] virtual void give_up(const std::string& why) = 0;
};

}  // namespace retort::environments
