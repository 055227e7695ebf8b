#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/base/error.h"
#include "core/base/resource.h"
#include "core/database/database_content.h"
#include "core/database/database_events.h"
#include "core/database/database_options.h"
#include "core/database/open_databases.h"
#include "rocksdb/db.h"

namespace rocksdb_backup {

// One open database: RocksDB's DB, its column families, and what was opened on it. All methods but those marked may be
// called from any thread by whoever holds a lease, or by the thread of an open handle while it does not close that
// handle.
class Database : public Resource {
 public:
  // Something that lives on a DB and must end before it: an iterator, a snapshot.
  class Child {
   public:
    virtual ~Child() = default;
    // Ends it and makes the database forget it. A child's destructor does that first.
    virtual void Close() = 0;

   protected:
    friend class Database;
    // May come at any time, from any thread, and again. Called by the database alone.
    virtual void End() = 0;
  };

  // A column family. An operation holds it while it runs, so that dropping the family meanwhile is safe.
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

  // Opens the database in directory `path` with every column family it has. Families named in the options that it lacks
  // are created if create_if_missing is set, and so are missing parent directories. A comparator or merge operator that
  // the options do not name is the one the database was last written with, as its OPTIONS file tells.
  static Error Open(const std::string& path, const DatabaseOptions& options, std::shared_ptr<Database>* database);

  // Opens to read what `env` shows at `path`, a backup. `keep_alive` goes after the database is closed.
  static Error OpenBackup(std::shared_ptr<rocksdb::Env> env, std::shared_ptr<void> keep_alive, const std::string& path,
                          const DatabaseOptions& options, std::shared_ptr<Database>* database);

  static Error ListColumnFamilies(const std::string& path, std::vector<std::string>* names);
  static Error Destroy(const std::string& path, const DatabaseOptions& options);
  static Error Repair(const std::string& path, const DatabaseOptions& options);

  // At the end of the process: ends the background work of every open database, which flushes what is in no WAL.
  static void ShutDownAll();

  ~Database() override;

  rocksdb::DB* db() const { return db_.get(); }
  const std::string& path() const { return path_; }  // absolute, links resolved
  std::string wal_dir() const;                       // where the WAL is: `path` unless configured
  DatabaseOptions::Mode mode() const { return mode_; }

  // What the database was opened with for families that were not named: what a new family starts from.
  const FamilyOptions& family_options() const { return family_options_; }

  // Null if there is no such family (any more). Ids are never used again; the default family's is 0.
  FamilyPtr FamilyById(uint32_t id) const;
  FamilyPtr FamilyByName(const std::string& name) const;
  std::vector<std::string> FamilyNames() const;
  Error CreateFamily(const std::string& name, const FamilyOptions& options, uint32_t* id);
  Error DropFamily(const std::string& name);
  static Error DroppedError() {
    return Error("ROCKSDB_COLUMN_FAMILY_DROPPED", "there is no such column family any more: it was dropped");
  }

  Error Write(const rocksdb::WriteOptions& options, rocksdb::WriteBatch* batch);

  // Reads a key if that takes no waiting for the disk; returns false if it would.
  bool GetNow(rocksdb::ReadOptions options, const Family& family, const rocksdb::Slice& key,
              rocksdb::PinnableSlice* value, rocksdb::Status* status) const;
  // The same for many keys; `values` and `statuses` are as many.
  bool MultiGetNow(rocksdb::ReadOptions options, const Family& family, const std::vector<rocksdb::Slice>& keys,
                   std::vector<rocksdb::PinnableSlice>* values, std::vector<rocksdb::Status>* statuses) const;

  // Whether a NoWait works on this database. Otherwise, what can be read without waiting is the block cache.
  bool reads_without_waiting() const { return reads_without_waiting_; }

  // Whether there are writes that are neither in the WAL nor in a table file: a backup must flush first.
  bool NeedsFlushBeforeBackup() const { return unlogged_writes_ != flushed_unlogged_writes_; }

  // While another thread writes, a write call can wait for it, for an fsync even: a JS thread must not call one then.
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

  // All families, or one.
  Error Flush(const FamilyPtr& family);
  // Begins to flush all families and does not wait for it. What goes wrong shows in the next flush.
  void StartFlush();

  // Ends soon when `canceled` becomes true, or the database closes.
  Error CompactRange(const FamilyPtr& family, const rocksdb::Slice* begin, const rocksdb::Slice* end,
                     rocksdb::CompactRangeOptions options, const std::shared_ptr<std::atomic<bool>>& canceled);

  // What the keys from `start` up to `end` take on the disk and in memory, about.
  Error ApproximateSize(const FamilyPtr& family, const rocksdb::Slice& start, const rocksdb::Slice& end,
                        uint64_t* size);

  // A copy in a new directory, of hard links where the file system has them.
  Error Checkpoint(const std::string& path);

  // Names what it holds.
  Error Content(ContentParts parts, DatabaseContent* content) const;

  // Takes writes again after background work had failed, once what it failed of is over.
  Error Resume();

  const std::shared_ptr<DatabaseEvents>& events() const { return events_; }

  void AddChild(Child* child);
  // Ends the child and forgets it.
  void EndChild(Child* child);

 protected:
  void Stop() override;
  Error Free() override;

 private:
  Database() : Resource("database") {}

  struct Environment {
    std::shared_ptr<rocksdb::Env> env;  // null: the default one
    std::shared_ptr<void> keep_alive;
  };
  std::vector<FamilyPtr> AllFamilies() const;
  static Error OpenIn(Environment environment, const std::string& path, const DatabaseOptions& options,
                      std::shared_ptr<Database>* database);
  void Opened(std::unique_ptr<rocksdb::DB> db, const std::vector<rocksdb::ColumnFamilyHandle*>& handles);

  DatabaseOptions::Mode mode_ = DatabaseOptions::Mode::kReadWrite;
  std::string path_;
  DatabaseClaim claim_;  // order: the database goes first, then its environment, then the claims
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
