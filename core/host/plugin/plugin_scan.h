// Finding out what a library offers without loading it here: a child process loads it and reports.
#pragma once

#include <filesystem>

#include "host/plugin/registry.h"

namespace retort::host {

struct ScanResult {
  PluginInfo info;    ///< with its refusal, if any
  bool final = true;  ///< false: the reason may go away without the file changing, so it is not worth remembering
  bool timed_out = false;
};

/// Never throws for a bad library; refuses another file than `library` was when it was judged. `seconds` bound the
/// child's life. [any-thread]
ScanResult scan_plugin(const FileIdentity& library, double seconds);

}  // namespace retort::host
