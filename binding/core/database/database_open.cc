// Opens databases. Also has the operations on a database that is not open.

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "core/base/engine_info.h"
#include "core/base/paths.h"
#include "core/database/database.h"
#include "core/database/database_fs.h"
#include "core/database/kept_options.h"
#include "core/database/newer_rocksdb.h"
#include "core/database/no_wait_fs.h"
#include "core/database/open_rocksdb.h"
#include "core/database/written_options.h"
#include "core/storage/directories.h"
#include "rocksdb/cache.h"

namespace rocksdb_backup {
namespace {

using Mode = DatabaseOptions::Mode;
using rocksdb::DB;
using rocksdb::Status;
using Handles = std::vector<rocksdb::ColumnFamilyHandle*>;
using Descriptors = std::vector<rocksdb::ColumnFamilyDescriptor>;

Status OpenAs(const DatabaseOptions& options, const rocksdb::DBOptions& db_options, const std::string& path,
              const Descriptors& families, Handles* handles, std::unique_ptr<DB>* db) {
  switch (options.mode) {
    case Mode::kReadOnly:
      return OpenInto(db, [&](auto* out) -> decltype(DB::OpenForReadOnly(db_options, path, families, handles, out)) {
        return DB::OpenForReadOnly(db_options, path, families, handles, out);
      });
    case Mode::kSecondary:
      return OpenInto(db,
                      [&](auto* out) -> decltype(DB::OpenAsSecondary(db_options, path, options.secondary_path, families,
                                                                     handles, out)) {
                        return DB::OpenAsSecondary(db_options, path, options.secondary_path, families, handles, out);
                      });
    default:
      return OpenInto(db, [&](auto* out) -> decltype(DB::Open(db_options, path, families, handles, out)) {
        return DB::Open(db_options, path, families, handles, out);
      });
  }
}

Error Describe(const std::string& path, const DatabaseOptions& options, const std::set<std::string>& names,
               const WrittenOptions& written, const std::shared_ptr<rocksdb::Cache>& cache,
               rocksdb::DBOptions* db_options, Descriptors* families) {
  rocksdb::ColumnFamilyOptions common;
  if (Error error = Resolve(options.family, cache, db_options, &common); !error.ok()) {
    return error;
  }
  for (const std::string& name : names) {
    const auto named = options.families.find(name);
    const FamilyOptions& said = named == options.families.end() ? options.family : named->second;
    rocksdb::ColumnFamilyOptions resolved = common;
    if (named != options.families.end()) {
      if (Error error = Resolve(said, cache, nullptr, &resolved); !error.ok()) {
        return error;
      }
    }
    const auto before = written.find(name);
    if (before != written.end()) {
      const WrittenFamily& family = before->second;
      if (!said.has_comparator && family.options.comparator != nullptr) {
        resolved.comparator = family.options.comparator;
      }
      if (!said.has_merge_operator && resolved.merge_operator == nullptr) {
        resolved.merge_operator = family.options.merge_operator;
      }
      if (resolved.merge_operator == nullptr && !family.merge_operator.empty()) {
        // Without a merge operator, RocksDB takes the first merge in the write-ahead log for damage, and drops it with
        // everything that follows.
        return Error("MERGE_OPERATOR_UNKNOWN", "open " + path + ": the column family \"" + name +
                                                   "\" was written with the merge operator \"" + family.merge_operator +
                                                   "\", which is not one of RocksDB's own. Without a merge operator, "
                                                   "the data in the log from the first "
                                                   "merge on would be lost")
            .With("path", path)
            .Advise("nameSimilarMergeOperator");
      }
    }
    families->emplace_back(name, resolved);
  }
  return Error();
}

// The Options for destroy and repair, which take no separate column families. A database that is destroyed need not be
// readable.
Error ResolveWhole(const DatabaseOptions& options, const std::string& path, bool must_be_readable,
                   rocksdb::Options* whole) {
  rocksdb::DBOptions db_options = options.db;
  if (db_options.max_open_files == DatabaseOptions::kMaxOpenFilesByLimit) {
    db_options.max_open_files = -1;  // neither destroy nor repair keeps files open
  }
  rocksdb::ColumnFamilyOptions family;
  Error error = Resolve(options.family, nullptr, &db_options, &family);
  if (error.ok()) {
    WrittenOptions written;
    if (Error unread = ReadWrittenOptions(path, rocksdb::Env::Default(), options.family, &written);
        must_be_readable && !unread.ok()) {
      return unread;
    }
    const auto before = written.find(rocksdb::kDefaultColumnFamilyName);
    if (before != written.end()) {
      const rocksdb::ColumnFamilyOptions& was = before->second.options;
      if (!options.family.has_comparator && was.comparator != nullptr) {
        family.comparator = was.comparator;
      }
      if (!options.family.has_merge_operator && family.merge_operator == nullptr) {
        family.merge_operator = was.merge_operator;
      }
    }
    *whole = rocksdb::Options(db_options, family);
  }
  return error;
}

// If the log has its own directory, that directory belongs to the database too: no restore may replace it, and no other
// database may write there.
Error ClaimWalDirectory(const std::string& real_path, const DatabaseOptions& options, DatabaseClaim::Kind kind,
                        DatabaseClaim* claim) {
  const auto raw = options.family.raw.find("wal_dir");
  const std::string& directory = raw != options.family.raw.end() ? raw->second : options.db.wal_dir;
  if (directory.empty() || RealPath(directory) == real_path) {
    return Error();
  }
  return DatabaseClaim::Take(RealPath(directory), kind, claim);
}

// Also true if the path cannot be looked at: RocksDB then reports the reason.
bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error) || error;
}

// RocksDB takes a LevelDB database for a very old database of its own, and afterwards LevelDB cannot open it any more.
// The two are told apart by files that only LevelDB writes and files that only RocksDB writes. Checked before anything
// is written to the directory.
Error CheckNotLevelDb(const std::string& path, const char* what) {
  bool has_current = false;
  bool has_ldb = false;
  bool has_sst = false;
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(path, failed), end; !failed && entry != end; entry.increment(failed)) {
    const std::filesystem::path name = entry->path().filename();
    if (name == "IDENTITY" || name.string().compare(0, strlen("OPTIONS-"), "OPTIONS-") == 0) {
      return Error();
    }
    has_current = has_current || name == "CURRENT";
    has_ldb = has_ldb || name.extension() == ".ldb";
    has_sst = has_sst || name.extension() == ".sst";
  }
  if (!has_current || (has_sst && !has_ldb)) {
    return Error();
  }
  return Error(
             "LEVELDB_DIRECTORY",
             std::string(what) + " " + path +
                 ": this is a LevelDB database, not one of RocksDB, and LevelDB could not open it any more afterwards. "
                 "Open it with classic-level and copy its entries into a new directory (docs/migrate.md has the "
                 "lines).")
      .With("path", path)
      .Advise(kReadsLevelDbTables ? "orOpenReadOnly" : "");
}

// When RocksDB opens a database, it opens all tables, or, with a limit, a quarter of the limit less ten and at most 16;
// and it reads the properties of up to 20 tables, which only compactions need. With the smallest limit that RocksDB
// takes, it opens two tables.
void OpenFewTables(rocksdb::DBOptions* options) {
  constexpr int kSmallestLimit = 20;
  options->max_open_files = kSmallestLimit;
  options->skip_stats_update_on_db_open = true;
  // A change of options would start these, also for a database that is only read.
  options->stats_dump_period_sec = 0;
  options->stats_persist_period_sec = 0;
}

// Tables that are opened from now on stay open. RocksDB changes the limit, and then fails to write an OPTIONS file,
// because nothing can be written there.
void KeepMoreTables(DB& db) {
  db.SetDBOptions({{"max_open_files", std::to_string(DatabaseOptions::kMostOpenTables)}}).PermitUncheckedError();
}

// Makes RocksDB keep each log until it is removed. A limit by time would depend on a clock that may be set back
// (facebook/rocksdb#14016). Refuses what would make the log incomplete without a word.
Error KeepLogs(const std::string& path, const Descriptors& families, rocksdb::DBOptions* options) {
  constexpr uint64_t kEnoughMegabytes = uint64_t{1} << 40;
  const auto refused = [&](const std::string& what) {
    return Error("INVALID_OPTION", path + " cannot be archived with " + what).With("path", path);
  };
  if (options->wal_compression != rocksdb::kNoCompression) {
    return refused("walCompression: RocksDB passes over compressed logs when it reads them again");
  }
  if (options->recycle_log_file_num != 0) {
    return refused("recycle_log_file_num: logs would be overwritten before they are archived");
  }
  if (options->allow_2pc) {
    return refused("allow_2pc: a log with prepared transactions cannot be replayed");
  }
  if (options->two_write_queues) {
    return refused("two_write_queues");
  }
  for (const auto& family : families) {
    if (family.options.comparator != nullptr && family.options.comparator->timestamp_size() > 0) {
      return refused("timestamps of its own in the keys of the column family \"" + family.name + "\"");
    }
  }
  options->WAL_ttl_seconds = 0;
  options->WAL_size_limit_MB = kEnoughMegabytes;
  return Error();
}

// For RocksDB versions in which a reader deletes the writer's table files when it closes.
Error CheckNotWritten(const std::string& path) {
  const Error in_use = CheckNotLockedElsewhere(path);
  return in_use.ok() ? Error()
                     : Error("DATABASE_IN_USE", "the database " + path + " is open in another process, and RocksDB " +
                                                    GetEngineInfo().rocksdb +
                                                    " deletes files of the writer when a handle with mode \"readOnly\" "
                                                    "is closed. All versions from 11.1 to "
                                                    "11.7 do that. Open it as a secondary, or build with 11.8")
                           .With("path", path)
                           .With("holder", "another process");
}

}  // namespace

Error Database::Open(const std::string& path, const DatabaseOptions& options, std::shared_ptr<Database>* database) {
  const std::string real_path = RealPath(path);
  DatabaseClaim claim;
  const bool alone = options.mode == Mode::kReadWrite || (options.mode == Mode::kReadOnly && kReadOnlyDeletesFiles);
  const auto kind = alone ? DatabaseClaim::Kind::kExclusive : DatabaseClaim::Kind::kShared;
  if (Error error = DatabaseClaim::Take(real_path, kind, &claim); !error.ok()) {
    return error;
  }
  DatabaseClaim wal_claim;
  if (Error error = ClaimWalDirectory(real_path, options, kind, &wal_claim); !error.ok()) {
    return error;
  }
  if (options.mode == Mode::kReadWrite || !kReadsLevelDbTables) {
    if (Error error = CheckNotLevelDb(real_path, "open"); !error.ok()) {
      return error;
    }
  }
  if (kReadOnlyDeletesFiles && options.mode == Mode::kReadOnly) {
    if (Error error = CheckNotWritten(real_path); !error.ok()) {
      return error;
    }
  }
  if (options.mode == Mode::kReadWrite && !options.db.create_if_missing && !Exists(real_path + "/CURRENT")) {
    // RocksDB would also report this, but it would make the directory first.
    return Error("ROCKSDB_INVALID_ARGUMENT",
                 "open " + real_path + ": the database does not exist (there is no file CURRENT)")
        .With("path", real_path)
        .Advise("createIfMissing");
  }
  if (options.mode == Mode::kReadWrite && options.db.create_if_missing) {
    if (Error error = CreateDirectories(real_path); !error.ok()) {
      return error;
    }
    if (!options.db.wal_dir.empty()) {
      if (Error error = CreateDirectories(options.db.wal_dir); !error.ok()) {
        return error;
      }
    }
  }
  if (options.mode == Mode::kSecondary) {
    if (Error error = CreateDirectories(options.secondary_path); !error.ok()) {
      return error;
    }
  }
  std::shared_ptr<Database> opened;
  Error error = OpenIn({}, real_path, options, &opened);
  for (int attempt = 0; attempt < 2 && options.mode == Mode::kReadWrite && error.code() == "ROCKSDB_IO_ERROR";
       ++attempt) {
    // Checked only after the failure: while a database is open here, this check would drop its lock.
    if (Error in_use = CheckNotLockedElsewhere(real_path); !in_use.ok()) {
      return in_use;
    }
    // The process that was in the way a moment ago has gone, for instance another process's restore that has just
    // ended.
    error = OpenIn({}, real_path, options, &opened);
  }
  if (!error.ok()) {
    return error;
  }
  opened->claim_ = std::move(claim);
  opened->wal_claim_ = std::move(wal_claim);
  *database = std::move(opened);
  return Error();
}

Error Database::OpenThrough(const std::shared_ptr<rocksdb::FileSystem>& files, std::shared_ptr<void> keep_alive,
                            const std::string& path, const DatabaseOptions& options,
                            std::shared_ptr<Database>* database) {
  return OpenIn({rocksdb::NewCompositeEnv(WatchedFileSystem(files)), std::move(keep_alive)}, path, options, database);
}

DatabaseOptions Database::ToReadBackup(DatabaseOptions::OpenTables open_tables) {
  DatabaseOptions options;
  options.mode = Mode::kReadOnly;
  options.open_tables = open_tables;
  return options;
}

Error Database::OpenIn(Environment environment, const std::string& path, const DatabaseOptions& options,
                       std::shared_ptr<Database>* database) {
  const OpenWatch watch;
  rocksdb::DBOptions db_options = options.db;
  const bool keeps_options = options.keep_options_file && options.mode == Mode::kReadWrite;
  if (keeps_options) {
    const rocksdb::Env& below = environment.env != nullptr ? *environment.env : *DatabaseEnv();
    environment.env = KeptOptionsEnv(below.GetFileSystem());
  }
  db_options.env = environment.env != nullptr ? environment.env.get() : DatabaseEnv();
  const std::shared_ptr<rocksdb::Cache> cache =
      options.cache_size == 0 ? nullptr : rocksdb::NewLRUCache(options.cache_size);

  std::set<std::string> names{rocksdb::kDefaultColumnFamilyName};
  WrittenOptions written;
  std::vector<std::string> files;
  if (Error error = ListDatabase(path, db_options.env, &files); !error.ok()) {
    return error;
  }
  const bool opens_when_read = options.open_tables == DatabaseOptions::OpenTables::kWhenRead;
  if (opens_when_read) {
    OpenFewTables(&db_options);
  } else if (db_options.max_open_files == DatabaseOptions::kMaxOpenFilesByLimit) {
    db_options.max_open_files = OpenFilesThatFit(files);
  }
  const bool exists = std::find(files.begin(), files.end(), "CURRENT") != files.end();
  const std::string doing = "open " + path;
  const auto storage = db_options.env->GetFileSystem();
  const NewerRocksDb newer(*storage, path, files);
  if (exists) {
    // RocksDB itself checks only some of the tables.
    if (Error error = newer.CheckTables(doing); !error.ok()) {
      return error;
    }
    std::vector<std::string> existing;
    const Status status = DB::ListColumnFamilies(db_options, path, &existing);
    if (!status.ok()) {
      return newer.Explain(watch.Explain(status, doing).With("path", path), doing);
    }
    names.insert(existing.begin(), existing.end());
    if (Error error = ReadWrittenOptions(path, db_options.env, options.family, &written); !error.ok()) {
      return newer.Explain(std::move(error), doing);
    }
  }
  for (const auto& [name, family] : options.families) {
    names.insert(name);
  }
  db_options.create_missing_column_families = db_options.create_if_missing;
  if (exists) {
    // RocksDB checks again whether CURRENT exists, and takes "permission denied" for no. It would then write a new one.
    db_options.create_if_missing = false;
  }

  Descriptors families;
  if (Error error = Describe(path, options, names, written, cache, &db_options, &families); !error.ok()) {
    return error;
  }
  std::unique_ptr<Archived> archived;
  if (options.archive) {
    if (options.mode != Mode::kReadWrite) {
      return Error("INVALID_OPTION", path + " is opened for reading only, so there is nothing to archive")
          .With("path", path);
    }
    archived = std::make_unique<Archived>();
    Error error = KeepLogs(path, families, &db_options);
    if (error.ok() && exists) {
      error = LookAtManifest(*storage, path, &archived->manifest);
    }
    if (error.ok()) {
      error = ReadArchiveMarker(*storage, path, &archived->marker);
    }
    if (!error.ok()) {
      return error;
    }
  }
  auto events = std::make_shared<DatabaseEvents>(path);
  db_options.listeners.push_back(events);
  std::unique_ptr<DB> db;
  Handles handles;
  const Status status = OpenAs(options, db_options, path, families, &handles, &db);
  if (!status.ok()) {
    return newer.Hint(watch.Explain(status, doing).With("path", path));
  }
  if (opens_when_read) {
    KeepMoreTables(*db);
  }
  std::shared_ptr<Database> opened(new Database);
  opened->mode_ = options.mode;
  opened->path_ = path;
  opened->family_options_ = options.family;
  opened->cache_ = cache;
  opened->environment_ = std::move(environment);
  opened->events_ = std::move(events);
  if (archived != nullptr) {
    archived->opened_at = db->GetLatestSequenceNumber();
    opened->archived_ = std::move(archived);
    opened->commit_clock_ = std::make_unique<CommitClock>(options.archive_clocks);
  }
  opened->reads_without_waiting_ = db_options.env == DatabaseEnv() && NoWaitFileSystem() != nullptr &&
                                   !db_options.use_direct_reads && !db_options.allow_mmap_reads;
  opened->Opened(keeps_options ? WithKeptOptions(std::move(db)) : std::move(db), handles);
  RegisterResource(opened);
  *database = std::move(opened);
  return Error();
}

Error Database::ListColumnFamilies(const std::string& path, std::vector<std::string>* names) {
  const std::string real_path = RealPath(path);
  const OpenWatch watch;
  rocksdb::DBOptions options;
  options.env = DatabaseEnv();
  return watch.Explain(DB::ListColumnFamilies(options, real_path, names), "list the column families of " + real_path)
      .With("path", real_path);
}

Error Database::Destroy(const std::string& path, const DatabaseOptions& options) {
  const std::string real_path = RealPath(path);
  DatabaseClaim claim;
  if (Error error = DatabaseClaim::Take(real_path, DatabaseClaim::Kind::kAlone, &claim); !error.ok()) {
    return error;
  }
  if (Error error = CheckNotLockedElsewhere(real_path); !error.ok()) {
    return error;
  }
  rocksdb::Options whole;
  if (Error error = ResolveWhole(options, real_path, false, &whole); !error.ok()) {
    return error;
  }
  return Error::From(rocksdb::DestroyDB(real_path, whole), "destroy " + real_path).With("path", real_path);
}

Error Database::Repair(const std::string& path, const DatabaseOptions& options) {
  const std::string real_path = RealPath(path);
  DatabaseClaim claim;
  if (Error error = DatabaseClaim::Take(real_path, DatabaseClaim::Kind::kAlone, &claim); !error.ok()) {
    return error;
  }
  if (!Exists(real_path)) {
    // RocksDB would create the directory and report success.
    return Error("ROCKSDB_IO_ERROR", "repair " + real_path + ": no such directory").With("path", real_path);
  }
  if (Error error = CheckNotLockedElsewhere(real_path); !error.ok()) {
    return error;
  }
  if (Error error = CheckNotLevelDb(real_path, "repair"); !error.ok()) {
    return error;
  }
  // A repair would put aside the tables that it cannot read, and go on with the rest.
  std::vector<std::string> files;
  if (Error error = ListDatabase(real_path, DatabaseEnv(), &files); !error.ok()) {
    return error;
  }
  if (Error error = NewerRocksDb(*DatabaseEnv()->GetFileSystem(), real_path, files).CheckTables("repair " + real_path);
      !error.ok()) {
    return error;
  }
  rocksdb::Options whole;
  if (Error error = ResolveWhole(options, real_path, true, &whole); !error.ok()) {
    return error;
  }
  return Error::From(rocksdb::RepairDB(real_path, whole), "repair " + real_path).With("path", real_path);
}

}  // namespace rocksdb_backup
