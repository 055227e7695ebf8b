#include "core/backup/backup_engine_session.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/backup/backup_record.h"
#include "core/base/paths.h"
#include "core/base/small_copy_buffer.h"
#include "core/base/stoppable_rate_limiter.h"

namespace rocksdb_backup {
namespace {

using rocksdb::BackupEngine;
using rocksdb::BackupEngineOptions;
using rocksdb::BackupEngineReadOnly;
using rocksdb::BackupInfo;
using Count = ObservedFileSystem::Count;

Error OpenError(const std::string& directory, const rocksdb::Status& status) {
  return Error::From(status, "cannot open the repository " + directory).With("path", directory);
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
  if (settings_.storage->local_directory().empty()) {
    // The files of such a storage have buffers of their own.
    options.backup_rate_limiter = std::make_shared<SmallCopyBuffer>();
    options.restore_rate_limiter = options.backup_rate_limiter;
  }
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
  std::shared_ptr<BackupEngineSession> session(new BackupEngineSession(settings));
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
  std::shared_ptr<BackupEngineSession> session(
      request.picture != nullptr ? Of(settings, request.picture)
                                 : std::shared_ptr<BackupEngineSession>(new BackupEngineSession(settings)));
  session->layers_ = MakeLayers(session->files_, settings.root(), request);
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

}  // namespace rocksdb_backup
