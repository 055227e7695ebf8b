#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/base/error.h"
#include "core/base/resource.h"
#include "core/database/archive_marker.h"
#include "core/database/commit_clock.h"
#include "core/database/database_content.h"
#include "core/database/database_events.h"
#include "core/database/database_options.h"
#include "core/database/open_databases.h"
#include "core/storage/disk_cache.h"
#include "rocksdb/db.h"

namespace rocksdb_backup {

// One open database: RocksDB's DB, its column families, and the children that were opened on it. Unless a method says
// otherwise, any thread may call it while it holds a lease. The thread of an open handle may call it too, as long as it
// does not close that handle meanwhile.
class Database : public Resource {
 public:
  // An object that lives on a DB and must end before it: an iterator or a snapshot.
  class Child {
   public:
    virtual ~Child() = default;
    // Ends the child and makes the database forget it. A child's destructor does this first.
    virtual void Close() = 0;

   protected:
    friend class Database;
    // Only the database calls this. It may call it at any time, from any thread, and more than once.
    virtual void End() = 0;
  };

  // Works on the database with a thread of its own, from its opening to its end.
  class Companion {
   public:
    virtual ~Companion() = default;
    // The database closes: called once, before its children end. May take long.
    virtual void End() = 0;
    // The process ends: must stop using the database at once.
    virtual void Abandon() = 0;
  };

  // A column family. An operation holds it while it runs, so that the family may safely be dropped meanwhile.
  struct Family {
    Family(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle) : db(db), handle(handle) {}
    ~Family() { db->DestroyColumnFamilyHandle(handle).PermitUncheckedError(); }
    Family(const Family&) = delete;
    Family& operator=(const Family&) = delete;
    rocksdb::DB* const db;
    rocksdb::ColumnFamilyHandle* const handle;
  };
  using FamilyPtr = std::shared_ptr<Family>;

  static Error ClosedError() { return Error("DATABASE_CLOSED", "the database is closed"); }

  // Opens the database in directory `path`, with every column family it has. If create_if_missing is set, families that
  // are named in the options but missing are created, and so are missing parent directories. If the options name no
  // comparator or merge operator, the database gets the one it was last written with, according to its OPTIONS file.
  static Error Open(const std::string& path, const DatabaseOptions& options, std::shared_ptr<Database>* database);

  // Opens a database whose files are at `path` in a file system of its own: a backup in place, or a database in another
  // storage. The caller sees to it that nobody else has it open. `keep_alive` is released after the database is closed.
  static Error OpenThrough(const std::shared_ptr<rocksdb::FileSystem>& files, std::shared_ptr<void> keep_alive,
                           const std::string& path, const DatabaseOptions& options,
                           std::shared_ptr<Database>* database);
  // What a backup that is opened in place is opened with.
  static DatabaseOptions ToReadBackup(DatabaseOptions::OpenTables open_tables = DatabaseOptions::OpenTables::kAtOnce);

  static Error ListColumnFamilies(const std::string& path, std::vector<std::string>* names);
  static Error Destroy(const std::string& path, const DatabaseOptions& options);
  static Error Repair(const std::string& path, const DatabaseOptions& options);

  // Called at the end of the process. Ends the background work of every open database, which flushes data that is in no
  // WAL.
  static void ShutDownAll();

  ~Database() override;

  rocksdb::DB* db() const { return db_.get(); }
  const std::string& path() const { return path_; }  // absolute, links resolved
  std::string wal_dir() const;                       // the directory of the WAL: `path` unless configured
  DatabaseOptions::Mode mode() const { return mode_; }

  // The options for families that were not named when the database was opened. A new family starts from them.
  const FamilyOptions& family_options() const { return family_options_; }

  // Null if there is no such family, or if it was dropped. Ids are never used again; the default family has the id 0.
  FamilyPtr FamilyById(uint32_t id) const;
  FamilyPtr FamilyByName(const std::string& name) const;
  std::vector<std::string> FamilyNames() const;
  std::vector<FamilyPtr> AllFamilies() const;
  Error CreateFamily(const std::string& name, const FamilyOptions& options, uint32_t* id);
  Error DropFamily(const std::string& name);
  static Error DroppedError() {
    return Error("ROCKSDB_COLUMN_FAMILY_DROPPED", "there is no such column family any more: it was dropped");
  }

  // In an archived database, `batch` gets a stamp while it is written. PITR_NEEDS_WAL if it would not be in the log.
  Error Write(const rocksdb::WriteOptions& options, rocksdb::WriteBatch* batch);

  // What an archiver must know. Null for a database that is not archived.
  struct Archived {
    std::optional<ArchiveMarker> marker;  // as it was found when the database was opened
    ManifestState manifest;               // as it was before that
    uint64_t opened_at = 0;               // the sequence number of the last write then
  };
  const Archived* archived() const { return archived_.get(); }
  // A moment by the clock of the stamps.
  CommitStamp Now() const { return commit_clock_->Now(); }
  // False if the database has one.
  bool SetCompanion(std::shared_ptr<Companion> companion);
  // Null if there is none, or it has ended.
  std::shared_ptr<Companion> companion() const;
  // Notes the timeline in the directory: now, and again when the database is closed.
  Error MarkTimeline(uint64_t timeline);
  // Told of each family that is made or dropped: with the sequence number of the last write before it was made, or that
  // of the last write to it.
  struct FamilyChange {
    bool made = false;
    uint64_t sequence = 0;
    uint32_t id = 0;
    std::string name;
  };
  void SetFamilyListener(std::function<void(const FamilyChange&)> listener);

  // Reads a key if that needs no wait for the disk. Returns false if it would have to wait.
  bool GetNow(rocksdb::ReadOptions options, const Family& family, const rocksdb::Slice& key,
              rocksdb::PinnableSlice* value, rocksdb::Status* status) const;
  // The same for many keys. `values` and `statuses` must have as many elements as `keys`.
  bool MultiGetNow(rocksdb::ReadOptions options, const Family& family, const std::vector<rocksdb::Slice>& keys,
                   std::vector<rocksdb::PinnableSlice>* values, std::vector<rocksdb::Status>* statuses) const;

  // Whether a NoWait works on this database. If not, only the block cache can be read without waiting.
  bool reads_without_waiting() const { return reads_without_waiting_; }

  // Whether there are writes that are neither in the WAL nor in a table file. If so, a backup must flush first.
  bool NeedsFlushBeforeBackup() const { return unlogged_writes_ != flushed_unlogged_writes_; }

  // Marks a write by another thread. While one is marked, a write call may have to wait for it, and even for an fsync,
  // so a JS thread must not make a write call.
  class BlockingWrite {
   public:
    explicit BlockingWrite(std::shared_ptr<Database> database) : database_(std::move(database)) {
      ++database_->blocking_writes_;
    }
    BlockingWrite(BlockingWrite&& other) = default;
    ~BlockingWrite() {
      if (database_) {
        --database_->blocking_writes_;
      }
    }

   private:
    std::shared_ptr<Database> database_;
  };
  bool HasBlockingWrites() const { return blocking_writes_ > 0; }

  // Flushes `family`, or all families if it is null.
  Error Flush(const FamilyPtr& family);
  // Starts to flush all families and does not wait. If it fails, the next flush returns the error.
  void StartFlush();

  // Ends soon after `canceled` becomes true or the database closes.
  Error CompactRange(const FamilyPtr& family, const rocksdb::Slice* begin, const rocksdb::Slice* end,
                     rocksdb::CompactRangeOptions options, const std::shared_ptr<std::atomic<bool>>& canceled);

  // The approximate size of the keys from `start` up to `end`, on the disk and in memory.
  Error ApproximateSize(const FamilyPtr& family, const rocksdb::Slice& start, const rocksdb::Slice& end,
                        uint64_t* size);

  // Makes a copy in a new directory, with hard links if the file system supports them.
  Error Checkpoint(const std::string& path);

  // Describes what the database holds.
  Error Content(ContentParts parts, DatabaseContent* content) const;

  // Makes the database take writes again after background work had failed. Succeeds only when the cause of the failure
  // is gone.
  Error Resume();

  const std::shared_ptr<DatabaseEvents>& events() const { return events_; }

  // The cache on the disk through which the database is read. Null if there is none. Set before others know the
  // database.
  void SetDiskCache(std::shared_ptr<const DiskCache> cache) { disk_cache_ = std::move(cache); }
  const std::shared_ptr<const DiskCache>& disk_cache() const { return disk_cache_; }

  // How a database is read that lies in another storage. Set before others know the database.
  struct Reading {
    std::function<Error(Error)> explain;  // what of the storage is behind the error of a read
    std::function<void()> give_up;        // ends the requests that are on their way
  };
  void SetReading(Reading reading) { reading_ = std::move(reading); }
  // The error of a read. `error` is RocksDB's.
  Error Explained(Error error) const;

  void AddChild(Child* child);
  // Ends the child and forgets it.
  void EndChild(Child* child);

 protected:
  void Stop() override;
  Error Free() override;

 private:
  Database() : Resource("database") {}

  struct Environment {
    std::shared_ptr<rocksdb::Env> env;  // null: the disk, as DatabaseEnv() shows it
    std::shared_ptr<void> keep_alive;
  };
  void TellFamilyChange(const FamilyChange& change);
  static Error OpenIn(Environment environment, const std::string& path, const DatabaseOptions& options,
                      std::shared_ptr<Database>* database);
  void Opened(std::unique_ptr<rocksdb::DB> db, const std::vector<rocksdb::ColumnFamilyHandle*>& handles);

  DatabaseOptions::Mode mode_ = DatabaseOptions::Mode::kReadWrite;
  std::string path_;
  DatabaseClaim claim_;  // the order counts: the database is destroyed first, then its environment, then the claims
  DatabaseClaim wal_claim_;
  Environment environment_;
  bool reads_without_waiting_ = false;
  std::unique_ptr<rocksdb::DB> db_;

  FamilyOptions family_options_;
  FamilyPtr default_family_;
  mutable std::mutex families_mutex_;
  std::map<uint32_t, FamilyPtr> families_;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::shared_ptr<DatabaseEvents> events_;
  std::shared_ptr<const DiskCache> disk_cache_;
  Reading reading_;
  std::atomic<bool> gave_up_ = false;

  std::unique_ptr<Archived> archived_;
  std::unique_ptr<CommitClock> commit_clock_;
  mutable std::mutex archiving_mutex_;  // guards the next three
  std::shared_ptr<Companion> companion_;
  uint64_t timeline_ = 0;
  std::function<void(const FamilyChange&)> family_listener_;

  std::mutex children_mutex_;
  std::unordered_set<Child*> children_;

  std::mutex compactions_mutex_;
  std::set<std::shared_ptr<std::atomic<bool>>> compactions_;
  std::atomic<bool> stopping_ = false;

  std::atomic<uint64_t> unlogged_writes_ = 0;
  std::atomic<uint64_t> flushed_unlogged_writes_ = 0;
  std::atomic<int> blocking_writes_ = 0;
};

}  // namespace rocksdb_backup
