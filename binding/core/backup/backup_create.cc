#include "core/backup/backup_create.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <stdexcept>
#include <thread>
#include <utility>

#include "core/backup/backup_plan.h"
#include "core/backup/backup_record.h"
#include "core/backup/copy_plan.h"
#include "core/backup/database_identity.h"
#include "core/backup/directory_look.h"
#include "core/backup/live_files_db.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Status;

Error CheckPlace(const Storage& storage, const BackupSource& source) {
  Error error = storage.CheckSource(source.path);
  return error.ok() ? storage.CheckSource(source.wal_dir) : error;
}

// If the free space cannot be found out, the backup goes on.
Error CheckSpace(const EngineSettings& settings, uint64_t needed) {
  const std::optional<uint64_t> free = settings.storage->FreeSpace();
  if (free && *free < needed) {
    return Error("NO_SPACE", "the backup would write " + HumanBytes(needed) + " to " + settings.name() + ", where " +
                                 HumanBytes(*free) + " are free. Nothing of it is kept.")
        .With("path", settings.name())
        .With("bytesNeeded", needed)
        .With("bytesFree", *free)
        .Advise("freeSpaceForBackup");
  }
  return Error();
}

// Sets a field that not every RocksDB has.
template <typename Options>
void SetAtomicFlush(bool atomic, Options* options) {
  if constexpr (requires { options->atomic_flush; }) {
    options->atomic_flush = atomic;
  }
}

// `on_excluded` gets the names of the files that are left out, before any file that could be left out is copied.
rocksdb::CreateBackupOptions EngineOptions(const CreateRequest& request, Operation& operation, bool backup_log_files,
                                           std::function<Error(const std::vector<std::string>&)> on_excluded,
                                           Error* callback_error) {
  rocksdb::CreateBackupOptions options;
  // Data that was written without the log gets into a backup only by a flush, so it is flushed whatever the request
  // says.
  options.flush_before_backup =
      request.source.needs_flush || request.flush_before_backup.value_or(request.atomic_flush || !backup_log_files);
  SetAtomicFlush(request.atomic_flush, &options);
  if (request.cpu_priority) {
    options.decrease_background_thread_cpu_priority = true;
    options.background_thread_cpu_priority = *request.cpu_priority;
  }
  if (request.exclude_files) {
    options.exclude_files_callback = [&request, &operation, on_excluded = std::move(on_excluded), callback_error](
                                         rocksdb::MaybeExcludeBackupFile* begin, rocksdb::MaybeExcludeBackupFile* end) {
      std::vector<std::string> names;
      for (auto* file = begin; file != end; ++file) {
        names.push_back(file->info.relative_file);
      }
      std::vector<bool> excluded(names.size(), false);
      *callback_error = request.exclude_files(operation, names, &excluded);
      if (callback_error->ok()) {
        std::vector<std::string> excluded_names;
        excluded.resize(names.size(), false);
        for (size_t i = 0; i < names.size(); ++i) {
          begin[i].exclude_decision = excluded[i];
          if (excluded[i]) {
            excluded_names.push_back(names[i]);
          }
        }
        *callback_error = on_excluded(excluded_names);
      }
      if (!callback_error->ok()) {
        throw std::runtime_error(callback_error->message());  // the only way to tell the BackupEngine
      }
    };
  }
  return options;
}

// The BackupEngine's own flush cannot be stopped, and a database may hold gigabytes in memory. So its data is written
// out before that flush by the database's own threads, which go on after a stop. The BackupEngine then flushes only
// what was written in the meantime.
Status FlushUnlessStopped(const BackupSource& source, const Operation& operation) {
  constexpr std::chrono::milliseconds kInterval{5};
  if (!source.start_flush) {
    return Status::OK();
  }
  source.start_flush();
  // Tables in memory are written out in order. When as many were written as there were at first, ours are done. New
  // tables may be added all the time.
  uint64_t left = 0;
  uint64_t before = 0;
  for (bool first = true;; first = false) {
    uint64_t now = 0;
    uint64_t errors = 0;
    if (!source.db->GetAggregatedIntProperty(rocksdb::DB::Properties::kNumImmutableMemTable, &now) ||
        !source.db->GetIntProperty(rocksdb::DB::Properties::kBackgroundErrors, &errors)) {
      return Status::OK();
    }
    left = first ? now : left - std::min(left, before - std::min(before, now));
    before = now;
    if (left == 0 || now == 0 || errors > 0) {
      return Status::OK();  // the BackupEngine's flush reports an error
    }
    if (operation.stopped()) {
      return StoppedStatus();
    }
    std::this_thread::sleep_for(kInterval);
  }
}

// The id that the BackupEngine will give.
Error NewId(const EngineSettings& settings, const BackupEngineSession& session, uint32_t* id) {
  uint32_t latest = 0;
  for (const auto* known : {&session.ids(), &session.corrupt_ids()}) {
    for (const uint32_t other : *known) {
      latest = std::max(latest, other);
    }
  }
  // No id follows the last one, and to the BackupEngine the id before the last means "the latest".
  if (latest >= std::numeric_limits<uint32_t>::max() - 2) {
    return Error("BACKUP_CORRUPT", MetaPath(settings.root(), latest) +
                                       " has the highest possible backup id, so no other backup can follow. No "
                                       "BackupEngine writes such an id: remove this file, or back up to another "
                                       "repository.")
        .With("path", MetaPath(settings.root(), latest))
        .With("backupId", uint64_t{latest});
  }
  *id = latest + 1;
  // A storage that lists a new backup too late would let this one take its place.
  const std::string meta = MetaPath(settings.root(), *id);
  const IOStatus there = settings.files()->FileExists(meta, IOOptions(), nullptr);
  if (!there.ok() && !there.IsNotFound() && !there.IsPathNotFound()) {
    return Error::From(there, "looking whether backup " + std::to_string(*id) + " is in " + settings.name());
  }
  if (there.ok()) {
    return Error("STORAGE_INCONSISTENT",
                 meta + " exists, but " + settings.name() +
                     " does not list it. Nothing was written; try again when the listing is complete.")
        .With("path", settings.name())
        .With("backupId", uint64_t{*id});
  }
  return Error();
}

// If two databases share a repository by mistake, their histories mix: a restore may put one database in the place of
// the other. So the first backup of each further database needs permission. Backups whose database is not known do not
// prevent anything.
Error CheckDatabase(BackupEngineSession& session, const std::string& directory, const CreateRequest& request,
                    const std::string& database) {
  std::map<std::string, std::vector<uint32_t>> others;
  for (const uint32_t id : session.ids()) {
    const std::string of = session.DatabaseOf(id);
    if (of == database) {
      return Error();
    }
    if (!of.empty()) {
      others[of].push_back(id);
    }
  }
  std::vector<std::string> ids;
  std::string told;
  for (const auto& [other, backups] : others) {
    ids.push_back(other);
    told += (told.empty() ? "" : ", ") + other + " (" + (backups.size() == 1 ? "backup " : "backups ") +
            JoinIds(backups) + ")";
  }
  if (database.empty() || ids.empty() || HasTablesOf(*request.source.db, ids)) {
    return Error();
  }
  return Error("DATABASE_DIFFERS", "the database " + request.source.path + ", whose id is " + database +
                                       ", was not backed up: " + directory + " has backups of another database, " +
                                       told + ", and none of this one.")
      .With("path", directory)
      .With("databaseId", database)
      .Advise("shareRepository");
}

// Makes a backup keep all its files to itself, so that it takes over none. The first backup in a repository takes over
// none anyway. It writes its files where backups share them, so that later backups need not copy them again.
void ShareNoFiles(EngineSettings* settings) {
  std::vector<std::string> metas;
  const std::string directory = MetaDirectory(settings->root());
  const IOStatus status = settings->files()->GetChildren(directory, IOOptions(), &metas, nullptr);
  if (!status.ok() || std::any_of(metas.begin(), metas.end(), [](const auto& name) { return BackupIdOf(name) != 0; })) {
    settings->engine.share_table_files = false;
    settings->engine.share_files_with_checksum = false;
  }
}

// Records the sizes that the BackupEngine knows from writing the files, and what it wrote to the meta file, not what is
// found afterwards.
void RecordFiles(const EngineSettings& settings, BackupEngineSession& session, uint32_t id,
                 const BackupOrigin& origin) {
  rocksdb::BackupInfo info;
  Status status = session.reader().GetBackupInfo(id, &info, true);
  if (status.ok()) {
    status = WriteBackupRecord(settings, id, session.written_meta(), origin, info.file_details);
  }
  if (!status.ok()) {
    rocksdb::Warn(settings.info_log, "backup %u has no record of its files' sizes: %s", id, status.ToString().c_str());
  }
}

// Lets the BackupEngine copy the database's files and make the backup.
Error CopyFiles(const EngineSettings& settings, const CreateRequest& request,
                const std::shared_ptr<Operation>& operation, BackupEngineSession& session, CopyPlan& plan, uint32_t* id,
                uint64_t* last_sequence) {
  Error own_error;
  const auto check_space = [&] { return request.check_disk_space ? CheckSpace(settings, plan.new_bytes()) : Error(); };
  LiveFilesDb database(request.source.db,
                       {.before_flush = [&]() -> Status {
                          if (operation->stopped()) {
                            return StoppedStatus();
                          }
                          operation->Begin(Phase::kFlush, 0, 0);
                          return FlushUnlessStopped(request.source, *operation);
                        },
                        .on_files = [&](const LiveFilesDb::Files& files) -> Status {
                          if (operation->stopped()) {
                            return StoppedStatus();
                          }
                          for (const auto& file : files) {
                            session.ExpectDatabaseFile(file.directory + "/" + file.relative_filename, file.size);
                            settings.storage->ExpectFile(NameOf(file.relative_filename), file.size);
                          }
                          plan.Announce(files);
                          *last_sequence = request.source.db->GetLatestSequenceNumber();
                          if (!request.exclude_files) {
                            own_error = check_space();
                          }
                          return own_error.ok() ? Status::OK() : Status::Aborted(own_error.message());
                        }});
  const auto on_excluded = [&](const std::vector<std::string>& names) {
    for (const auto& name : names) {
      plan.OnExclude(name);
    }
    return check_space();
  };
  const IOStatus status = session.writer().CreateNewBackupWithMetadata(
      EngineOptions(request, *operation, settings.engine.backup_log_files, on_excluded, &own_error), &database,
      request.app_metadata, id);
  if (status.ok()) {
    return Error();
  }
  RemoveTemporaryMetas(settings);
  if (!own_error.ok()) {
    return own_error;
  }
  const std::string doing = "backup of " + request.source.path + " to " + settings.name();
  const std::vector<uint32_t>& corrupt = session.corrupt_ids();
  if (!corrupt.empty() && status.IsAborted()) {
    return Error("BACKUP_CORRUPT", doing + " failed because of a file of " +
                                       (corrupt.size() == 1 ? "backup " : "one of the backups ") + JoinIds(corrupt) +
                                       ", which cannot be read at present: " + Worded(status) + ".")
        .With("path", settings.name())
        .With("backupId", uint64_t{corrupt.front()})
        .With("why", WhyUnreadable(Worded(status)))
        .Advise(AdviceOn(WhyUnreadable(Worded(status)), "bringBackOrGiveUp"));
  }
  return Error::From(status, doing).With("path", settings.name());
}

Error PlanIn(EngineSettings settings, const CreateRequest& request, BackupPlan* plan) {
  if (Error error = CheckPlace(*settings.storage, request.source); !error.ok()) {
    return error;
  }
  settings.read_only = true;
  const IOStatus there = settings.files()->FileExists(MetaDirectory(settings.root()), IOOptions(), nullptr);
  if (!there.ok() && !there.IsNotFound()) {
    return Error::From(there, "looking at " + settings.name()).With("path", settings.name());
  }
  const bool is_there = there.ok();
  std::shared_ptr<const DirectoryPicture> picture;
  *plan = {};
  plan->database = DatabaseIdOf(*request.source.db);
  if (is_there) {
    picture = LookAt(settings);
    std::shared_ptr<BackupEngineSession> session;
    if (picture != nullptr) {
      session = BackupEngineSession::Of(settings, picture);
    } else if (Error error = BackupEngineSession::Open(settings, {}, &session); !error.ok()) {
      return error;
    }
    if (!request.allow_other_database) {
      if (Error error = CheckDatabase(*session, settings.name(), request, plan->database); !error.ok()) {
        return error;
      }
    }
  }
  if (request.full && is_there) {
    ShareNoFiles(&settings);
  }
  rocksdb::LiveFilesStorageInfoOptions options;
  options.wal_size_for_flush = std::numeric_limits<uint64_t>::max();  // a plan writes nothing
  std::vector<rocksdb::LiveFileStorageInfo> files;
  if (const Status status = request.source.db->GetLiveFilesStorageInfo(options, &files); !status.ok()) {
    return Error::From(status, "listing the files of " + request.source.path).With("path", request.source.path);
  }
  plan->files = PlanFiles(files, settings.engine.backup_log_files, SharedFilesIn(settings, picture.get()));
  plan->free_bytes = settings.storage->FreeSpace();
  return Error();
}

}  // namespace

void RemoveTemporaryMetas(const EngineSettings& settings) {
  const auto files = settings.files();
  const std::string meta = MetaDirectory(settings.root());
  std::vector<std::string> children;
  if (!files->GetChildren(meta, IOOptions(), &children, nullptr).ok()) {
    return;
  }
  for (const auto& child : children) {
    if (IsTemporaryMetaName(child)) {
      // Best effort: the file has a few hundred bytes, and the next create tries again.
      files->DeleteFile(meta + "/" + child, IOOptions(), nullptr).PermitUncheckedError();
    }
  }
}

Error PlanBackup(EngineSettings settings, const CreateRequest& request, BackupPlan* plan) {
  if (auto storage = settings.storage->ForOperation(nullptr)) {
    settings.storage = std::move(storage);
  }
  return settings.storage->Explain(PlanIn(settings, request, plan));
}

Error CreateBackup(EngineSettings settings, const CreateRequest& request, const std::shared_ptr<Operation>& operation,
                   BackupDescription* created) {
  if (Error error = CheckPlace(*settings.storage, request.source); !error.ok()) {
    return error;
  }
  if (request.app_metadata.size() > kMaxAppMetadata) {
    return Error("INVALID_OPTION", "metadata has " + std::to_string(request.app_metadata.size()) +
                                       " bytes; RocksDB keeps at most " + std::to_string(kMaxAppMetadata));
  }
  RemoveTemporaryMetas(settings);
  if (request.full) {
    ShareNoFiles(&settings);
  }
  std::shared_ptr<const DirectoryPicture> picture = LookAt(settings, Records::kRead);
  if (picture != nullptr && !picture->AsWritten()) {
    picture.reset();  // the session then hides changed meta files from the BackupEngine
  }
  CopyPlan plan(settings, picture, operation);
  std::shared_ptr<BackupEngineSession> session;
  if (Error error = BackupEngineSession::Open(settings,
                                              {.purpose = Purpose::kCreate,
                                               .operation = operation,
                                               .database_fs = request.source.db->GetEnv()->GetFileSystem(),
                                               .observer = &plan,
                                               .picture = picture},
                                              &session);
      !error.ok()) {
    return error;
  }
  return Guarded(settings.name(), [&] {
    uint32_t id = 0;
    if (Error error = NewId(settings, *session, &id); !error.ok()) {
      return error;
    }
    const std::string database = DatabaseIdOf(*request.source.db);
    if (!request.allow_other_database) {
      if (Error error = CheckDatabase(*session, settings.name(), request, database); !error.ok()) {
        return error;
      }
    }
    uint64_t last_sequence = 0;
    session->GuardCreate(id, !session->corrupt_ids().empty(), settings.engine.sync);
    if (Error error = CopyFiles(settings, request, operation, *session, plan, &id, &last_sequence); !error.ok()) {
      return error;
    }
    RecordFiles(settings, *session, id, {database, !plan.TakesOver()});
    operation->Finish();
    Error error = session->DescribeNew(id, created);
    created->last_sequence = last_sequence;
    return error;
  });
}

}  // namespace rocksdb_backup
