#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "core/backup/backup_origin.h"
#include "core/backup/engine_layers.h"
#include "core/base/error.h"
#include "core/base/operation.h"
#include "core/storage/storage.h"
#include "rocksdb/utilities/backup_engine.h"

namespace rocksdb_backup {

struct BackupFile {
  std::string name;  // relative to the repository
  uint64_t size = 0;
  bool shared = false;   // lies where backups share files
  uint32_t backups = 0;  // how many backups use the file, including this one
};

struct BackupDescription {
  uint32_t id = 0;
  int64_t timestamp = 0;  // seconds since 1970, by the clock of the machine that made it
  uint64_t size = 0;
  uint64_t unique_size = 0;  // what deleting the backup frees, including `meta_size`
  uint64_t meta_size = 0;    // size of its meta file and its record
  uint32_t number_files = 0;
  std::string app_metadata;
  std::string newer_rocksdb;  // the RocksDB version that is needed to open the backup; empty: this RocksDB can open it
  std::string database;       // id of its database, see core/backup/database_identity.h; empty if it is not known
  // Whether every file was copied when the backup was made, and none was taken over from an earlier backup. If no
  // record says it: whether none of its files lies where backups share files.
  bool full = false;
  int64_t locked_until = 0;  // cannot be deleted before: in milliseconds since 1970; 0: nothing is known of a lock
  uint64_t log_bytes = 0;    // part of `size`: the write-ahead log, which every backup copies anew
  // Of a backup that was just made: it has no write with a sequence number above this one.
  uint64_t last_sequence = 0;
  std::vector<BackupFile> files;      // if asked for
  std::vector<std::string> excluded;  // if asked for
};

// The settings with which a repository's BackupEngines are opened.
struct EngineSettings {
  // Where the repository lives.
  std::shared_ptr<Storage> storage;
  // Sharing, naming, sync and so on. Directory, Env, log and limiters are set for each session, from the other members.
  rocksdb::BackupEngineOptions engine{""};
  std::shared_ptr<rocksdb::RateLimiter> backup_limiter;
  std::shared_ptr<rocksdb::RateLimiter> restore_limiter;
  std::shared_ptr<rocksdb::Logger> info_log;
  // Nothing is written to the repository, not even a lock file.
  bool read_only = false;

  // What messages call the repository, and its path in files().
  const std::string& name() const { return storage->name(); }
  const std::string& root() const { return storage->root(); }
  std::shared_ptr<rocksdb::FileSystem> files() const { return storage->files(); }
  Storage::Access access() const { return read_only ? Storage::Access::kRead : Storage::Access::kWrite; }
};

// Until when a backup cannot be deleted. Its meta file was written last, so the locks of its own files have ended when
// that of the meta file has.
int64_t LockedUntil(const EngineSettings& settings, uint32_t id);

// One BackupEngine, opened for one operation and closed after it. The cost is a look at the repository for each
// operation. There are four gains. The BackupEngine never acts on an outdated view of the repository; with an outdated
// view, a writer gives an id twice and destroys a backup. A stop never affects later operations. A listing never waits
// for a running backup. And every operation has its own progress.
//
// If a picture of the repository can be taken (core/backup/directory_look.h), the picture answers what needs no
// BackupEngine, and the BackupEngine sees only the backups that the operation is about (core/backup/condensed_fs.h).
// Otherwise the BackupEngine reads all backups.
class BackupEngineSession {
 public:
  ~BackupEngineSession();

  // A session without a BackupEngine, for questions that the picture answers.
  static std::shared_ptr<BackupEngineSession> Of(const EngineSettings& settings,
                                                 std::shared_ptr<const DirectoryPicture> picture);

  static Error Open(const EngineSettings& settings, const SessionRequest& request,
                    std::shared_ptr<BackupEngineSession>* session);

  rocksdb::BackupEngineReadOnlyBase& reader() { return writer_ != nullptr ? upcast(*writer_) : upcast(*reader_); }
  rocksdb::BackupEngine& writer() { return *writer_; }
  bool has_engine() const { return writer_ != nullptr || reader_ != nullptr; }
  void GuardCreate(uint32_t new_id, bool protect, bool sync) { layers_.protected_fs->Guard(new_id, protect, sync); }

  // What the meta file of the backup was written with that this session has made.
  const std::string& written_meta() const { return layers_.protected_fs->written_meta(); }

  // Says which files will be read to their end, and how long they are.
  void ExpectBackupFiles(const BackupDescription& backup);
  void ExpectDatabaseFile(const std::string& path, uint64_t size) { database_fs_->ExpectSize(path, size); }
  // What a restore writes need not survive a power cut, so syncs are skipped.
  void SkipDatabaseSyncs() { database_fs_->SkipSyncs(); }
  // The first failure of the repository's storage since the last ForgetFailure(), if any.
  rocksdb::IOStatus failure() const { return layers_.observed->failure(); }
  void ForgetFailure() { layers_.observed->ForgetFailure(); }

  // The ids of all backups that can be used, oldest first.
  const std::vector<uint32_t>& ids() const { return ids_; }
  // The ids of the backups that cannot be used: those that the BackupEngine finds unreadable, those that make it throw
  // an exception, and those that it does not report.
  const std::vector<uint32_t>& corrupt_ids() const { return corrupt_ids_; }
  Error Describe(uint32_t id, bool details, BackupDescription* description);
  // The same, for a backup that this session has just made.
  Error DescribeNew(uint32_t id, BackupDescription* description);
  // The reason why a backup is corrupt.
  std::string ReasonOf(uint32_t corrupt_id);
  // The error that there is no such backup. Its message names the backups that exist.
  Error NotFound(uint32_t id) const;
  Error DescribeAll(bool details, std::vector<BackupDescription>* descriptions);
  // The id of the database that a usable backup belongs to. Empty if it is not known.
  std::string DatabaseOf(uint32_t id);

 private:
  explicit BackupEngineSession(const EngineSettings& settings) : settings_(settings), files_(settings.files()) {}
  static rocksdb::BackupEngineReadOnlyBase& upcast(rocksdb::BackupEngineReadOnlyBase& engine) { return engine; }
  rocksdb::BackupEngineOptions OptionsFor(const SessionRequest& request) const;
  rocksdb::IOStatus OpenEngine(const SessionRequest& request);
  Error OpenFromPicture(const SessionRequest& request, bool* opened);
  Error OpenFromAllMetas(const SessionRequest& request);
  Error OpenUntilSameTwice(const SessionRequest& request);
  std::map<uint32_t, std::string> ChangedMetas();
  Error OpenWithoutChangedMetas(Purpose purpose, const std::function<Error()>& open);
  void Survey(const std::vector<uint32_t>& metas);
  // Whether the BackupEngine has read exactly this many backups, and the backup `id` as it is in the picture.
  bool HasRead(size_t backups, uint32_t id = 0);
  Error DescribeKnown(uint32_t id, bool details, BackupDescription* description);
  std::string NewerRocksDbOf(const BackupDescription& backup);
  // What the record says, or, without a record, what the files say.
  const BackupOrigin& OriginOf(uint32_t id);

  EngineSettings settings_;
  std::shared_ptr<rocksdb::FileSystem> files_;       // of the repository
  std::shared_ptr<const DirectoryPicture> picture_;  // null: the BackupEngine has all backups
  std::vector<uint32_t> ids_;
  std::vector<uint32_t> corrupt_ids_;
  std::map<uint32_t, std::string> reasons_;   // why a backup is corrupt, if the BackupEngine does not know
  std::map<uint32_t, BackupOrigin> origins_;  // those that were asked for
  // Declared in the order of their dependencies, so that the BackupEngine is destroyed first.
  EngineLayers layers_;
  std::shared_ptr<ObservedFileSystem> database_fs_;
  std::unique_ptr<rocksdb::Env> database_env_;
  std::unique_ptr<rocksdb::Env> backup_env_;
  std::unique_ptr<rocksdb::BackupEngineReadOnly> reader_;
  std::unique_ptr<rocksdb::BackupEngine> writer_;
};

// Runs a call into the BackupEngine. Hostile meta files make it throw an exception; here that becomes an error that
// names the repository.
template <class Call>
Error Guarded(const std::string& directory, Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    throw;  // says nothing about the repository
  } catch (const std::exception& exception) {
    return Error("BACKUP_CORRUPT",
                 "the repository " + directory + " has contents that no BackupEngine writes: " + exception.what() + ".")
        .With("path", directory)
        .With("why", "damaged")
        .Advise("listUnreadable");
  }
}

// Text such as "1, 2 and 7".
std::string JoinIds(const std::vector<uint32_t>& ids);

}  // namespace rocksdb_backup
