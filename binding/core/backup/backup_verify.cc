#include "core/backup/backup_verify.h"

#include <string>
#include <utility>
#include <vector>

#include "core/backup/backup_reading.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

// The error of a damaged backup whose record is damaged, too.
Error AndRecord(const FoundRecord& found, uint32_t backup_id, Error error) {
  std::vector<std::string> files = error.damaged_files();
  files.push_back(RecordName(backup_id));
  return std::move(error).And("; " + Worded(found.status)).In(std::move(files));
}

}  // namespace

Error VerifyBackup(const EngineSettings& settings, uint32_t backup_id, bool checksum,
                   const std::shared_ptr<Operation>& operation, VerifyResult* result) {
  if (backup_id == 0) {
    return Error("BACKUP_NOT_FOUND", "there is no backup 0 in " + settings.name() + ": ids begin at 1")
        .With("path", settings.name())
        .With("backupId", uint64_t{0});
  }
  BackupReading reading;
  Error unopened = OpenBackup(settings,
                              {.backup_id = backup_id,
                               .operation = operation,
                               .count_backup = ObservedFileSystem::Count::kReads,
                               .engine = checksum},
                              &reading);
  const BackupDescription& backup = reading.backup;
  const FoundRecord found = FindBackupRecord(settings, backup_id);
  const std::optional<BackupRecord>& record = found.record;
  result->sizes_known = record.has_value();
  const auto with_all_damage = [&](Error error) {
    if (error = LossOr(reading, std::move(error)); error.code() == "LOCK_LOST") {
      return error;
    }
    if (error.code() == "BACKUP_CORRUPT") {
      error = NameDamage(settings, backup_id, record, checksum ? operation : nullptr, Damage::kAll, std::move(error));
      return found.status.IsCorruption() ? AndRecord(found, backup_id, std::move(error)) : error;
    }
    return NameUnread(settings, backup, std::move(error));
  };
  if (!unopened.ok()) {
    return with_all_damage(std::move(unopened));
  }
  // A check of sizes reads nothing, so only its end can be reported.
  operation->Begin(Phase::kVerify, checksum ? backup.size : 0, checksum ? backup.number_files : 0);
  if (Error error = CheckFiles(settings, backup, record); !error.ok()) {
    return with_all_damage(std::move(error));
  }
  if (record) {
    if (const std::string difference = DifferenceInMeta(settings, backup_id, *record); !difference.empty()) {
      return with_all_damage(Unrestorable(settings, backup_id, difference, {MetaName(backup_id)}));
    }
  }
  Error error;
  if (reading.session->has_engine()) {
    reading.session->ExpectBackupFiles(backup);
    reading.session->ForgetFailure();
    error = Guarded(settings.name(), [&] {
      const rocksdb::IOStatus status = reading.session->reader().VerifyBackup(backup_id, checksum);
      if (const rocksdb::IOStatus failure = reading.session->failure(); !status.ok() && !failure.ok()) {
        // A file that could not be looked at is not damaged for that reason.
        return Error::From(failure, "verifying backup " + std::to_string(backup_id) + " in " + settings.name())
            .With("path", settings.name())
            .With("backupId", uint64_t{backup_id});
      }
      if (status.IsCorruption() || status.IsNotFound()) {
        return Unrestorable(settings, backup_id, Worded(status));
      }
      return Error::From(status, "verifying backup " + std::to_string(backup_id) + " in " + settings.name())
          .With("path", settings.name())
          .With("backupId", uint64_t{backup_id});
    });
  }
  if (!error.ok()) {
    return with_all_damage(std::move(error));
  }
  if (found.status.IsCorruption()) {
    return LossOr(reading, Unrestorable(settings, backup_id, Worded(found.status), {RecordName(backup_id)})
                               .Advise(checksum ? "replaceRecord" : "verifyWithChecksums"));
  }
  if (!found.status.ok() && !found.status.IsNotFound()) {
    error = Error::From(found.status, "verifying backup " + std::to_string(backup_id) + " in " + settings.name())
                .With("path", settings.name())
                .With("backupId", uint64_t{backup_id});
    return LossOr(reading, WhyUnreadable(error.message()) == "damaged" ? std::move(error)
                                                                       : std::move(error).In({RecordName(backup_id)}));
  }
  if (!operation->Commit()) {
    return Error("VERIFY_STOPPED", "the verify was stopped")
        .With("path", settings.name())
        .With("backupId", uint64_t{backup_id});
  }
  operation->Finish();
  return Error();
}

}  // namespace rocksdb_backup
