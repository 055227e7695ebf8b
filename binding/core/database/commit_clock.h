#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "rocksdb/slice.h"
#include "rocksdb/write_batch.h"

namespace rocksdb_backup {

// When a batch was written, as it stands in the log.
//
// Times are compared inside one era only. An era is a stretch in which the clock ran evenly: a new one begins when a
// database is opened, and when somebody sets the clock.
struct CommitStamp {
  uint64_t era = 0;     // 0: no stamp
  uint64_t micros = 0;  // since 1970

  bool operator==(const CommitStamp&) const = default;
};

// Adds the stamp to the end of a batch, as data that the log keeps and the database ignores. It marks in the log where
// the batch of one writer ends: RocksDB writes the batches of several writers as one record.
rocksdb::Status AddStamp(const CommitStamp& stamp, rocksdb::WriteBatch* batch);
// nullopt if this is no stamp, but data of somebody else.
std::optional<CommitStamp> ParseStamp(const rocksdb::Slice& log_data);

// Whether `later` is of a later era than `earlier`, if both eras were begun by the same opening of a database. Eras of
// two openings follow each other in the order of the log.
bool IsEarlierEraOfOneOpening(uint64_t era, uint64_t than);

// Gives the stamps. Thread-safe.
class CommitClock {
 public:
  // Both in microseconds.
  struct Sources {
    std::function<uint64_t()> wall;
    std::function<uint64_t()> steady;
  };
  static Sources SystemClocks();

  explicit CommitClock(Sources sources = SystemClocks());
  CommitStamp Now();

 private:
  const Sources sources_;
  std::mutex mutex_;
  CommitStamp begun_;       // the era, and its first moment
  uint64_t steady_at_ = 0;  // the steady clock then
};

}  // namespace rocksdb_backup
