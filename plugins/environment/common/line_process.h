// A program that is started once and then answers lines that it is sent with lines of its own. What they say is the
// caller's business.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "exchange.h"

namespace retort::environments {

struct Settings {
  std::string program;  ///< a path, or a name that PATH has
  std::vector<std::string> arguments;
  double timeout = 60;                                ///< seconds for one answer
  std::size_t output_limit = std::size_t{64} << 20U;  ///< bytes of one line
};

/// Used by one thread at a time. The program leads a process group of its own; when this object ends, its input ends,
/// and what still runs of the group after a second is killed.
class LineProcess final : public Exchange {
 public:
  /// Throws std::runtime_error if the program cannot be started.
  LineProcess(Settings settings, ShouldStop should_stop);
  ~LineProcess() override;

  /// Sends the line and returns the next one, both without their line end. Throws std::runtime_error where the program
  /// ends, writes more than the limit without a line end, or does not answer within the timeout: what was expected, how
  /// it ended, what it last wrote to standard error. After that, and after StopRequested, the program is gone.
  std::string exchange(const std::string& line) override;
  /// Sends a line that nothing is to answer; as exchange().
  void send(const std::string& line) override;
  /// The next line that the program writes within so many seconds; as exchange().
  std::string next(double seconds);
  bool alive() const override { return child_ > 0; }
  bool concurrent() const override { return false; }
  /// Kills the program; `why` begins the message of the std::runtime_error that this throws.
  [[noreturn]] void give_up(const std::string& why) override;

 private:
  std::string communicate(std::string rest, bool answered, double seconds);
  bool wait(bool sending, double seconds);
  void write_some(std::string& rest);
  bool read_some();
  void hear_errors();
  std::string how_it_ended();
  void end(double grace);

  Settings settings_;
  ShouldStop should_stop_;
  pid_t child_ = -1;
  int input_ = -1, output_ = -1, errors_ = -1;
  std::string received_, last_words_;
};

}  // namespace retort::environments
