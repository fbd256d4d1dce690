// retort.host.storage/1: folders of the run that is under way, <run>/storage/<name>, for what outlives its stages.
#pragma once

#include <retort/abi/host_storage.h>

#include "host/run/run_folder.h"

namespace retort::host {

/// While it lives, the run under way of this process is that of `folder`; the extension answers with its folders.
class RunStorage {
 public:
  explicit RunStorage(const RunFolder& folder);
  ~RunStorage();
  RunStorage(const RunStorage&) = delete;
  RunStorage& operator=(const RunStorage&) = delete;
};

}  // namespace retort::host
