#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/operation.h"
#include "core/database/database.h"
#include "core/storage/storage.h"
#include "core/wal/archive.h"
#include "core/wal/log_tail.h"
#include "core/wal/segment.h"

namespace rocksdb_backup {

struct ArchiverOptions {
  // A write is in the archive at most this long after it was made, if the storage keeps up.
  std::chrono::milliseconds max_delay{10'000};
  // A segment is closed when it has this many bytes.
  uint64_t segment_bytes = uint64_t{16} << 20;
  // How long the end of the database waits for the last writes to reach the archive. What does not is archived when the
  // database is opened again: it is in the log.
  std::chrono::milliseconds close_patience{30'000};
  // The pause after a try that failed; each further one is twice as long, up to half a minute.
  std::chrono::milliseconds first_retry{1000};
  // While the archive cannot be written, logs are kept up to this many bytes. Beyond it the oldest are given up: then
  // a new timeline begins when the archive can be written again. 0: 10 GiB, or a tenth of the free space if that is
  // less.
  uint64_t max_backlog_bytes = 0;
};

struct ArchiverStatus {
  uint64_t timeline = 0;  // 0: none yet
  TimelineReason reason = TimelineReason::kFirst;
  bool needs_base = false;         // the timeline has no backup to be replayed from
  uint64_t archived_sequence = 0;  // the last write that is in the archive
  uint64_t latest_sequence = 0;    // the last write of the database
  uint64_t archived_time = 0;      // the time of that write, in microseconds; 0: unknown
  uint64_t segments = 0;           // written since the start
  uint64_t bytes = 0;              // in them
  uint64_t logs_given_up = 0;      // since the start, because of max_backlog_bytes: their writes are in no archive
  Error error;                     // why the last try failed; success if it did not
};

// Archives the log of an open database, on a thread of its own, until the database is closed. The log is the spool:
// what is not in the archive is in the log, also after a crash.
class Archiver : public Database::Companion {
 public:
  // The database must have been opened with `archive`, and be held open by the caller until this returns.
  static Error Start(const std::shared_ptr<Database>& database, std::shared_ptr<Storage> storage,
                     const ArchiverOptions& options, std::shared_ptr<Archiver>* archiver);
  ~Archiver() override;

  void End() override;
  void Abandon() override;

  ArchiverStatus Status() const;
  // The caller of these holds the database open.
  //
  // Waits until everything that was written before the call is in the archive. The error of the archiver if it fails
  // meanwhile; DATABASE_CLOSED if it ends.
  Error Flush(Operation& operation);
  // Tells that a backup was made in the archive's repository, from beginning to end while this was the timeline.
  Error AddBase(uint64_t timeline, const ArchiveBase& base);
  const Storage& storage() const { return *storage_; }
  // Names this moment. Returns when everything before it is in the archive.
  Error AddPoint(const std::string& name, Operation& operation, NamedPoint* point);

 private:
  using Clock = std::chrono::steady_clock;

  Archiver(Database& database, std::shared_ptr<Storage> storage, const ArchiverOptions& options);
  void Run();
  // Everything until the log has nothing more, or until somebody wants the thread to end.
  Error Work();
  Error OpenTimeline();
  // Why the timeline that the database wrote last cannot go on; nullopt: it can, from where `continued` says.
  Error WhyNotContinued(const std::vector<Timeline>& timelines, std::optional<TimelineReason>* why,
                        const Timeline** continued);
  Error SameAsLog(const Segment& segment, bool* same);
  Error BeginTimeline(uint64_t parent, uint64_t begins, TimelineReason reason);
  Error GoOn(const Timeline& timeline);
  void ForgetWhatWasRead();
  Error ReadLog();
  Error AddRecord();
  Error AddBatch(const LoggedBatch& batch);
  Error CloseSegment();
  void RemoveArchivedLogs();
  void LimitBacklog();
  bool SegmentIsDue(Clock::time_point now) const;
  std::vector<ArchivedFamily> FamiliesNow() const;
  void AddChanges(uint64_t up_to);

  rocksdb::DB* db() const { return database_.db(); }

  // It outlives the thread.
  Database& database_;
  const ArchiverOptions options_;
  const std::shared_ptr<Operation> operation_ = std::make_shared<Operation>();
  const std::shared_ptr<Storage> storage_;
  Archive archive_;

  // Of the thread.
  std::unique_ptr<StorageLock> lock_;
  std::unique_ptr<LogTail> tail_;
  uint64_t timeline_ = 0;
  std::string previous_;  // the id of the last segment
  uint64_t era_ = 0;
  uint64_t time_ = 0;
  std::vector<ArchivedFamily> families_;          // now
  std::vector<ArchivedFamily> families_of_next_;  // at the beginning of the segment that is collected
  std::unique_ptr<SegmentBuilder> builder_;
  Clock::time_point builder_began_;
  // The record that was read last, and the first of its batches that is in no segment yet.
  rocksdb::BatchResult record_;
  std::vector<LoggedBatch> batches_;
  size_t next_batch_ = 0;
  // A segment that is being written: it is written again, the same, until that succeeds.
  struct Finished {
    SegmentName name;
    std::string id;
    std::shared_ptr<const std::string> text;
  };
  std::optional<Finished> finished_;

  mutable std::mutex mutex_;  // guards all members below
  std::condition_variable changed_;
  ArchiverStatus status_;
  std::deque<Database::FamilyChange> changes_;
  uint64_t flush_to_ = 0;  // a segment that holds this is closed at once
  uint64_t failures_ = 0;
  bool ending_ = false;     // archive what there is, and end
  bool abandoned_ = false;  // end now
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace rocksdb_backup
