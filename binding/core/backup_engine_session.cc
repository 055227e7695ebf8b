#include "core/backup_engine_session.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "core/parallel_deletes.h"
#include "core/paths.h"
#include "core/stoppable_rate_limiter.h"

namespace rocksdb_backup {
namespace {

using rocksdb::BackupEngine;
using rocksdb::BackupEngineOptions;
using rocksdb::BackupEngineReadOnly;
using rocksdb::BackupInfo;

bool IsShared(const std::string& name) { return name.compare(0, 8, "private/") != 0; }

// How many backups use each file that lies in a shared directory.
using UseCounts = std::unordered_map<std::string, uint32_t>;

void CountUses(const BackupInfo& info, UseCounts* uses) {
  for (const auto& file : info.file_details) {
    if (IsShared(file.relative_filename)) {
      ++(*uses)[file.relative_filename];
    }
  }
}

BackupDescription ToDescription(BackupInfo&& info, const UseCounts& uses, bool details) {
  BackupDescription description;
  description.id = info.backup_id;
  description.timestamp = info.timestamp;
  description.size = info.size;
  description.number_files = info.number_files;
  description.app_metadata = std::move(info.app_metadata);
  for (const auto& file : info.file_details) {
    const bool shared = IsShared(file.relative_filename);
    const auto found = uses.find(file.relative_filename);
    const uint32_t backups = shared && found != uses.end() ? found->second : 1;
    if (backups == 1) {
      description.unique_size += file.size;
    }
    if (details) {
      description.files.push_back({file.relative_filename, file.size, shared, backups});
    }
  }
  if (details) {
    for (const auto& file : info.excluded_files) {
      description.excluded.push_back(file.relative_file);
    }
  }
  return description;
}

Error OpenError(const std::string& directory, const rocksdb::Status& status) {
  return Error::From(status, "cannot open the backup directory " + directory);
}

// The backups there are by their meta files' names, as the engine reads them.
std::vector<uint32_t> MetaIds(rocksdb::FileSystem& storage, const std::string& directory) {
  std::vector<std::string> names;
  storage.GetChildren(directory + "/meta", rocksdb::IOOptions(), &names, nullptr).PermitUncheckedError();
  std::vector<uint32_t> ids;
  for (const auto& name : names) {
    uint32_t id = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error == std::errc() && id != 0 && name == std::to_string(id)) {
      ids.push_back(id);
    }
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

std::shared_ptr<rocksdb::FileSystem> StorageOf(const EngineSettings& settings) {
  return settings.storage ? settings.storage : rocksdb::FileSystem::Default();
}

BackupEngineSession::~BackupEngineSession() {
  // The engine joins its threads, which hold our file systems.
  writer_.reset();
  reader_.reset();
}

BackupEngineOptions BackupEngineSession::OptionsFor(const EngineSettings& settings) {
  directory_ = settings.engine.backup_dir;
  info_log_ = settings.info_log;
  BackupEngineOptions options = settings.engine;
  options.backup_env = backup_env_.get();
  options.info_log = info_log_.get();
  options.destroy_old_data = false;
  // A listing reads metas through these, and would wait behind the backup that is running.
  options.backup_rate_limit = 0;
  options.restore_rate_limit = 0;
  options.backup_rate_limiter.reset();
  options.restore_rate_limiter.reset();
  return options;
}

namespace {

constexpr int kOpenAttempts = 10;

}  // namespace

Error BackupEngineSession::OpenReader(const EngineSettings& settings, const std::shared_ptr<Operation>& operation,
                                      ObservedFileSystem::Count count_backup, ObservedFileSystem::Count count_database,
                                      std::shared_ptr<BackupEngineSession>* result) {
  using Count = ObservedFileSystem::Count;
  std::shared_ptr<BackupEngineSession> session(new BackupEngineSession);
  session->backup_env_ =
      rocksdb::NewCompositeEnv(std::make_shared<ObservedFileSystem>(StorageOf(settings), operation, count_backup));
  session->database_env_ = rocksdb::NewCompositeEnv(
      std::make_shared<ObservedFileSystem>(rocksdb::FileSystem::Default(), operation, count_database));
  BackupEngineOptions options = session->OptionsFor(settings);
  if (count_backup == Count::kReads && settings.backup_limiter) {
    options.backup_rate_limiter = std::make_shared<StoppableRateLimiter>(settings.backup_limiter, operation);
  }
  if (count_database == Count::kWrites) {
    options.sync = true;  // what was in the target is removed afterwards
    if (settings.restore_limiter) {
      options.restore_rate_limiter = std::make_shared<StoppableRateLimiter>(settings.restore_limiter, operation);
    }
  } else if (count_backup == Count::kNothing) {
    options.max_background_operations = 1;  // nothing will be read or copied; engines from 10 on verify in parallel
  }
  if (options.max_valid_backups_to_open == 0) {
    options.max_valid_backups_to_open = std::numeric_limits<int>::max();  // 0 lists placeholders without an id
  }
  return Guarded(session->directory_, [&] {
    rocksdb::IOStatus status;
    // A delete by somebody else between the listing of the metas and their reading makes the open fail, or a backup
    // look corrupt; what is the same the next time is the truth.
    std::vector<uint32_t> corrupt_before;
    for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
      const std::vector<uint32_t> metas = MetaIds(*StorageOf(settings), session->directory_);
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
    if (!status.ok()) {
      return OpenError(session->directory_, status);
    }
    *result = std::move(session);
    return Error();
  });
}

Error BackupEngineSession::OpenWriter(const EngineSettings& settings, const std::shared_ptr<Operation>& operation,
                                      const std::shared_ptr<rocksdb::FileSystem>& database_fs, FileObserver* observer,
                                      std::shared_ptr<BackupEngineSession>* result) {
  std::shared_ptr<BackupEngineSession> session(new BackupEngineSession);
  session->protected_fs_ = std::make_shared<ProtectedFileSystem>(
      std::make_shared<ParallelDeletes>(StorageOf(settings), operation), operation, settings.engine.backup_dir);
  session->backup_env_ = rocksdb::NewCompositeEnv(std::make_shared<ObservedFileSystem>(
      session->protected_fs_, operation, ObservedFileSystem::Count::kWrites, observer));
  session->database_env_ = rocksdb::NewCompositeEnv(
      std::make_shared<ObservedFileSystem>(database_fs, operation, ObservedFileSystem::Count::kNothing));
  BackupEngineOptions options = session->OptionsFor(settings);
  if (settings.backup_limiter) {
    options.backup_rate_limiter = std::make_shared<StoppableRateLimiter>(settings.backup_limiter, operation);
  }
  return Guarded(session->directory_, [&] {
    const std::vector<uint32_t> metas = MetaIds(*StorageOf(settings), session->directory_);
    BackupEngine* engine = nullptr;
    const rocksdb::IOStatus status = BackupEngine::Open(options, session->database_env_.get(), &engine);
    if (!status.ok()) {
      return OpenError(session->directory_, status);
    }
    session->writer_.reset(engine);
    session->Survey(settings, metas);
    *result = std::move(session);
    return Error();
  });
}

// `metas` was listed before the engine was opened: a backup that was made since is not missing.
void BackupEngineSession::Survey(const EngineSettings& settings, const std::vector<uint32_t>& metas) {
  ids_.clear();
  corrupt_ids_.clear();
  reasons_.clear();
  std::vector<BackupInfo> infos;
  reader().GetBackupInfo(&infos);
  reader().GetCorruptedBackups(&corrupt_ids_);
  for (const auto& info : infos) {
    if (info.backup_id == 0) {
      continue;  // stands for one without files, of which the engine does not say the id
    }
    try {
      BackupInfo details;
      const rocksdb::Status status = reader().GetBackupInfo(info.backup_id, &details, true);
      if (status.ok() && details.backup_id == info.backup_id) {
        ids_.push_back(info.backup_id);
        continue;
      }
      reasons_[info.backup_id] = status.ToString();
    } catch (const std::out_of_range&) {
      reasons_[info.backup_id] = "its meta file names a file as no BackupEngine does";
    }
    corrupt_ids_.push_back(info.backup_id);
  }
  std::sort(ids_.begin(), ids_.end());
  std::sort(corrupt_ids_.begin(), corrupt_ids_.end());
  // An engine that was told to open the latest few does not know the others.
  const uint32_t oldest = settings.engine.max_valid_backups_to_open > 0 &&
                                  settings.engine.max_valid_backups_to_open < std::numeric_limits<int>::max() &&
                                  writer_ == nullptr && !ids_.empty()
                              ? ids_.front()
                              : 0;
  for (const uint32_t id : metas) {
    const std::string meta = directory_ + "/meta/" + std::to_string(id);
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
      BackupInfo none;
      const auto reason = reasons_.find(id);
      return Error("BACKUP_CORRUPT",
                   name + " cannot be used: " +
                       (reason != reasons_.end() ? reason->second : reader().GetBackupInfo(id, &none).ToString()));
    }
    if (!std::binary_search(ids_.begin(), ids_.end(), id)) {
      return NotFound(id);
    }
    // One backup's details at a time: all at once would hold every file name of every backup.
    UseCounts uses;
    BackupInfo info;
    for (const uint32_t other : ids_) {
      if (reader().GetBackupInfo(other, &info, true).ok()) {
        CountUses(info, &uses);
      }
    }
    if (const rocksdb::Status status = reader().GetBackupInfo(id, &info, true); !status.ok()) {
      return Error::From(status, "reading " + name);
    }
    *description = ToDescription(std::move(info), uses, details);
    return Error();
  });
}

Error BackupEngineSession::DescribeNew(uint32_t id, BackupDescription* description) {
  ids_.push_back(id);
  return Describe(id, false, description);
}

Error BackupEngineSession::NotFound(uint32_t id) const {
  return Error("BACKUP_NOT_FOUND",
               "there is no backup " + std::to_string(id) + " in " + directory_ +
                   (ids_.empty() ? ": it has none that can be used." : ". It has " + JoinIds(ids_) + "."));
}

Error BackupEngineSession::DescribeAll(bool details, std::vector<BackupDescription>* descriptions) {
  return Guarded(directory_, [&] {
    UseCounts uses;
    BackupInfo info;
    for (const uint32_t id : ids_) {
      if (reader().GetBackupInfo(id, &info, true).ok()) {
        CountUses(info, &uses);
      }
    }
    for (const uint32_t id : ids_) {
      if (reader().GetBackupInfo(id, &info, true).ok()) {
        descriptions->push_back(ToDescription(std::move(info), uses, details));
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
