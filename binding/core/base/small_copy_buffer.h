#pragma once

#include <cstdint>

#include "rocksdb/rate_limiter.h"

namespace rocksdb_backup {

// Limits nothing. The BackupEngine takes the size of its copy buffers from its rate limiter. Without one, each of its
// threads has a buffer of 5 MiB.
class SmallCopyBuffer : public rocksdb::RateLimiter {
 public:
  SmallCopyBuffer() : RateLimiter(Mode::kAllIo) {}

  using RateLimiter::Request;
  void Request(int64_t /*bytes*/, rocksdb::Env::IOPriority /*priority*/, rocksdb::Statistics* /*statistics*/,
               OpType /*type*/) override {}
  int64_t GetSingleBurstBytes() const override { return 1 << 20; }
  bool IsRateLimited(OpType /*type*/) override { return false; }
  void SetBytesPerSecond(int64_t /*bytes_per_second*/) override {}
  int64_t GetBytesPerSecond() const override { return INT64_MAX; }
  int64_t GetTotalBytesThrough(rocksdb::Env::IOPriority /*priority*/) const override { return 0; }
  int64_t GetTotalRequests(rocksdb::Env::IOPriority /*priority*/) const override { return 0; }
};

}  // namespace rocksdb_backup
