// Inside conformance.cpp: the log of checks, and one function per interface.
#pragma once

#include <retort/abi/plugin.h>

#include <functional>
#include <string>

#include "host/plugin/conformance.h"

namespace retort::host {

/// Thrown by a check's body.
struct CheckFailed {
  std::string detail;
};
struct CheckSkipped {
  std::string detail;
};

/// Throws CheckFailed unless `holds`.
void expect(bool holds, const std::string& detail);

class CheckLog {
 public:
  explicit CheckLog(int descriptor) : descriptor_(descriptor) {}
  /// Announces the check, runs `body`, records the outcome. An exception of any kind is a failure. Returns whether it
  /// passed.
  bool run(const std::string& component, const std::string& name, const std::function<void()>& body);

 private:
  void write(const ConformanceCheck& check) const;
  int descriptor_;
};

/// An instance with default parameters and its function table.
struct Subject {
  std::string id;
  retort_instance* instance;
  const void* table;

  template <typename Table>
  const Table& functions() const {
    return *static_cast<const Table*>(table);
  }
};

void check_distill(CheckLog& log, const Subject& subject);
void check_rl(CheckLog& log, const Subject& subject);
void check_preference(CheckLog& log, const Subject& subject);
void check_quantizer(CheckLog& log, const Subject& subject);
void check_sparsifier(CheckLog& log, const Subject& subject);
void check_pruner(CheckLog& log, const Subject& subject);
void check_teacher(CheckLog& log, const Subject& subject);
void check_reward(CheckLog& log, const Subject& subject);
void check_environment(CheckLog& log, const Subject& subject);

}  // namespace retort::host
