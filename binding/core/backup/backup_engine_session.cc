#include "core/backup/backup_engine_session.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/backup/backup_record.h"
#include "core/backup/database_identity.h"
#include "core/base/paths.h"
#include "core/base/stoppable_rate_limiter.h"
#include "core/database/newer_rocksdb.h"
#include "core/storage/confined_fs.h"
#include "core/storage/parallel_deletes.h"

namespace rocksdb_backup {
namespace {

using rocksdb::BackupEngine;
using rocksdb::BackupEngineOptions;
using rocksdb::BackupEngineReadOnly;
using rocksdb::BackupInfo;

Error OpenError(const std::string& directory, const rocksdb::Status& status) {
  return Error::From(status, "cannot open the backup directory " + directory);
}

// The ids of the existing backups, read from the names of their meta files as the BackupEngine reads them.
std::vector<uint32_t> MetaIds(rocksdb::FileSystem& storage, const std::string& directory) {
  std::vector<std::string> names;
  storage.GetChildren(directory + "/meta", rocksdb::IOOptions(), &names, nullptr).PermitUncheckedError();
  std::vector<uint32_t> ids;
  for (const auto& name : names) {
    if (const uint32_t id = BackupIdOf(name); id != 0) {
      ids.push_back(id);
    }
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

std::shared_ptr<ConfinedFileSystem> StorageOf(const EngineSettings& settings) {
  return std::make_shared<ConfinedFileSystem>(settings.storage ? settings.storage : rocksdb::FileSystem::Default(),
                                              settings.engine.backup_dir);
}

BackupEngineSession::~BackupEngineSession() {
  // Destroying the BackupEngine joins its threads, which use our file systems.
  writer_.reset();
  reader_.reset();
}

BackupEngineOptions BackupEngineSession::OptionsFor(const EngineSettings& settings) {
  settings_ = settings;
  directory_ = settings.engine.backup_dir;
  storage_ = StorageOf(settings);
  info_log_ = settings.info_log;
  BackupEngineOptions options = settings.engine;
  options.backup_env = backup_env_.get();
  options.info_log = info_log_.get();
  options.destroy_old_data = false;
  // A listing reads meta files through these limiters, and would have to wait for the running backup.
  options.backup_rate_limit = 0;
  options.restore_rate_limit = 0;
  options.backup_rate_limiter.reset();
  options.restore_rate_limiter.reset();
  return options;
}

// The meta files that are not as they were written, and how they differ.
std::map<uint32_t, std::string> BackupEngineSession::ChangedMetas(const EngineSettings& settings) {
  std::map<uint32_t, std::string> changed;
  for (const auto* ids : {&ids_, &corrupt_ids_}) {
    for (const uint32_t id : *ids) {
      const auto record = ReadBackupRecord(settings, id);
      if (record && !record->origin.database.empty()) {
        origins_[id] = record->origin;
      }
      if (record && !catalog_->HasRead(id, record->meta_size, record->meta_checksum)) {
        if (std::string difference = DifferenceInMeta(settings, id, *record); !difference.empty()) {
          changed[id] = std::move(difference);
        }
      }
    }
  }
  return changed;
}

// If a damaged meta file says something wrong about a shared file, the BackupEngine believes it. It then takes those
// other backups for corrupt that it reads later. So if there are corrupt backups, the changed meta files are shown to
// the BackupEngine as damaged, one by one, wherever that makes other backups usable.
//
// A create takes the checksums of files that it need not copy from the meta files that name them, even if only one
// does. With a damaged meta file, the new backup would have a wrong checksum for good, in its record too. So a create
// sees no changed meta file at all.
template <class Open>
Error BackupEngineSession::OpenPastChangedMetas(const EngineSettings& settings, bool to_create,
                                                ConfinedFileSystem& storage, Open open) {
  Error error = open();
  if (!error.ok() || (corrupt_ids_.empty() && !to_create)) {
    return error;
  }
  std::map<uint32_t, std::string> changed = ChangedMetas(settings);
  if (to_create) {
    if (!changed.empty()) {
      storage.SetUnreadable(std::move(changed));
      error = open();
    }
    return error;
  }
  std::map<uint32_t, std::string> hidden;
  for (auto& [id, difference] : changed) {
    const size_t usable = ids_.size();
    hidden[id] = std::move(difference);
    storage.SetUnreadable(hidden);
    if (error = open(); !error.ok() || ids_.size() >= usable) {
      continue;  // another backup can be used instead
    }
    hidden.erase(id);
    storage.SetUnreadable(hidden);
    error = open();
  }
  return error;
}

namespace {

constexpr int kOpenAttempts = 10;

}  // namespace

std::shared_ptr<BackupEngineSession> BackupEngineSession::Of(const EngineSettings& settings,
                                                             std::shared_ptr<const DirectoryPicture> picture) {
  std::shared_ptr<BackupEngineSession> session(new BackupEngineSession);
  session->directory_ = settings.engine.backup_dir;
  session->storage_ = StorageOf(settings);
  session->ids_ = picture->ids();
  session->picture_ = std::move(picture);
  return session;
}

bool BackupEngineSession::HasRead(size_t backups, uint32_t id) {
  std::vector<BackupInfo> infos;
  std::vector<uint32_t> corrupt;
  reader().GetBackupInfo(&infos);
  reader().GetCorruptedBackups(&corrupt);
  if (!corrupt.empty() || infos.size() != backups || id == 0) {
    return corrupt.empty() && infos.size() == backups;
  }
  const BackupDescription expected = picture_->Describe(id, false);
  const BackupInfo& info = infos.front();
  return info.backup_id == id && info.number_files == expected.number_files && info.size == expected.size &&
         info.timestamp == expected.timestamp && info.app_metadata == expected.app_metadata;
}

Error BackupEngineSession::OpenReader(const EngineSettings& settings, const std::shared_ptr<Operation>& operation,
                                      ObservedFileSystem::Count count_backup, ObservedFileSystem::Count count_database,
                                      std::shared_ptr<BackupEngineSession>* result,
                                      const std::shared_ptr<const DirectoryPicture>& picture, uint32_t id) {
  using Count = ObservedFileSystem::Count;
  std::shared_ptr<BackupEngineSession> session(new BackupEngineSession);
  const auto storage = StorageOf(settings);
  storage->SpareTheOthers(picture == nullptr);
  std::shared_ptr<rocksdb::FileSystem> seen;
  if (picture != nullptr) {
    session = Of(settings, picture);
    seen = std::make_shared<CondensedFileSystem>(storage, settings.engine.backup_dir, picture,
                                                 std::vector<uint32_t>{id}, CondensedFileSystem::Others::kNothing);
  } else {
    seen = session->catalog_ = std::make_shared<MetaCatalog>(storage, settings.engine.backup_dir);
  }
  session->confined_ = storage;
  session->backup_fs_ = std::make_shared<ObservedFileSystem>(seen, operation, count_backup);
  session->database_fs_ =
      std::make_shared<ObservedFileSystem>(rocksdb::FileSystem::Default(), operation, count_database);
  session->backup_env_ = rocksdb::NewCompositeEnv(session->backup_fs_);
  session->database_env_ = rocksdb::NewCompositeEnv(session->database_fs_);
  BackupEngineOptions options = session->OptionsFor(settings);
  if (count_backup == Count::kReads && settings.backup_limiter) {
    options.backup_rate_limiter = std::make_shared<StoppableRateLimiter>(settings.backup_limiter, operation);
  }
  if (count_database == Count::kWrites) {
    options.sync = true;  // unless SpareDatabaseSyncs()
    if (settings.restore_limiter) {
      options.restore_rate_limiter = std::make_shared<StoppableRateLimiter>(settings.restore_limiter, operation);
    }
  } else if (count_backup == Count::kNothing) {
    options.max_background_operations = 1;  // nothing is read or copied; from RocksDB 10 on, a verify runs in parallel
  }
  if (options.max_valid_backups_to_open == 0) {
    options.max_valid_backups_to_open = std::numeric_limits<int>::max();  // 0 lists placeholders without an id
  }
  if (picture != nullptr) {
    return Guarded(session->directory_, [&] {
      BackupEngineReadOnly* engine = nullptr;
      const rocksdb::IOStatus status = BackupEngineReadOnly::Open(options, session->database_env_.get(), &engine);
      session->reader_.reset(engine);
      if (status.ok() && session->HasRead(1, id)) {
        session->ForgetFailure();
        *result = std::move(session);
        return Error();
      }
      session.reset();
      return OpenReader(settings, operation, count_backup, count_database, result);
    });
  }
  const auto open = [&] {
    rocksdb::IOStatus status;
    // If another process deletes a backup between the listing and the reading of the meta files, the open fails, or a
    // backup looks corrupt. A result that is the same twice in a row is true.
    std::vector<uint32_t> corrupt_before;
    for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
      const std::vector<uint32_t> metas = MetaIds(*storage, session->directory_);
      session->catalog_->Begin();
      session->ForgetFailure();
      storage->ForgetUnseen();
      BackupEngineReadOnly* engine = nullptr;
      status = BackupEngineReadOnly::Open(options, session->database_env_.get(), &engine);
      session->reader_.reset(engine);
      if (status.ok()) {
        session->Survey(settings, metas);
      }
      if (operation->ended() || (status.ok() && session->corrupt_ids_ == corrupt_before) ||
          (status.IsNotFound() && attempt > 0)) {
        break;
      }
      corrupt_before = status.ok() ? session->corrupt_ids_ : std::vector<uint32_t>();
    }
    return status.ok() ? Error() : OpenError(session->directory_, status);
  };
  return Guarded(session->directory_, [&] {
    Error error = session->OpenPastChangedMetas(settings, false, *storage, open);
    storage->SpareTheOthers(false);
    if (error.ok()) {
      *result = std::move(session);
    }
    return error;
  });
}

Error BackupEngineSession::OpenWriter(const EngineSettings& settings, const std::shared_ptr<Operation>& operation,
                                      const std::shared_ptr<rocksdb::FileSystem>& database_fs, FileObserver* observer,
                                      std::shared_ptr<BackupEngineSession>* result,
                                      const std::shared_ptr<const DirectoryPicture>& picture,
                                      const std::vector<uint32_t>& gone) {
  using Others = CondensedFileSystem::Others;
  std::shared_ptr<BackupEngineSession> session(new BackupEngineSession);
  if (picture != nullptr) {
    session = Of(settings, picture);
  }
  const auto storage = StorageOf(settings);
  session->confined_ = storage;
  // Only a create passes an observer. A backup that cannot be read at the moment must not prevent a new one; the files
  // of such a backup are protected.
  storage->SpareTheOthers(observer != nullptr && picture == nullptr);
  session->protected_fs_ = std::make_shared<ProtectedFileSystem>(std::make_shared<ParallelDeletes>(storage, operation),
                                                                 operation, settings.engine.backup_dir);
  std::shared_ptr<rocksdb::FileSystem> seen;
  if (picture != nullptr) {
    seen = std::make_shared<CondensedFileSystem>(session->protected_fs_, settings.engine.backup_dir, picture, gone,
                                                 Others::kAsOne);
  } else {
    seen = session->catalog_ = std::make_shared<MetaCatalog>(session->protected_fs_, settings.engine.backup_dir);
  }
  session->backup_fs_ =
      std::make_shared<ObservedFileSystem>(seen, operation, ObservedFileSystem::Count::kWrites, observer);
  session->database_fs_ =
      std::make_shared<ObservedFileSystem>(database_fs, operation, ObservedFileSystem::Count::kNothing);
  session->backup_env_ = rocksdb::NewCompositeEnv(session->backup_fs_);
  session->database_env_ = rocksdb::NewCompositeEnv(session->database_fs_);
  BackupEngineOptions options = session->OptionsFor(settings);
  if (settings.backup_limiter) {
    options.backup_rate_limiter = std::make_shared<StoppableRateLimiter>(settings.backup_limiter, operation);
  }
  if (picture != nullptr) {
    return Guarded(session->directory_, [&] {
      BackupEngine* engine = nullptr;
      const rocksdb::IOStatus status = BackupEngine::Open(options, session->database_env_.get(), &engine);
      session->writer_.reset(engine);
      if (status.ok() && session->HasRead(gone.size() < picture->ids().size() ? 1 : 0)) {
        *result = std::move(session);
        return Error();
      }
      session.reset();
      return OpenWriter(settings, operation, database_fs, observer, result);
    });
  }
  const auto open = [&] {
    const std::vector<uint32_t> metas = MetaIds(*storage, session->directory_);
    session->writer_.reset();
    session->catalog_->Begin();
    storage->ForgetUnseen();
    BackupEngine* engine = nullptr;
    const rocksdb::IOStatus status = BackupEngine::Open(options, session->database_env_.get(), &engine);
    if (!status.ok()) {
      return OpenError(session->directory_, status);
    }
    session->writer_.reset(engine);
    session->Survey(settings, metas);
    return Error();
  };
  return Guarded(session->directory_, [&] {
    Error error = session->OpenPastChangedMetas(settings, observer != nullptr, *storage, open);
    storage->SpareTheOthers(false);
    if (error.ok()) {
      *result = std::move(session);
    }
    return error;
  });
}

// `metas` was listed before the BackupEngine was opened, so a backup that was made since then does not count as
// missing.
void BackupEngineSession::Survey(const EngineSettings& settings, const std::vector<uint32_t>& metas) {
  ids_.clear();
  corrupt_ids_.clear();
  reasons_.clear();
  catalog_->End();
  std::vector<BackupInfo> infos;
  reader().GetBackupInfo(&infos);
  reader().GetCorruptedBackups(&corrupt_ids_);
  for (const auto& info : infos) {
    if (info.backup_id == 0) {
      continue;  // stands for a backup without files; the BackupEngine does not say its id
    }
    if (catalog_->Confirm(info)) {
      ids_.push_back(info.backup_id);
      continue;
    }
    try {
      BackupInfo details;
      const rocksdb::Status status = reader().GetBackupInfo(info.backup_id, &details, true);
      if (status.ok() && details.backup_id == info.backup_id) {
        catalog_->Replace(details);
        ids_.push_back(info.backup_id);
        continue;
      }
      reasons_[info.backup_id] = Worded(status);
    } catch (const std::out_of_range&) {
      reasons_[info.backup_id] = "its meta file names a file as no BackupEngine does";
    }
    corrupt_ids_.push_back(info.backup_id);
  }
  std::sort(ids_.begin(), ids_.end());
  std::sort(corrupt_ids_.begin(), corrupt_ids_.end());
  // If the BackupEngine was told to open only the latest backups, it does not know the older ones.
  const uint32_t oldest = settings.engine.max_valid_backups_to_open > 0 &&
                                  settings.engine.max_valid_backups_to_open < std::numeric_limits<int>::max() &&
                                  !ids_.empty()
                              ? ids_.front()
                              : 0;
  for (const uint32_t id : metas) {
    const std::string meta = MetaPath(directory_, id);
    if (id > oldest && !std::binary_search(ids_.begin(), ids_.end(), id) &&
        std::find(corrupt_ids_.begin(), corrupt_ids_.end(), id) == corrupt_ids_.end() &&
        StorageOf(settings)->FileExists(meta, rocksdb::IOOptions(), nullptr).ok()) {
      corrupt_ids_.push_back(id);
      reasons_[id] = meta + " lists no files";
    }
  }
  std::sort(corrupt_ids_.begin(), corrupt_ids_.end());
}

Error BackupEngineSession::Describe(uint32_t id, bool details, BackupDescription* description) {
  return Guarded(directory_, [&] {
    const std::string name = "backup " + std::to_string(id) + " in " + directory_;
    if (std::binary_search(corrupt_ids_.begin(), corrupt_ids_.end(), id)) {
      return Error("BACKUP_CORRUPT", name + " cannot be used: " + ReasonOf(id))
          .With("path", directory_)
          .With("backupId", uint64_t{id});
    }
    if (!std::binary_search(ids_.begin(), ids_.end(), id)) {
      return NotFound(id);
    }
    return DescribeKnown(id, details, description);
  });
}

Error BackupEngineSession::DescribeKnown(uint32_t id, bool details, BackupDescription* description) {
  if (picture_ != nullptr) {
    *description = picture_->Describe(id, details);
    description->newer_rocksdb = NewerRocksDbOf(*description);
    return Error();
  }
  BackupInfo info;
  const MetaCatalog::Numbers* const files = catalog_->FilesOf(id);
  const rocksdb::Status status =
      files != nullptr ? reader().GetBackupInfo(id, &info, details) : rocksdb::Status::NotFound("Backup not found");
  if (!status.ok()) {
    return Error::From(status, "reading backup " + std::to_string(id) + " in " + directory_);
  }
  *description = {};
  description->id = info.backup_id;
  description->timestamp = info.timestamp;
  description->size = info.size;
  description->number_files = info.number_files;
  description->app_metadata = std::move(info.app_metadata);
  bool any_shared = false;
  for (const MetaCatalog::FileNumber number : *files) {
    const MetaCatalog::File& file = catalog_->file(number);
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
        options_files.push_back(directory_ + "/" + name);
      } else if (name.ends_with(".sst")) {
        tables.push_back(directory_ + "/" + name);
      }
    };
    if (picture_ != nullptr) {
      for (const auto& file : picture_->Describe(backup.id, true).files) {
        take(file.name);
      }
    } else {
      for (const MetaCatalog::FileNumber number : *catalog_->FilesOf(backup.id)) {
        take(catalog_->file(number).name);
      }
    }
    std::optional<std::string> version = NewerVersionOf(*storage_, options_files);
    return version && !version->empty() && UnknownTableAmong(*storage_, std::move(tables)).empty() ? "" : version;
  };
  return KnownVersions::Of(directory_, backup.id, backup.timestamp, backup.size, find);
}

const BackupOrigin& BackupEngineSession::OriginOf(uint32_t id) {
  const auto [found, is_new] = origins_.try_emplace(id);
  BackupOrigin& origin = found->second;
  if (is_new) {
    if (const auto record = ReadBackupRecord(settings_, id)) {
      origin = record->origin;
    }
    const MetaCatalog::Numbers* const files = catalog_ != nullptr ? catalog_->FilesOf(id) : nullptr;
    if (origin.database.empty() && files != nullptr) {
      std::vector<std::string> names;
      for (const MetaCatalog::FileNumber number : *files) {
        names.push_back(catalog_->file(number).name);
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
  if (const std::string why = confined_ != nullptr ? confined_->WhyUnseen(text) : ""; !why.empty()) {
    text += " (" + why + ")";
  }
  return text;
}

void BackupEngineSession::ExpectBackupFiles(const BackupDescription& backup) {
  for (const auto& file : backup.files) {
    backup_fs_->ExpectSize(directory_ + "/" + file.name, file.size);
  }
}

Error BackupEngineSession::DescribeNew(uint32_t id, BackupDescription* description) {
  return Guarded(directory_, [&] {
    BackupInfo info;
    if (const rocksdb::Status status = reader().GetBackupInfo(id, &info, true); !status.ok()) {
      return Error::From(status, "reading backup " + std::to_string(id) + " in " + directory_);
    }
    ids_.push_back(id);
    if (picture_ == nullptr) {
      catalog_->Replace(info);
      return DescribeKnown(id, false, description);
    }
    *description = {};
    description->id = id;
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
               "there is no backup " + std::to_string(id) + " in " + directory_ +
                   (ids_.empty() ? ": it has none that can be used." : ". It has " + JoinIds(ids_) + "."))
      .With("path", directory_)
      .With("backupId", uint64_t{id});
}

Error BackupEngineSession::DescribeAll(bool details, std::vector<BackupDescription>* descriptions) {
  KnownVersions::Keep(directory_, ids_);
  return Guarded(directory_, [&] {
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
