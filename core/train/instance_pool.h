// Instances of one algorithm lent to threads, each to one at a time. Internal to core/train.
#pragma once

#include <mutex>
#include <vector>

namespace retort::train {

/// There must be as many instances as threads that ask.
template <typename Call>
class InstancePool {
 public:
  /// Borrows `all`.
  explicit InstancePool(const std::vector<Call>& all) {
    for (const Call& one : all) free_.push_back(&one);
  }
  class Lease {
   public:
    explicit Lease(InstancePool& pool) : pool_(pool), one_(pool.take()) {}
    ~Lease() { pool_.give(one_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    const Call& operator*() const { return *one_; }

   private:
    InstancePool& pool_;
    const Call* one_;
  };

 private:
  const Call* take() {
    const std::lock_guard lock(mutex_);
    const Call* one = free_.back();
    free_.pop_back();
    return one;
  }
  void give(const Call* one) {
    const std::lock_guard lock(mutex_);
    free_.push_back(one);
  }
  std::mutex mutex_;
  std::vector<const Call*> free_;
};

}  // namespace retort::train
