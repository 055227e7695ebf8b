#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rocksdb_backup {

// Keeps blocks of bytes in a directory of this machine, for several threads and processes at the same time. It is only
// a cache: what fails here costs time, and is no error.
//
// - A block is a file, which is written under a temporary name and renamed. Nobody sees half of it, and nobody waits
//   for others.
// - The file says of what the block is, and has a CRC32C. A damaged block counts as not there, and is removed.
// - `max_bytes` is the bound for all files. Those that were not used for the longest time go first. A process looks how
//   much is there before its first write, and again after each sixteenth of the bound that it has written. So there is
//   at most a sixteenth more than the bound for each process but one that writes at the same time.
// - Blocks are contents of databases: only this user may read them. A directory that others may change is not used,
//   because a CRC does not show what somebody has forged.
class DiskCache {
 public:
  struct Options {
    std::string directory;
    uint64_t max_bytes = uint64_t{1} << 30;
  };
  // What was read and written through this object.
  struct Statistics {
    uint64_t hits = 0;
    uint64_t misses = 0;   // blocks that came from elsewhere: each is written, if that is possible
    uint64_t damaged = 0;  // part of the misses
    uint64_t bytes_read = 0;
    uint64_t bytes_written = 0;
    std::string problem;  // what fails, or failed last. Empty if nothing has failed
  };

  // All that have the same options are one towards the bound, as long as one of them is there.
  explicit DiskCache(const Options& options);

  // `id` says of what the block is: two different blocks never have the same id. nullopt if it is not there.
  std::optional<std::string> Read(const std::string& id);
  // Cheaper than Read(), and only a guess.
  bool Has(const std::string& id) const;
  void Write(const std::string& id, std::string_view bytes);

  Statistics statistics() const;

  // A read counts as a use only if the last one is longer ago than this, because each use that counts is a write.
  static constexpr std::chrono::seconds kUseCountsAfter{60};
  // After a failure, nothing is written for this time.
  static constexpr std::chrono::seconds kPauseAfterFailure{60};

 private:
  class Directory;

  const std::shared_ptr<Directory> directory_;
  std::atomic<uint64_t> hits_{0};
  std::atomic<uint64_t> misses_{0};
  std::atomic<uint64_t> damaged_{0};
  std::atomic<uint64_t> bytes_read_{0};
  std::atomic<uint64_t> bytes_written_{0};
};

}  // namespace rocksdb_backup
