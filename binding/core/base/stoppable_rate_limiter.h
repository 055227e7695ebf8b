#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "core/base/operation.h"
#include "rocksdb/rate_limiter.h"

namespace rocksdb_backup {

// One operation's access to a rate limiter that other operations may share. When the operation is stopped, waiting in
// the limiter ends soon, whatever the rate is: only one of the operation's threads waits in the limiter's queue at a
// time, and only for a part of a burst.
class StoppableRateLimiter : public rocksdb::RateLimiter {
 public:
  StoppableRateLimiter(std::shared_ptr<rocksdb::RateLimiter> limiter, std::shared_ptr<Operation> operation)
      : RateLimiter(Mode::kAllIo), limiter_(std::move(limiter)), operation_(std::move(operation)) {}

  using RateLimiter::Request;
  void Request(int64_t bytes, rocksdb::Env::IOPriority priority, rocksdb::Statistics* statistics,
               OpType type) override {
    if (!limiter_->IsRateLimited(type)) {
      return;
    }
    while (bytes > 0) {
      const std::lock_guard turn(turn_);
      if (operation_->ended()) {
        return;
      }
      // Each request is only a part of a burst. So several operations that share the limiter can get through in one of
      // its periods. And a request that already waits when the limit is lowered is small enough not to wait for long.
      const int64_t part = std::min(bytes, std::clamp<int64_t>(limiter_->GetSingleBurstBytes() / 8, 1, kMaxPart));
      limiter_->Request(part, priority, statistics, type);
      bytes -= part;
    }
  }

  // The BackupEngine reads this once for each file and uses it as the size of its copy buffer. The upper bound: a limit
  // of gigabytes a second must not make it hold hundreds of megabytes. The lower bound: if a low limit is raised later,
  // the BackupEngine must not go on copying a hundred bytes at a time.
  int64_t GetSingleBurstBytes() const override {
    return std::clamp<int64_t>(limiter_->GetSingleBurstBytes(), kMinBurst, kMaxBurst);
  }

  bool IsRateLimited(OpType type) override { return limiter_->IsRateLimited(type); }
  void SetBytesPerSecond(int64_t bytes_per_second) override { limiter_->SetBytesPerSecond(bytes_per_second); }
  int64_t GetBytesPerSecond() const override { return limiter_->GetBytesPerSecond(); }
  int64_t GetTotalBytesThrough(rocksdb::Env::IOPriority priority) const override {
    return limiter_->GetTotalBytesThrough(priority);
  }
  int64_t GetTotalRequests(rocksdb::Env::IOPriority priority) const override {
    return limiter_->GetTotalRequests(priority);
  }

 private:
  static constexpr int64_t kMinBurst = 4 << 10;
  static constexpr int64_t kMaxBurst = 1 << 20;
  static constexpr int64_t kMaxPart = 64 << 10;

  const std::shared_ptr<rocksdb::RateLimiter> limiter_;
  const std::shared_ptr<Operation> operation_;
  std::mutex turn_;
};

}  // namespace rocksdb_backup
