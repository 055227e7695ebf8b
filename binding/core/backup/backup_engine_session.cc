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

namespace rocksdb_backup {
namespace {

using rocksdb::BackupEngine;
using rocksdb::BackupEngineOptions;
using rocksdb::BackupEngineReadOnly;
using rocksdb::BackupInfo;
using Count = ObservedFileSystem::Count;

Error OpenError(const std::string& directory, const rocksdb::Status& status) {
  return Error::From(status, "cannot open the backup directory " + directory).With("path", directory);
}

// The ids of the existing backups, read from the names of their meta files as the BackupEngine reads them.
std::vector<uint32_t> MetaIds(rocksdb::FileSystem& storage, const std::string& directory) {
  std::vector<std::string> names;
  storage.GetChildren(MetaDirectory(directory), rocksdb::IOOptions(), &names, nullptr).PermitUncheckedError();
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

BackupEngineSession::~BackupEngineSession() {
  // Destroying the BackupEngine joins its threads, which use our file systems.
  writer_.reset();
  reader_.reset();
}

BackupEngineOptions BackupEngineSession::OptionsFor(const SessionRequest& request) const {
  BackupEngineOptions options = settings_.engine;
  options.backup_dir = settings_.root();
  options.backup_env = backup_env_.get();
  options.info_log = settings_.info_log.get();
  options.destroy_old_data = false;
  // A listing reads meta files through these limiters, and would have to wait for the running backup.
  options.backup_rate_limit = 0;
  options.restore_rate_limit = 0;
  options.backup_rate_limiter.reset();
  options.restore_rate_limiter.reset();
  const bool reads_backup = request.purpose != Purpose::kRead || request.count_backup == Count::kReads;
  if (reads_backup && settings_.backup_limiter) {
    options.backup_rate_limiter = std::make_shared<StoppableRateLimiter>(settings_.backup_limiter, request.operation);
  }
  if (request.purpose != Purpose::kRead) {
    return options;
  }
  if (request.count_database == Count::kWrites) {
    options.sync = true;  // unless SkipDatabaseSyncs()
    if (settings_.restore_limiter) {
      options.restore_rate_limiter =
          std::make_shared<StoppableRateLimiter>(settings_.restore_limiter, request.operation);
    }
  } else if (request.count_backup == Count::kNothing) {
    options.max_background_operations = 1;  // nothing is read or copied; from RocksDB 10 on, a verify runs in parallel
  }
  if (options.max_valid_backups_to_open == 0) {
    options.max_valid_backups_to_open = std::numeric_limits<int>::max();  // 0 lists placeholders without an id
  }
  return options;
}

// The meta files that are not as they were written, and how they differ.
std::map<uint32_t, std::string> BackupEngineSession::ChangedMetas() {
  std::map<uint32_t, std::string> changed;
  for (const auto* ids : {&ids_, &corrupt_ids_}) {
    for (const uint32_t id : *ids) {
      const auto record = ReadBackupRecord(settings_, id);
      if (record && !record->origin.database.empty()) {
        origins_[id] = record->origin;
      }
      if (record && !layers_.catalog->HasRead(id, record->meta_size, record->meta_checksum)) {
        if (std::string difference = DifferenceInMeta(settings_, id, *record); !difference.empty()) {
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
Error BackupEngineSession::OpenWithoutChangedMetas(Purpose purpose, const std::function<Error()>& open) {
  TolerantFileSystem& storage = *layers_.tolerant;
  Error error = open();
  if (!error.ok() || (corrupt_ids_.empty() && purpose != Purpose::kCreate)) {
    return error;
  }
  std::map<uint32_t, std::string> changed = ChangedMetas();
  if (purpose == Purpose::kCreate) {
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
  session->settings_ = settings;
  session->files_ = settings.files();
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

Error BackupEngineSession::Open(const EngineSettings& settings, const SessionRequest& request,
                                std::shared_ptr<BackupEngineSession>* result) {
  std::shared_ptr<BackupEngineSession> session(new BackupEngineSession);
  if (request.picture != nullptr) {
    session = Of(settings, request.picture);
  }
  session->settings_ = settings;
  session->layers_ = MakeLayers(*settings.storage, request);
  session->files_ = settings.files();
  session->database_fs_ =
      std::make_shared<ObservedFileSystem>(request.database_fs, request.operation, request.count_database);
  session->backup_env_ = rocksdb::NewCompositeEnv(session->layers_.observed);
  session->database_env_ = rocksdb::NewCompositeEnv(session->database_fs_);
  return Guarded(settings.name(), [&] {
    bool opened = true;
    Error error =
        request.picture != nullptr ? session->OpenFromPicture(request, &opened) : session->OpenFromAllMetas(request);
    if (!opened) {
      session.reset();
      SessionRequest on_all = request;
      on_all.picture = nullptr;
      on_all.ids.clear();
      return Open(settings, on_all, result);
    }
    if (error.ok()) {
      *result = std::move(session);
    }
    return error;
  });
}

rocksdb::IOStatus BackupEngineSession::OpenEngine(const SessionRequest& request) {
  reader_.reset();
  writer_.reset();
  const BackupEngineOptions options = OptionsFor(request);
  if (request.purpose == Purpose::kRead) {
    BackupEngineReadOnly* engine = nullptr;
    rocksdb::IOStatus status = BackupEngineReadOnly::Open(options, database_env_.get(), &engine);
    reader_.reset(engine);
    return status;
  }
  BackupEngine* engine = nullptr;
  rocksdb::IOStatus status = BackupEngine::Open(options, database_env_.get(), &engine);
  writer_.reset(engine);
  return status;
}

// The picture may be outdated, or the BackupEngine may not read it as we do. Then `opened` becomes false.
Error BackupEngineSession::OpenFromPicture(const SessionRequest& request, bool* opened) {
  const bool reads = request.purpose == Purpose::kRead;
  const bool shows_any = reads || request.ids.size() < picture_->ids().size();
  *opened = OpenEngine(request).ok() && HasRead(shows_any ? 1 : 0, reads ? request.ids.front() : 0);
  if (*opened && reads) {
    ForgetFailure();
  }
  return Error();
}

Error BackupEngineSession::OpenFromAllMetas(const SessionRequest& request) {
  Error error = OpenWithoutChangedMetas(request.purpose, [&] { return OpenUntilSameTwice(request); });
  layers_.tolerant->SetTolerance(Tolerance::kNone);
  return error;
}

// If another process deletes a backup between the listing and the reading of the meta files, the open fails, or a
// backup looks corrupt. A result that is the same twice in a row is true. While a writer has its lock, nobody deletes.
Error BackupEngineSession::OpenUntilSameTwice(const SessionRequest& request) {
  rocksdb::IOStatus status;
  std::vector<uint32_t> corrupt_before;
  const int attempts = request.purpose == Purpose::kRead ? kOpenAttempts : 1;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const std::vector<uint32_t> metas = MetaIds(*files_, settings_.root());
    layers_.catalog->Begin();
    ForgetFailure();
    layers_.tolerant->ForgetUnseen();
    status = OpenEngine(request);
    if (status.ok()) {
      Survey(metas);
    }
    if (request.operation->ended() || (status.ok() && corrupt_ids_ == corrupt_before) ||
        (status.IsNotFound() && attempt > 0)) {
      break;
    }
    corrupt_before = status.ok() ? corrupt_ids_ : std::vector<uint32_t>();
  }
  return status.ok() ? Error() : OpenError(settings_.name(), status);
}

// `metas` was listed before the BackupEngine was opened, so a backup that was made since then does not count as
// missing.
void BackupEngineSession::Survey(const std::vector<uint32_t>& metas) {
  ids_.clear();
  corrupt_ids_.clear();
  reasons_.clear();
  layers_.catalog->End();
  std::vector<BackupInfo> infos;
  reader().GetBackupInfo(&infos);
  reader().GetCorruptedBackups(&corrupt_ids_);
  for (const auto& info : infos) {
    if (info.backup_id == 0) {
      continue;  // stands for a backup without files; the BackupEngine does not say its id
    }
    if (layers_.catalog->Confirm(info)) {
      ids_.push_back(info.backup_id);
      continue;
    }
    try {
      BackupInfo details;
      const rocksdb::Status status = reader().GetBackupInfo(info.backup_id, &details, true);
      if (status.ok() && details.backup_id == info.backup_id) {
        layers_.catalog->Replace(details);
        ids_.push_back(info.backup_id);
        continue;
      }
      reasons_[info.backup_id] = Worded(status);
    } catch (const std::out_of_range&) {
      reasons_[info.backup_id] = "its meta file has a file name that no BackupEngine writes";
    }
    corrupt_ids_.push_back(info.backup_id);
  }
  std::sort(ids_.begin(), ids_.end());
  std::sort(corrupt_ids_.begin(), corrupt_ids_.end());
  // If the BackupEngine was told to open only the latest backups, it does not know the older ones.
  const uint32_t oldest = settings_.engine.max_valid_backups_to_open > 0 &&
                                  settings_.engine.max_valid_backups_to_open < std::numeric_limits<int>::max() &&
                                  !ids_.empty()
                              ? ids_.front()
                              : 0;
  for (const uint32_t id : metas) {
    const std::string meta = MetaPath(settings_.root(), id);
    if (id > oldest && !std::binary_search(ids_.begin(), ids_.end(), id) &&
        std::find(corrupt_ids_.begin(), corrupt_ids_.end(), id) == corrupt_ids_.end() &&
        files_->FileExists(meta, rocksdb::IOOptions(), nullptr).ok()) {
      corrupt_ids_.push_back(id);
      reasons_[id] = meta + " lists no files";
    }
  }
  std::sort(corrupt_ids_.begin(), corrupt_ids_.end());
}

Error BackupEngineSession::Describe(uint32_t id, bool details, BackupDescription* description) {
  return Guarded(settings_.name(), [&] {
    const std::string name = "backup " + std::to_string(id) + " in " + settings_.name();
    if (std::binary_search(corrupt_ids_.begin(), corrupt_ids_.end(), id)) {
      const std::string reason = ReasonOf(id);
      return Error("BACKUP_CORRUPT", name + " cannot be used: " + reason)
          .With("path", settings_.name())
          .With("backupId", uint64_t{id})
          .With("why", WhyUnreadable(reason));
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
  return KnownVersions::Of(settings_.name(), backup.id, backup.timestamp, backup.size, find);
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
  KnownVersions::Keep(settings_.name(), ids_);
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
