// A program that is started once and then answers one line for each line that it is sent. What the lines say is
// protocol.h's business.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace retort::process {

struct Settings {
  std::string program;
  std::vector<std::string> arguments;
  double timeout = 60;  ///< seconds for one answer
};

/// Whether work is to end; asked about ten times a second.
using ShouldStop = bool (*)();

/// Thrown by exchange() once the user asked to stop.
struct StopRequested {};

/// Used by one thread at a time. The program leads a process group of its own; when this object ends, its input ends,
/// and what still runs of the group after a second is killed.
class LineProcess {
 public:
  /// Throws std::runtime_error if the program cannot be started.
  LineProcess(Settings settings, ShouldStop should_stop);
  ~LineProcess();
  LineProcess(const LineProcess&) = delete;
  LineProcess& operator=(const LineProcess&) = delete;

  /// Sends the line and returns the next one, both without their line end. Throws std::runtime_error where the program
  /// ends, writes more than 64 MiB without a line end, or does not answer within the timeout: what was expected, how it
  /// ended, what it last wrote to standard error. After that, and after StopRequested, the program is gone.
  std::string exchange(const std::string& line);
  /// Sends a line that nothing is to answer; as exchange().
  void send(const std::string& line);
  bool alive() const { return child_ > 0; }
  /// Kills the program; `why` begins the message of the std::runtime_error that this throws.
  [[noreturn]] void give_up(const std::string& why);

 private:
  std::string communicate(const std::string& line, bool answered);
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

}  // namespace retort::process
