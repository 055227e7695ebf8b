#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "core/backup/backup_origin.h"
#include "core/backup/condensed_fs.h"
#include "core/backup/directory_picture.h"
#include "core/backup/meta_catalog.h"
#include "core/base/error.h"
#include "core/base/operation.h"
#include "core/storage/confined_fs.h"
#include "core/storage/observed_fs.h"
#include "core/storage/protected_fs.h"
#include "rocksdb/utilities/backup_engine.h"

namespace rocksdb_backup {

struct BackupFile {
  std::string name;  // relative to the backup directory
  uint64_t size = 0;
  bool shared = false;   // kept where backups share files
  uint32_t backups = 0;  // how many backups use it, this one included
};

struct BackupDescription {
  uint32_t id = 0;
  int64_t timestamp = 0;  // seconds since 1970, by the clock of the machine that made it
  uint64_t size = 0;
  uint64_t unique_size = 0;  // what deleting it frees, `meta_size` included
  uint64_t meta_size = 0;    // of its meta file and its record
  uint32_t number_files = 0;
  std::string app_metadata;
  std::string newer_rocksdb;  // the version without which what was backed up cannot be opened; empty: this one will do
  std::string database;       // its id, see core/backup/database_identity.h; empty where nothing tells
  // When it was made every file of it was copied, none taken over from an earlier backup. Of a backup without a record
  // of that: none of its files lies where backups share files.
  bool full = false;
  uint64_t log_bytes = 0;             // of `size`, of the write-ahead log, which every backup copies anew
  std::vector<BackupFile> files;      // when asked for
  std::vector<std::string> excluded;  // when asked for
};

// What a repository's engines are opened with.
struct EngineSettings {
  // Directory, sharing, naming, sync and so on. Env, log and limiters are set for each session from what follows.
  rocksdb::BackupEngineOptions engine{""};
  std::shared_ptr<rocksdb::RateLimiter> backup_limiter;
  std::shared_ptr<rocksdb::RateLimiter> restore_limiter;
  std::shared_ptr<rocksdb::Logger> info_log;
  // Where backups live. Null: the machine's own file system. The one place to put another storage, or encryption, in.
  std::shared_ptr<rocksdb::FileSystem> storage;
  // The storage is a layer over the machine's own file system: what is there can be seen without it.
  bool storage_is_disk = false;
  // Nothing is written to the directory, not even a lock file.
  bool read_only = false;
};

// What there is of it is seen as core/storage/confined_fs.h tells.
std::shared_ptr<ConfinedFileSystem> StorageOf(const EngineSettings& settings);

// One engine, opened for one operation and closed after it. That costs a look at the directory, and buys: the engine
// never acts on an outdated picture of it (a stale writer gives an id twice and destroys a backup), a stop never
// poisons what comes later, listing never waits for a running backup, and every operation has its own progress.
//
// Where a picture can be taken (core/backup/directory_look.h), it answers what can be answered without an engine, and
// the engine sees only the backups that the operation is about (core/backup/condensed_fs.h). Else it reads all.
class BackupEngineSession {
 public:
  ~BackupEngineSession();

  // Without an engine: for what the picture answers.
  static std::shared_ptr<BackupEngineSession> Of(const EngineSettings& settings,
                                                 std::shared_ptr<const DirectoryPicture> picture);

  // For everything that does not change the directory. With a picture and one of its backups, that one can be read, and
  // all can be described. What is counted is what will be moved: a verify reads the
  // backup, a restore writes the database.
  static Error OpenReader(const EngineSettings& settings, const std::shared_ptr<Operation>& operation,
                          ObservedFileSystem::Count count_backup, ObservedFileSystem::Count count_database,
                          std::shared_ptr<BackupEngineSession>* session,
                          const std::shared_ptr<const DirectoryPicture>& picture = nullptr, uint32_t id = 0);
  // With the directory's writer lock held. `database_fs` is where a create reads. With a picture, those in `gone` have
  // been deleted since.
  static Error OpenWriter(const EngineSettings& settings, const std::shared_ptr<Operation>& operation,
                          const std::shared_ptr<rocksdb::FileSystem>& database_fs, FileObserver* observer,
                          std::shared_ptr<BackupEngineSession>* session,
                          const std::shared_ptr<const DirectoryPicture>& picture = nullptr,
                          const std::vector<uint32_t>& gone = {});

  rocksdb::BackupEngineReadOnlyBase& reader() { return writer_ != nullptr ? upcast(*writer_) : upcast(*reader_); }
  rocksdb::BackupEngine& writer() { return *writer_; }
  bool has_engine() const { return writer_ != nullptr || reader_ != nullptr; }
  void GuardCreate(uint32_t new_id, bool protect, bool sync) { protected_fs_->Guard(new_id, protect, sync); }

  // What is to be read to its end, and how long it is.
  void ExpectBackupFiles(const BackupDescription& backup);
  void ExpectDatabaseFile(const std::string& path, uint64_t size) { database_fs_->ExpectSize(path, size); }
  // What a restore writes need not outlive a power cut.
  void SpareDatabaseSyncs() { database_fs_->SpareSyncs(); }
  // What went wrong on the storage of the backups since the last ForgetFailure(), if anything.
  rocksdb::IOStatus failure() const { return backup_fs_->failure(); }
  void ForgetFailure() { backup_fs_->ForgetFailure(); }

  // Ids of all backups that can be used, oldest first.
  const std::vector<uint32_t>& ids() const { return ids_; }
  // Those that cannot: what the engine found unreadable, what makes it throw, and what it keeps silent about.
  const std::vector<uint32_t>& corrupt_ids() const { return corrupt_ids_; }
  Error Describe(uint32_t id, bool details, BackupDescription* description);
  // The same for a backup that this session has just made.
  Error DescribeNew(uint32_t id, BackupDescription* description);
  // What made a backup corrupt.
  std::string ReasonOf(uint32_t corrupt_id);
  // That there is no such backup, and which there are.
  Error NotFound(uint32_t id) const;
  Error DescribeAll(bool details, std::vector<BackupDescription>* descriptions);
  // The database that a usable backup is of; empty where nothing tells.
  std::string DatabaseOf(uint32_t id);

 private:
  BackupEngineSession() = default;
  static rocksdb::BackupEngineReadOnlyBase& upcast(rocksdb::BackupEngineReadOnlyBase& engine) { return engine; }
  rocksdb::BackupEngineOptions OptionsFor(const EngineSettings& settings);
  std::map<uint32_t, std::string> ChangedMetas(const EngineSettings& settings);
  template <class Open>
  Error OpenPastChangedMetas(const EngineSettings& settings, bool to_create, ConfinedFileSystem& storage, Open open);
  void Survey(const EngineSettings& settings, const std::vector<uint32_t>& metas);
  // Whether the engine has read so many backups, and this one as it is in the picture.
  bool HasRead(size_t backups, uint32_t id = 0);
  Error DescribeKnown(uint32_t id, bool details, BackupDescription* description);
  std::string NewerRocksDbOf(const BackupDescription& backup);
  // What the record says, or else the files.
  const BackupOrigin& OriginOf(uint32_t id);

  EngineSettings settings_;
  std::string directory_;
  std::shared_ptr<rocksdb::FileSystem> storage_;     // of the backups
  std::shared_ptr<const DirectoryPicture> picture_;  // or null: then the engine has all
  std::vector<uint32_t> ids_;
  std::vector<uint32_t> corrupt_ids_;
  std::map<uint32_t, std::string> reasons_;   // why a backup is among the corrupt ones, where the engine does not know
  std::map<uint32_t, BackupOrigin> origins_;  // as far as asked for
  // Declared in the order in which they depend on each other: the engine goes first.
  std::shared_ptr<rocksdb::Logger> info_log_;
  std::shared_ptr<ConfinedFileSystem> confined_;
  std::shared_ptr<ProtectedFileSystem> protected_fs_;
  std::shared_ptr<MetaCatalog> catalog_;  // without a picture
  std::shared_ptr<ObservedFileSystem> database_fs_;
  std::shared_ptr<ObservedFileSystem> backup_fs_;
  std::unique_ptr<rocksdb::Env> database_env_;
  std::unique_ptr<rocksdb::Env> backup_env_;
  std::unique_ptr<rocksdb::BackupEngineReadOnly> reader_;
  std::unique_ptr<rocksdb::BackupEngine> writer_;
};

// Runs a call into the engine. Hostile meta files make it throw; here that becomes an error that names the directory.
template <class Call>
Error Guarded(const std::string& directory, Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    throw;  // says nothing about the directory
  } catch (const std::exception& exception) {
    return Error("BACKUP_CORRUPT", "the backup directory " + directory +
                                       " has contents that no BackupEngine writes: " + exception.what() + ".")
        .With("path", directory)
        .Advise("listUnreadable");
  }
}

// "1, 2 and 7".
std::string JoinIds(const std::vector<uint32_t>& ids);

}  // namespace rocksdb_backup
