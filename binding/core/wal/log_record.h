#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/database/commit_clock.h"
#include "rocksdb/write_batch.h"

namespace rocksdb_backup {

// What one writer wrote at once, as it stands in the log: RocksDB's operations, one after another.
struct LoggedBatch {
  uint64_t first = 0;  // the sequence number of its first operation
  uint32_t count = 0;  // how many it has, each with the next number
  CommitStamp stamp = {};
  std::string_view operations = {};  // without the stamp

  uint64_t last() const { return first + count - 1; }
};

// A batch as RocksDB takes it: a header, and then the operations.
inline constexpr size_t kBatchHeaderBytes = 12;
std::string BatchHeader(uint64_t first, uint32_t count);

// Splits a record of the log into the batches of its writers. They lie in `record`. Writers without stamps, such as
// other programs, cannot be told apart: their batches are one with the next one that has a stamp. NotSupported for what
// cannot be written again later: prepared transactions, and operations that this RocksDB does not know.
rocksdb::Status SplitByWriters(const rocksdb::WriteBatch& record, uint64_t first, std::vector<LoggedBatch>* batches);

}  // namespace rocksdb_backup
