#include "core/backup/backup_reading.h"

#include <limits>
#include <set>
#include <unordered_set>
#include <utility>

#include "core/backup/directory_look.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

// Checks that the meta file names the files that were written. The meta file may differ in other lines, which a restore
// does not need.
Error CheckListed(const EngineSettings& settings, const BackupDescription& backup, const BackupRecord& record) {
  const auto names_of = [](const auto& files) {
    std::set<std::string> names;
    for (const auto& file : files) {
      names.insert(file.name);
    }
    return names;
  };
  return names_of(backup.files) == names_of(record.files)
             ? Error()
             : Unrestorable(settings, backup.id,
                            "its meta file names other files than were written: " +
                                DifferenceInMeta(settings, backup.id, record),
                            {MetaName(backup.id)});
}

Error Latest(BackupEngineSession& session, const EngineSettings& settings, uint32_t* id) {
  if (session.ids().empty()) {
    const std::vector<uint32_t>& corrupt = session.corrupt_ids();
    const std::string& directory = settings.name();
    if (corrupt.empty()) {
      return Error("BACKUP_NOT_FOUND", "there is no backup in " + directory).With("path", directory);
    }
    const std::string reason = session.ReasonOf(corrupt.back());
    return Error("BACKUP_CORRUPT",
                 "no backup in " + directory + " can be used: " + (corrupt.size() == 1 ? "backup " : "backups ") +
                     JoinIds(corrupt) + " cannot be read. Backup " + std::to_string(corrupt.back()) + ": " + reason)
        .With("path", directory)
        .With("backupId", uint64_t{corrupt.back()})
        .With("why", WhyUnreadable(reason))
        .Advise(AdviceOn(WhyUnreadable(reason), "listUnreadable"));
  }
  *id = session.ids().back();
  return Error();
}

}  // namespace

Error Unrestorable(const EngineSettings& settings, uint32_t id, const std::string& why,
                   std::vector<std::string> damaged_files) {
  return Error("BACKUP_CORRUPT", "backup " + std::to_string(id) + " in " + settings.name() + " is damaged: " + why)
      .In(std::move(damaged_files))
      .With("path", settings.name())
      .With("backupId", uint64_t{id})
      .With("why", WhyUnreadable(why))
      .Advise(AdviceOn(WhyUnreadable(why), "useAnotherBackup"));
}

Error NameDamage(const EngineSettings& settings, uint32_t id, const std::optional<BackupRecord>& record,
                 const std::shared_ptr<Operation>& to_read, Damage damage, Error first) {
  const size_t most = damage == Damage::kFirst ? 1 : std::numeric_limits<size_t>::max();
  Difference all;
  if (record && damage == Damage::kAll) {
    if (const std::string in_meta = DifferenceInMeta(settings, id, *record); !in_meta.empty()) {
      all.Add(in_meta);
      all.files.push_back(MetaName(id));
    }
  }
  Difference in_files = DifferenceInFiles(settings, KnownFiles(settings, id, record), to_read, most);
  if (!in_files.empty()) {
    all.Add(in_files.text);
    all.files.insert(all.files.end(), in_files.files.begin(), in_files.files.end());
  }
  return all.empty() ? first : Unrestorable(settings, id, all.text, std::move(all.files));
}

Error NameUnread(const EngineSettings& settings, const BackupDescription& backup, Error error) {
  std::vector<std::string> files;
  if (error.code() == "ROCKSDB_IO_ERROR" && WhyUnreadable(error.message()) != "damaged") {
    for (const BackupFile& file : backup.files) {
      if (error.message().find(settings.root() + "/" + file.name) != std::string::npos) {
        files.push_back(file.name);
      }
    }
  }
  return files.empty() ? error : std::move(error).In(std::move(files));
}

Error LossOr(const BackupReading& reading, Error error) {
  Error lost = error.ok() || reading.lock == nullptr ? Error() : reading.lock->StillHeld();
  return lost.code() == "LOCK_LOST" ? lost : error;
}

Error CheckFiles(const EngineSettings& settings, const BackupDescription& backup,
                 const std::optional<BackupRecord>& record) {
  std::unordered_set<std::string> names;
  const auto check_name = [&](const std::string& file) {
    const std::string name = DatabaseFileName(file);
    if (name.empty() || !IsDatabaseFileName(name)) {
      return Unrestorable(settings, backup.id, "its meta file names " + file + ", which is no database's file",
                          {MetaName(backup.id)});
    }
    if (!names.insert(name).second) {
      return Unrestorable(settings, backup.id, "its meta file names two files that would become " + name,
                          {MetaName(backup.id)});
    }
    return Error();
  };
  for (const auto& file : backup.excluded) {
    if (Error error = check_name(file); !error.ok()) {
      return error;
    }
  }
  for (const auto& file : backup.files) {
    if (Error error = check_name(file.name); !error.ok()) {
      return error;
    }
  }
  if (Difference difference = DifferenceInFiles(settings, KnownFiles(settings, backup.id, record));
      !difference.empty()) {
    return Unrestorable(settings, backup.id, difference.text, std::move(difference.files));
  }
  return record ? CheckListed(settings, backup, *record) : Error();
}

Error OpenBackup(const EngineSettings& settings, const ReadRequest& request, BackupReading* reading) {
  std::shared_ptr<BackupEngineSession>& session = reading->session;
  // With 0, finds out which backups there are.
  const auto open = [&](uint32_t of) {
    session.reset();
    auto picture = LookAt(settings);
    if (picture != nullptr && (of == 0 || !request.engine || !picture->Has(of))) {
      session = BackupEngineSession::Of(settings, std::move(picture));
      return Error();
    }
    SessionRequest opening{
        .operation = request.operation, .count_backup = request.count_backup, .count_database = request.count_database};
    if (picture != nullptr) {
      opening.picture = std::move(picture);
      opening.ids = {of};
    }
    return BackupEngineSession::Open(settings, opening, &session);
  };
  uint32_t id = request.backup_id;
  for (;;) {
    if (request.backup_id == 0) {
      if (Error error = open(0); !error.ok()) {
        return error;
      }
      if (Error error = Latest(*session, settings, &id); !error.ok()) {
        return error;
      }
    }
    if (Error error = settings.storage->LockReader(id, settings.access(), &reading->lock); !error.ok()) {
      return error;
    }
    if (Error error = open(id); !error.ok()) {
      return error;
    }
    Error error = session->Describe(id, true, &reading->backup);
    // The latest backup may have been deleted in the meantime. Then another backup is the latest.
    if (request.backup_id == 0 && error.code() == "BACKUP_NOT_FOUND") {
      continue;
    }
    return error.code() == "BACKUP_CORRUPT"
               ? NameDamage(settings, id, ReadBackupRecord(settings, id), nullptr, Damage::kAll, std::move(error))
               : error;
  }
}

}  // namespace rocksdb_backup
