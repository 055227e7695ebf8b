#include "core/wal/log_tail.h"

#include <chrono>
#include <string>
#include <thread>
#include <utility>

namespace rocksdb_backup {
namespace {

// A log that is moved to the archive at this moment, or that RocksDB has not written to its end, looks like a gap.
constexpr int kLooks = 5;
constexpr std::chrono::milliseconds kBetweenLooks{20};

}  // namespace

Error LogTail::NextOfIterator(Step* step, rocksdb::BatchResult* record, uint64_t* found) {
  *step = Step::kEnd;
  if (iterator_ == nullptr) {
    rocksdb::TransactionLogIterator::ReadOptions options(true);
    const rocksdb::Status status = db_->GetUpdatesSince(next_, &iterator_, options);
    if (!status.ok()) {
      ended_ = status;
      return status.IsNotFound() || status.IsTryAgain() ? Error() : Error::From(status, "reading the log");
    }
  } else {
    iterator_->Next();
  }
  if (!iterator_->Valid()) {
    ended_ = iterator_->status();
    return Error();
  }
  rocksdb::BatchResult read = iterator_->GetBatch();
  if (read.sequence != next_) {
    *step = Step::kGap;
    *found = read.sequence;
    return Error();
  }
  next_ += read.writeBatchPtr->Count();
  *record = std::move(read);
  *step = Step::kRecord;
  return Error();
}

Error LogTail::Next(Step* step, rocksdb::BatchResult* record, uint64_t* found) {
  *step = Step::kEnd;
  for (int look = 0;; ++look) {
    // With manual_wal_flush, the log lies in memory until somebody asks for it.
    if (db_->GetLatestSequenceNumber() < next_) {
      return Error();
    }
    const bool was_new = iterator_ == nullptr;
    Error error = NextOfIterator(step, record, found);
    if (!error.ok() || *step == Step::kRecord) {
      return error;
    }
    iterator_ = nullptr;
    if (!was_new) {
      --look;  // the first look of a new iterator counts
      continue;
    }
    if (look + 1 >= kLooks) {
      if (*step == Step::kEnd && ended_.IsIOError() && !ended_.IsPathNotFound()) {
        return Error::From(ended_, "reading the log");  // the disk does not give it now
      }
      if (*step == Step::kEnd) {
        // The database has writes that no log has.
        *step = Step::kGap;
        *found = db_->GetLatestSequenceNumber() + 1;
      }
      return Error();
    }
    if (look == 0) {
      if (rocksdb::Status flushed = db_->FlushWAL(false); !flushed.ok()) {
        return Error::From(flushed, "writing out the log");
      }
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

}  // namespace rocksdb_backup
