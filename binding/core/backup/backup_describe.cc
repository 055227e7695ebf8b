// What a session says about the backups that it has found.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "core/backup/backup_record.h"
#include "core/backup/database_identity.h"
#include "core/base/paths.h"
#include "core/database/newer_rocksdb.h"

namespace rocksdb_backup {

using rocksdb::BackupInfo;

Error BackupEngineSession::Describe(uint32_t id, bool details, BackupDescription* description) {
  return Guarded(settings_.name(), [&] {
    const std::string name = "backup " + std::to_string(id) + " in " + settings_.name();
    if (std::binary_search(corrupt_ids_.begin(), corrupt_ids_.end(), id)) {
      const std::string reason = ReasonOf(id);
      return Error("BACKUP_CORRUPT", name + " cannot be used: " + reason)
          .With("path", settings_.name())
          .With("backupId", uint64_t{id})
          .With("why", WhyUnreadable(reason))
          .Advise(AdviceOn(WhyUnreadable(reason), "useAnotherBackup"));
    }
    if (!std::binary_search(ids_.begin(), ids_.end(), id)) {
      return NotFound(id);
    }
    return DescribeKnown(id, details, description);
  });
}

int64_t LockedUntil(const EngineSettings& settings, uint32_t id) {
  return settings.storage->LockedUntil(MetaPath(settings.root(), id));
}

Error BackupEngineSession::DescribeKnown(uint32_t id, bool details, BackupDescription* description) {
  if (picture_ != nullptr) {
    *description = picture_->Describe(id, details);
    description->newer_rocksdb = NewerRocksDbOf(*description);
    description->locked_until = LockedUntil(settings_, id);
    return Error();
  }
  BackupInfo info;
  const MetaCatalog::Numbers* const files = layers_.catalog->FilesOf(id);
  const rocksdb::Status status =
      files != nullptr ? reader().GetBackupInfo(id, &info, details) : rocksdb::Status::NotFound("Backup not found");
  if (!status.ok()) {
    return Error::From(status, "reading backup " + std::to_string(id) + " in " + settings_.name())
        .With("path", settings_.name())
        .With("backupId", uint64_t{id});
  }
  *description = {};
  description->id = info.backup_id;
  description->locked_until = LockedUntil(settings_, id);
  description->timestamp = info.timestamp;
  description->size = info.size;
  description->number_files = info.number_files;
  description->app_metadata = std::move(info.app_metadata);
  bool any_shared = false;
  for (const MetaCatalog::FileNumber number : *files) {
    const MetaCatalog::File& file = layers_.catalog->file(number);
    const bool shared = MetaCatalog::IsShared(file.name);
    const uint32_t backups = shared ? file.uses : 1;
    if (backups == 1) {
      description->unique_size += file.size;
    }
    if (!shared && IsWalFileName(NameOf(file.name))) {
      description->log_bytes += file.size;
    }
    any_shared |= shared;
    if (details) {
      description->files.push_back({file.name, file.size, shared, backups});
    }
  }
  description->meta_size = MetaSize(settings_, id);
  description->unique_size += description->meta_size;
  const BackupOrigin& origin = OriginOf(id);
  description->database = origin.database;
  description->full = origin.full.value_or(!any_shared);
  description->newer_rocksdb = NewerRocksDbOf(*description);
  if (details) {
    for (const auto& file : info.excluded_files) {
      description->excluded.push_back(file.relative_file);
    }
  }
  return Error();
}

std::string BackupEngineSession::NewerRocksDbOf(const BackupDescription& backup) {
  const auto find = [&]() -> std::optional<std::string> {
    std::vector<std::string> options_files;
    std::vector<std::string> tables;
    const auto take = [&](const std::string& name) {
      if (IsOptionsFileName(NameOf(name))) {
        options_files.push_back(settings_.root() + "/" + name);
      } else if (name.ends_with(".sst")) {
        tables.push_back(settings_.root() + "/" + name);
      }
    };
    if (picture_ != nullptr) {
      for (const auto& file : picture_->Describe(backup.id, true).files) {
        take(file.name);
      }
    } else {
      for (const MetaCatalog::FileNumber number : *layers_.catalog->FilesOf(backup.id)) {
        take(layers_.catalog->file(number).name);
      }
    }
    std::optional<std::string> version = NewerVersionOf(*files_, options_files);
    return version && !version->empty() && UnknownTableAmong(*files_, std::move(tables)).empty() ? "" : version;
  };
  return KnownVersions::Of(settings_.storage->identity(), backup.id, backup.timestamp, backup.size, find);
}

const BackupOrigin& BackupEngineSession::OriginOf(uint32_t id) {
  const auto [found, is_new] = origins_.try_emplace(id);
  BackupOrigin& origin = found->second;
  if (is_new) {
    if (const auto record = ReadBackupRecord(settings_, id)) {
      origin = record->origin;
    }
    const MetaCatalog::Numbers* const files = layers_.catalog != nullptr ? layers_.catalog->FilesOf(id) : nullptr;
    if (origin.database.empty() && files != nullptr) {
      std::vector<std::string> names;
      for (const MetaCatalog::FileNumber number : *files) {
        names.push_back(layers_.catalog->file(number).name);
      }
      origin.database = DatabaseIdOfFiles(settings_, names);
    }
  }
  return origin;
}

std::string BackupEngineSession::DatabaseOf(uint32_t id) {
  return picture_ != nullptr ? picture_->Describe(id, false).database : OriginOf(id).database;
}

std::string BackupEngineSession::ReasonOf(uint32_t corrupt_id) {
  BackupInfo none;
  const auto reason = reasons_.find(corrupt_id);
  std::string text = reason != reasons_.end() ? reason->second : Worded(reader().GetBackupInfo(corrupt_id, &none));
  // The BackupEngine calls a file missing that it could not look at.
  if (const std::string why = layers_.tolerant != nullptr ? layers_.tolerant->WhyUnseen(text) : ""; !why.empty()) {
    text += " (" + why + ")";
  }
  return text;
}

void BackupEngineSession::ExpectBackupFiles(const BackupDescription& backup) {
  for (const auto& file : backup.files) {
    layers_.observed->ExpectSize(settings_.root() + "/" + file.name, file.size);
  }
}

Error BackupEngineSession::DescribeNew(uint32_t id, BackupDescription* description) {
  return Guarded(settings_.name(), [&] {
    BackupInfo info;
    if (const rocksdb::Status status = reader().GetBackupInfo(id, &info, true); !status.ok()) {
      return Error::From(status, "reading backup " + std::to_string(id) + " in " + settings_.name())
          .With("path", settings_.name())
          .With("backupId", uint64_t{id});
    }
    ids_.push_back(id);
    if (picture_ == nullptr) {
      layers_.catalog->Replace(info);
      return DescribeKnown(id, false, description);
    }
    *description = {};
    description->id = id;
    description->locked_until = LockedUntil(settings_, id);
    description->timestamp = info.timestamp;
    description->size = info.size;
    description->number_files = info.number_files;
    description->app_metadata = std::move(info.app_metadata);
    bool any_shared = false;
    for (const auto& file : info.file_details) {
      const bool shared = MetaCatalog::IsShared(file.relative_filename);
      description->unique_size += picture_->UsesOf(file.relative_filename) == 0 ? file.size : 0;
      description->log_bytes += !shared && IsWalFileName(NameOf(file.relative_filename)) ? file.size : 0;
      any_shared |= shared;
    }
    description->meta_size = MetaSize(settings_, id);
    description->unique_size += description->meta_size;
    const BackupOrigin& origin = OriginOf(id);
    description->database = origin.database;
    description->full = origin.full.value_or(!any_shared);
    return Error();
  });
}

Error BackupEngineSession::NotFound(uint32_t id) const {
  return Error("BACKUP_NOT_FOUND",
               "there is no backup " + std::to_string(id) + " in " + settings_.name() +
                   (ids_.empty() ? ": it has none that can be used." : ". It has " + JoinIds(ids_) + "."))
      .With("path", settings_.name())
      .With("backupId", uint64_t{id});
}

Error BackupEngineSession::DescribeAll(bool details, std::vector<BackupDescription>* descriptions) {
  KnownVersions::Keep(settings_.storage->identity(), ids_);
  return Guarded(settings_.name(), [&] {
    for (const uint32_t id : ids_) {
      if (Error error = DescribeKnown(id, details, &descriptions->emplace_back()); !error.ok()) {
        return error;
      }
    }
    return Error();
  });
}

std::string JoinIds(const std::vector<uint32_t>& ids) {
  std::string text;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) {
      text += i + 1 == ids.size() ? " and " : ", ";
    }
    text += std::to_string(ids[i]);
  }
  return text;
}

}  // namespace rocksdb_backup
