// What a repository deletes: backups, and files that no backup has.

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <utility>

#include "core/backup/backup_record.h"
#include "core/backup/directory_look.h"
#include "core/base/paths.h"
#include "core/repository/backup_repository.h"

namespace rocksdb_backup {
namespace {

bool IsLocked(const EngineSettings& settings, uint32_t id) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return LockedUntil(settings, id) > std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Such as "2026-11-28T10:00:00Z".
std::string InWords(int64_t milliseconds) {
  const auto seconds = static_cast<std::time_t>((milliseconds + 999) / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace

template <class IdsToDelete, class Remove>
Error BackupRepository::RemoveUnderLock(bool force, const char* doing, IdsToDelete ids_to_delete, Remove remove,
                                        std::vector<std::string>* refused) {
  const auto operation = std::make_shared<Operation>();
  const EngineSettings settings = SettingsFor(operation);
  std::unique_ptr<WriterLock> lock;
  if (Error error = AcquireWriter(*settings.storage, *operation, &lock); !error.ok()) {
    return error;
  }
  WriterSettings writing(settings, *lock);
  const auto deletes = std::make_shared<NotedDeletes>(writing.files);
  writing.settings.storage = std::make_shared<LayeredStorage>(writing.settings.storage, deletes);
  const std::string what = std::string(doing) + " in " + directory();
  std::shared_ptr<BackupEngineSession> session;
  const std::shared_ptr<const DirectoryPicture> picture = LookAt(writing.settings);
  if (picture != nullptr) {
    session = BackupEngineSession::Of(writing.settings, picture);
  } else if (Error error = BackupEngineSession::Open(writing.settings,
                                                     {.purpose = Purpose::kDelete, .operation = operation}, &session);
             !error.ok()) {
    // Over a backup that may be whole, such a BackupEngine does not open. A reader knows which backup that is.
    std::shared_ptr<BackupEngineSession> reader;
    Error refusal =
        BackupEngineSession::Open(writing.settings, {}, &reader).ok() ? Refusal(what, force, *reader) : Error();
    return settings.storage->Explain(writing.LossOr(what, refusal.ok() ? std::move(error) : std::move(refusal)));
  }
  const auto remove_all = [&] {
    if (Error error = Refusal(what, force, *session); !error.ok()) {
      return error;
    }
    std::vector<uint32_t> ids;
    if (Error error = ids_to_delete(*session, writing.settings, &ids); !error.ok()) {
      return error;
    }
    if (Error error = lock->ExcludeReadersOf(ids); !error.ok()) {
      return error;
    }
    if (Error error = writing.settings.storage->RemoveAbandoned(); !error.ok()) {
      return error;
    }
    rocksdb::IOStatus failed;
    rocksdb::IOStatus status = DeleteMetas(writing.settings, &ids, &failed);
    if (status.ok() && !failed.ok() && ids.empty()) {
      status = failed;
    } else if (status.ok() && picture != nullptr) {
      // For a BackupEngine that is opened now, all files without a backup are garbage. One pass removes them, however
      // many backups were deleted.
      if (Error error = BackupEngineSession::Open(
              writing.settings, {.purpose = Purpose::kDelete, .operation = operation, .picture = picture, .ids = ids},
              &session);
          !error.ok()) {
        return error;
      }
      status = session->writer().GarbageCollect();
    } else if (status.ok()) {
      status = remove(writing.settings, session->writer(), ids);
    }
    return LeftOr(what, *deletes, Error::From(status.ok() ? failed : status, what).With("path", directory()));
  };
  Error error = settings.storage->Explain(writing.LossOr(what, Guarded(directory(), remove_all)));
  if (refused != nullptr) {
    *refused = settings.storage->RefusedDeletes();
  }
  return error;
}

Error BackupRepository::Refusal(const std::string& what, bool force, BackupEngineSession& session) const {
  const std::vector<uint32_t>& corrupt = session.corrupt_ids();
  const auto refused = [&](uint32_t id, const std::string& reason, const std::string& why) {
    return Error("BACKUP_CORRUPT", what + " was refused, because " + (corrupt.size() == 1 ? "backup " : "backups ") +
                                       JoinIds(corrupt) + " cannot be read. Backup " + std::to_string(id) + ": " +
                                       reason + ". RocksDB would delete all files that only " +
                                       (corrupt.size() == 1 ? "it uses." : "they use."))
        .With("path", directory())
        .With("backupId", uint64_t{id})
        .With("why", why);
  };
  for (const uint32_t id : corrupt) {
    const std::string reason = session.ReasonOf(id);
    if (const std::string why = WhyUnreadable(reason); why != "damaged") {
      return refused(id, reason, why).Advise(AdviceOn(why));
    }
  }
  return corrupt.empty() || force
             ? Error()
             : refused(corrupt.front(), session.ReasonOf(corrupt.front()), "damaged").Advise("bringBackOrForce");
}

Error BackupRepository::CheckDeletion(bool force) {
  std::shared_ptr<BackupEngineSession> session;
  Error error = OpenSession(SettingsToRead(), &session);
  return error.ok() ? Guarded(directory(), [&] { return Refusal("deleting in " + directory(), force, *session); })
                    : error;
}

Error BackupRepository::LeftOr(const std::string& what, NotedDeletes& deletes, Error error) const {
  constexpr size_t kMaxTold = 20;
  const std::vector<NotedDeletes::Left> left = deletes.left();
  if (!error.ok() || left.empty()) {
    return error;
  }
  std::vector<std::string> names;
  std::string told;
  for (const auto& [path, why] : left) {
    names.push_back(IsInside(path, settings_.root()) ? path.substr(settings_.root().size() + 1) : path);
    if (names.size() <= kMaxTold) {
      told += (told.empty() ? "" : ", ") + names.back();
    }
  }
  if (names.size() > kMaxTold) {
    told += " and " + std::to_string(names.size() - kMaxTold) + " more";
  }
  const std::string first = names.front();
  return Error::From(left.front().why, what + " is done, but " + std::to_string(names.size()) +
                                           (names.size() == 1 ? " file" : " files") + " could not be deleted: " + told +
                                           (names.size() == 1 ? "" : ". The first"))
      .With("path", directory() + "/" + first)
      .Left(std::move(names));
}

// If the BackupEngine cannot delete a backup's meta file, it still deletes the backup's files, and leaves a corrupt
// backup. A power cut can do the same if it undoes the deletion of the meta file but not the deletion of the files. So
// the meta files must be gone for good before any file is deleted. Afterwards `ids` has only the ids whose meta file is
// gone; `failed` is the error for the others.
rocksdb::IOStatus BackupRepository::DeleteMetas(const EngineSettings& settings, std::vector<uint32_t>* ids,
                                                rocksdb::IOStatus* failed) {
  const auto files = settings.files();
  std::erase_if(*ids, [&](uint32_t id) {
    rocksdb::IOStatus status = files->DeleteFile(MetaPath(settings.root(), id), rocksdb::IOOptions(), nullptr);
    if (status.ok()) {
      return false;
    }
    *failed = std::move(status);
    return true;
  });
  return settings.engine.sync && !ids->empty() ? SyncNames(*files, MetaDirectory(settings.root()))
                                               : rocksdb::IOStatus::OK();
}

// Needs a BackupEngine that knows all backups. It deletes the files that only these backups have.
rocksdb::IOStatus BackupRepository::DeleteFiles(const EngineSettings& settings, rocksdb::BackupEngine& engine,
                                                const std::vector<uint32_t>& ids) {
  rocksdb::IOStatus result;
  for (const uint32_t id : ids) {
    RemoveBackupRecord(settings, id);
    if (rocksdb::IOStatus status = engine.DeleteBackup(id); !status.ok()) {
      result = std::move(status);
    }
  }
  return result;
}

Error BackupRepository::Delete(const std::vector<uint32_t>& backup_ids, bool force) {
  const std::string doing = (backup_ids.size() == 1 ? "deleting backup " : "deleting backups ") + JoinIds(backup_ids);
  return RemoveUnderLock(
      force, doing.c_str(),
      [&backup_ids](const BackupEngineSession& session, const EngineSettings& settings, std::vector<uint32_t>* ids) {
        for (const uint32_t id : backup_ids) {
          if (!std::binary_search(session.ids().begin(), session.ids().end(), id) &&
              !std::binary_search(session.corrupt_ids().begin(), session.corrupt_ids().end(), id)) {
            return session.NotFound(id);
          }
          if (IsLocked(settings, id)) {
            const int64_t until = LockedUntil(settings, id);
            return Error("STORE_REFUSED", "backup " + std::to_string(id) + " in " + settings.name() +
                                              " was not deleted: the store has locked it until " + InWords(until))
                .With("path", settings.name())
                .With("backupId", uint64_t{id})
                .With("lockedUntil", static_cast<uint64_t>(until));
          }
        }
        *ids = backup_ids;
        std::sort(ids->begin(), ids->end());
        ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
        return Error();
      },
      [this](const EngineSettings& settings, rocksdb::BackupEngine& engine, const std::vector<uint32_t>& ids) {
        return DeleteFiles(settings, engine, ids);
      });
}

// The BackupEngine's own purge also counts backups without files as kept, and then deletes other backups than it
// should.
Error BackupRepository::PurgeOld(uint32_t keep, bool force) {
  return RemoveUnderLock(
      force, "purging old backups",
      [keep](BackupEngineSession& session, const EngineSettings& settings, std::vector<uint32_t>* ids) {
        // Each database is purged separately. Backups whose database is not known count with the only known database,
        // if there is just one.
        std::map<std::string, std::vector<uint32_t>> of_databases;
        for (const uint32_t id : session.ids()) {
          of_databases[session.DatabaseOf(id)].push_back(id);
        }
        if (of_databases.size() <= 2 && of_databases.contains("")) {
          of_databases = {{"", session.ids()}};
        }
        for (const auto& [database, backups] : of_databases) {
          ids->insert(ids->end(), backups.begin(),
                      backups.end() - static_cast<std::ptrdiff_t>(std::min<size_t>(backups.size(), keep)));
        }
        std::erase_if(*ids, [&](uint32_t id) { return IsLocked(settings, id); });
        std::sort(ids->begin(), ids->end());
        return Error();
      },
      [this](const EngineSettings& settings, rocksdb::BackupEngine& engine, const std::vector<uint32_t>& ids) {
        return ids.empty() ? engine.GarbageCollect() : DeleteFiles(settings, engine, ids);
      });
}

Error BackupRepository::CollectGarbage(bool force, std::vector<std::string>* refused) {
  return RemoveUnderLock(
      force, "collecting garbage",
      [](const BackupEngineSession&, const EngineSettings& settings, std::vector<uint32_t>*) {
        RemoveTemporaryMetas(settings);
        RemoveTemporaryRecords(settings);
        return Error();
      },
      [](const EngineSettings&, rocksdb::BackupEngine& engine, const std::vector<uint32_t>&) {
        return engine.GarbageCollect();
      },
      refused);
}

}  // namespace rocksdb_backup
