// How long a run takes to stop, in each of its stages.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>

#include <map>
#include <set>
#include <sstream>

#include "fault_fixture.h"

namespace retort::faults {

/// Processor seconds of a process and of the children that it waited for: what load from elsewhere does not stretch.
inline double processor_seconds(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::string field;
  double ticks = 0;
  for (int number = 3; fields >> field; ++number)  // see proc(5)
    if (number >= 14 && number <= 17) ticks += std::stod(field);
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct StopTime {
  double processor = 0, wall = 0;  ///< seconds from the signal to the process's end
  int status = 0;                  ///< as waitpid() gives it
  bool interrupted() const { return WIFEXITED(status) && WEXITSTATUS(status) == 130; }
};

/// Sends SIGINT and waits for the end.
inline StopTime interrupt(pid_t process) {
  const auto begin = std::chrono::steady_clock::now();
  const double before = processor_seconds(process);
  ::kill(process, SIGINT);
  rusage usage{};
  StopTime time;
  ::wait4(process, &time.status, 0, &usage);
  const auto seconds = [](const timeval& value) {
    return static_cast<double>(value.tv_sec) + static_cast<double>(value.tv_usec) * 1e-6;
  };
  time.wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  time.processor = seconds(usage.ru_utime) + seconds(usage.ru_stime) - before;
  return time;
}

/// Runs a config until it is complete, and stops it once in each stage, `delay` after the stage began; a stage that has
/// ended by then is not in the result.
class StopTimes {
 public:
  StopTimes(const fs::path& folder, std::vector<std::string> arguments, const fs::path& run)
      : folder_(folder), arguments_(std::move(arguments)), run_(run) {}

  std::map<std::string, StopTime> measure(std::chrono::milliseconds delay) {
    for (int start = 0; start < 60; ++start)
      if (!once(delay)) return times_;
    ADD_FAILURE() << "the run was never complete";
    return times_;
  }

 private:
  /// False when the run was complete.
  bool once(std::chrono::milliseconds delay) {
    const ChildCommand child(folder_, arguments_);
    std::string stage;
    for (;;) {
      stage = await(child);
      if (stage.empty()) break;
      std::this_thread::sleep_for(delay);
      if (running() == stage) break;
      short_.insert(stage);
    }
    if (stage.empty()) {
      const Outcome outcome = child.wait();
      EXPECT_EQ(outcome.code, 0) << outcome.err;
      return false;
    }
    const StopTime time = interrupt(child.id());
    if (WIFEXITED(time.status) && WEXITSTATUS(time.status) == 0) return false;  // it was done before it noticed
    EXPECT_TRUE(time.interrupted()) << stage << ": " << time.status << host::read_file(folder_ / "stderr.txt");
    times_[stage] = time;
    return true;
  }
  /// The next stage to be stopped, or "" when the run has ended.
  std::string await(const ChildCommand& child) const {
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      siginfo_t ended{};
      const int result = ::waitid(P_PID, static_cast<id_t>(child.id()), &ended, WEXITED | WNOHANG | WNOWAIT);
      if (result != 0 || ended.si_pid != 0) return "";
      if (std::string stage = running(); !stage.empty()) return stage;
    }
  }
  /// The stage that runs and was not stopped yet.
  std::string running() const {
    try {
      const Json record = host::read_json(run_ / "run.json");
      for (const Json& stage : record["stages"])
        if (stage["state"] == "running" && times_.count(stage["name"]) == 0 && short_.count(stage["name"]) == 0)
          return stage["name"];
    } catch (const std::exception&) {
      // Not there yet.
    }
    return "";
  }

  fs::path folder_;
  std::vector<std::string> arguments_;
  fs::path run_;
  std::map<std::string, StopTime> times_;
  std::set<std::string> short_;
};

}  // namespace retort::faults
