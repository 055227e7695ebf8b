#pragma once

#include <cstdint>
#include <memory>

#include "core/base/error.h"
#include "rocksdb/db.h"
#include "rocksdb/transaction_log.h"

namespace rocksdb_backup {

// Reads the log of an open database, record after record, while it is written. RocksDB's own iterator ends where the
// log went on in another file, and passes over missing records without an error: here each record must begin where the
// one before it ended.
class LogTail {
 public:
  enum class Step {
    kRecord,
    kEnd,  // there is nothing more for now
    kGap,  // the log has no record that begins at next(). It will not come
  };

  LogTail(rocksdb::DB* db, uint64_t next) : db_(db), next_(next) {}

  // Reads the record that begins at next(). `found` is the first sequence number after a gap.
  Error Next(Step* step, rocksdb::BatchResult* record, uint64_t* found);
  uint64_t next() const { return next_; }

 private:
  // kEnd also if the iterator has to be made anew.
  Error NextOfIterator(Step* step, rocksdb::BatchResult* record, uint64_t* found);

  rocksdb::DB* const db_;
  uint64_t next_;
  std::unique_ptr<rocksdb::TransactionLogIterator> iterator_;
  rocksdb::Status ended_;  // why it has nothing
};

}  // namespace rocksdb_backup
