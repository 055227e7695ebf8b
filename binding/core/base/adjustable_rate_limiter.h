#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <utility>

#include "rocksdb/rate_limiter.h"

namespace rocksdb_backup {

// A RocksDB rate limiter with one difference: a lowered limit takes effect at once. RocksDB's own limiter first gives
// out what is left of its last refill. After a limit of "as fast as possible", that can be hours of data. So this class
// makes a new limiter when the limit is lowered. A thread that still waits in the old limiter gets through with the old
// limiter's next refill.
class AdjustableRateLimiter : public rocksdb::RateLimiter {
 public:
  struct Settings {
    int64_t bytes_per_second = 0;
    int64_t refill_period_micros = int64_t{100} * 1000;
    int32_t fairness = 10;
    Mode mode = Mode::kWritesOnly;
    bool auto_tuned = false;
  };

  explicit AdjustableRateLimiter(const Settings& settings)
      : RateLimiter(settings.mode), settings_(settings), limiter_(New(settings)) {}

  void SetBytesPerSecond(int64_t bytes_per_second) override {
    const std::lock_guard lock(mutex_);
    const bool raised = bytes_per_second >= settings_.bytes_per_second;
    settings_.bytes_per_second = bytes_per_second;
    // A limiter that tunes itself keeps the upper bound that it was made with.
    if (raised && !settings_.auto_tuned) {
      limiter_->SetBytesPerSecond(bytes_per_second);
      return;
    }
    const std::shared_ptr<RateLimiter> old = std::exchange(limiter_, New(settings_));
    for (int priority = 0; priority <= rocksdb::Env::IO_TOTAL; ++priority) {
      earlier_bytes_[priority] += old->GetTotalBytesThrough(static_cast<rocksdb::Env::IOPriority>(priority));
      earlier_requests_[priority] += old->GetTotalRequests(static_cast<rocksdb::Env::IOPriority>(priority));
    }
  }

  using RateLimiter::Request;
  void Request(int64_t bytes, rocksdb::Env::IOPriority priority, rocksdb::Statistics* statistics) override {
    const std::shared_ptr<RateLimiter> limiter = Current();
    // If the limit was lowered in the meantime, a single burst is smaller, so the request is split.
    while (bytes > 0) {
      const int64_t part = std::min(bytes, limiter->GetSingleBurstBytes());
      limiter->Request(part, priority, statistics);
      bytes -= part;
    }
  }

  int64_t GetSingleBurstBytes() const override { return Current()->GetSingleBurstBytes(); }
  int64_t GetBytesPerSecond() const override { return Current()->GetBytesPerSecond(); }
  int64_t GetTotalBytesThrough(rocksdb::Env::IOPriority priority) const override {
    const std::lock_guard lock(mutex_);
    return earlier_bytes_[priority] + limiter_->GetTotalBytesThrough(priority);
  }
  int64_t GetTotalRequests(rocksdb::Env::IOPriority priority) const override {
    const std::lock_guard lock(mutex_);
    return earlier_requests_[priority] + limiter_->GetTotalRequests(priority);
  }

 private:
  static std::shared_ptr<RateLimiter> New(const Settings& settings) {
    return std::shared_ptr<RateLimiter>(rocksdb::NewGenericRateLimiter(settings.bytes_per_second,
                                                                       settings.refill_period_micros, settings.fairness,
                                                                       settings.mode, settings.auto_tuned));
  }
  std::shared_ptr<RateLimiter> Current() const {
    const std::lock_guard lock(mutex_);
    return limiter_;
  }

  mutable std::mutex mutex_;  // guards all members below
  Settings settings_;
  std::shared_ptr<RateLimiter> limiter_;
  std::array<int64_t, rocksdb::Env::IO_TOTAL + 1> earlier_bytes_{};  // by priority, of earlier limiters
  std::array<int64_t, rocksdb::Env::IO_TOTAL + 1> earlier_requests_{};
};

}  // namespace rocksdb_backup
