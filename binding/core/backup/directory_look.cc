#include "core/backup/directory_look.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "core/backup/backup_engine_session.h"
#include "core/backup/backup_record.h"
#include "core/backup/database_identity.h"
#include "core/backup/meta_file.h"
#include "core/backup/plain_files.h"
#include "core/base/checksum.h"
#include "core/base/descriptor.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

using Picture = DirectoryPicture;
using PicturePtr = std::shared_ptr<const DirectoryPicture>;

constexpr size_t kMaxDirectories = 8;               // how many repositories are remembered
constexpr size_t kMostMetaBytes = size_t{8} << 20;  // larger meta files and records are left to a BackupEngine
constexpr size_t kMostMetadataKept = size_t{16} << 10;
constexpr size_t kMostThreads = 8;
constexpr size_t kTasksPerThread = 32;
constexpr size_t kSpareNames = 10'000;

// Calls `task(i)` for each i below `count` until one call returns false. Uses several threads if that is worth it.
bool ForEach(size_t count, const std::function<bool(size_t)>& task) {
  std::atomic<size_t> next{0};
  std::atomic<bool> good{true};
  const auto work = [&] {
    for (size_t i = next++; i < count && good; i = next++) {
      if (!task(i)) {
        good = false;
      }
    }
  };
  std::vector<std::thread> threads;
  const size_t wanted =
      std::min({kMostThreads, static_cast<size_t>(std::thread::hardware_concurrency()), count / kTasksPerThread});
  try {
    while (threads.size() + 1 < wanted) {
      threads.emplace_back(work);
    }
  } catch (const std::system_error&) {
    // The system has no more threads. The existing ones do the work.
  }
  work();
  for (auto& thread : threads) {
    thread.join();
  }
  return good;
}

class Directory {
 public:
  PicturePtr Look(const EngineSettings& settings, bool records, std::time_t now);

 private:
  struct KeptMeta {
    Stamp stamp;
    bool settled = false;
    std::shared_ptr<const Picture::Meta> meta;
    std::optional<std::string> database;  // found from the files, if it was asked for
  };
  struct KeptRecord {
    Stamp stamp;
    bool settled = false;
    std::optional<Picture::WrittenMeta> written;
    BackupOrigin origin;
  };
  // The names in the directory of one backup. The stamp shows whether there are other names now; it says nothing about
  // the files themselves.
  struct KeptNames {
    Stamp stamp;
    bool settled = false;
    std::vector<std::string> names;
  };
  // A backup as it is listed now.
  struct Listed {
    uint32_t id = 0;
    std::optional<KeptNames> names;  // set if they were read anew
    Stamp meta;
    std::optional<Stamp> record;
    Picture::Backup backup;
  };

  bool ReadMetas(int directory, std::time_t now, std::vector<Listed>* listed);
  bool ListFiles(int directory, std::time_t now, Listed* backup) const;
  bool ReadRecords(int directory, std::time_t now, std::vector<Listed>* listed);
  void FindDatabases(const EngineSettings& settings, std::vector<Listed>* listed);
  void ForgetOthersThan(const std::vector<Listed>& listed);

  std::mutex mutex_;
  Picture::Names names_;
  std::map<uint32_t, KeptMeta> metas_;
  std::map<uint32_t, KeptRecord> records_;
  std::map<uint32_t, KeptNames> names_of_;
  // The last picture, and whether it includes what the records say.
  PicturePtr last_;
  bool last_has_records_ = false;
};

PicturePtr Directory::Look(const EngineSettings& settings, bool records, std::time_t now) {
  const std::lock_guard lock(mutex_);
  const Descriptor directory = OpenDirectory(AT_FDCWD, settings.storage->local_directory().c_str(), 0);
  if (!directory.ok()) {
    return nullptr;
  }
  // The meta files come first: a backup's files exist before the meta file that names them, and are removed after it.
  std::vector<Listed> listed;
  Descriptor metas = OpenDirectory(directory.get(), "meta");
  if (!metas.ok() || !ForEachName(std::move(metas), [&](int fd, const char* name) {
        const uint32_t id = BackupIdOf(name);
        struct stat status = {};
        if (id == 0) {
          return true;
        }
        if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
          return errno == ENOENT;  // deleted in the meantime
        }
        if (!S_ISREG(status.st_mode)) {
          return false;
        }
        Listed& backup = listed.emplace_back();
        backup.id = id;
        backup.meta = StampOf(status);
        return true;
      })) {
    return nullptr;
  }
  std::sort(listed.begin(), listed.end(), [](const Listed& a, const Listed& b) { return a.id < b.id; });
  const Descriptor meta_directory = OpenDirectory(directory.get(), "meta");
  const Descriptor private_directory = OpenDirectory(directory.get(), "private");
  if (!private_directory.ok() && (errno != ENOENT || !listed.empty())) {
    return nullptr;
  }
  if (!meta_directory.ok() || !ReadMetas(meta_directory.get(), now, &listed)) {
    return nullptr;
  }
  const bool good =
      ForEach(listed.size(), [&](size_t i) { return ListFiles(private_directory.get(), now, &listed[i]); });
  for (Listed& backup : listed) {
    if (backup.names) {
      names_of_[backup.id] = std::move(*backup.names);
    }
  }
  Picture::SharedFiles shared;
  for (const char* const name : kSharedParts) {
    const std::string prefix = std::string(name) + "/";
    if (!good || !ForEachFile(directory.get(), name, [&](const char* file, const Stamp& stamp) {
          shared.emplace_back(prefix + file, stamp.size);
        })) {
      return nullptr;
    }
  }
  if (records && !ReadRecords(private_directory.get(), now, &listed)) {
    return nullptr;
  }
  if (records) {
    FindDatabases(settings, &listed);
  }
  std::vector<Picture::Backup> backups;
  backups.reserve(listed.size());
  for (Listed& backup : listed) {
    backups.push_back(std::move(backup.backup));
  }
  if (last_ == nullptr || (records && !last_has_records_) || !last_->IsOf(backups, shared, records)) {
    last_ = Picture::Make(names_, std::move(backups), std::move(shared));
    last_has_records_ = records;
  }
  PicturePtr picture = last_;
  ForgetOthersThan(listed);
  return picture;
}

// Lists the files of one backup. Several threads do this at once; the kept members do not change meanwhile.
bool Directory::ListFiles(int directory, std::time_t now, Listed* backup) const {
  const std::string own = std::to_string(backup->id);
  struct stat status = {};
  if (fstatat(directory, own.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT;
  }
  const Stamp stamp = StampOf(status);
  const auto take = [&](const std::string& name) {
    return IfPlainFile(directory, (own + "/" + name).c_str(), [&](const Stamp& file) {
      if (name == kRecordName) {
        backup->record = file;
        backup->backup.record_bytes = file.size;
      } else {
        backup->backup.private_files.emplace_back(name, file.size);
      }
    });
  };
  if (const auto kept = names_of_.find(backup->id);
      kept != names_of_.end() && kept->second.settled && kept->second.stamp == stamp) {
    return std::all_of(kept->second.names.begin(), kept->second.names.end(), take);
  }
  Descriptor opened = OpenDirectory(directory, own.c_str());
  if (!opened.ok()) {
    return errno == ENOENT;
  }
  KeptNames& read = backup->names.emplace(KeptNames{stamp, stamp.IsSettled(now), {}});
  return ForEachName(std::move(opened), [&](int, const char* name) { return take(read.names.emplace_back(name)); });
}

bool Directory::ReadMetas(int directory, std::time_t now, std::vector<Listed>* listed) {
  struct Task {
    Listed* backup;
    std::string text;
    BackupMeta parsed;
    Stamp stamp;
    uint32_t checksum = 0;
  };
  std::vector<Task> tasks;
  for (Listed& backup : *listed) {
    backup.backup.id = backup.id;
    if (const auto kept = metas_.find(backup.id);
        kept != metas_.end() && kept->second.settled && kept->second.stamp == backup.meta) {
      backup.backup.meta = kept->second.meta;
    } else {
      tasks.push_back({&backup, {}, {}, {}, 0});
    }
  }
  const bool good = ForEach(tasks.size(), [&](size_t i) {
    Task& task = tasks[i];
    if (!ReadWhole(directory, std::to_string(task.backup->id), kMostMetaBytes, &task.text, &task.stamp)) {
      return false;
    }
    task.parsed = ParseMeta(task.text);
    task.checksum = ChecksumOf(task.text);
    return task.parsed.plain;
  });
  for (Task& task : tasks) {
    std::shared_ptr<Picture::Meta> meta = good ? Picture::Read(task.backup->id, task.parsed, &names_) : nullptr;
    if (meta == nullptr) {
      return false;
    }
    meta->bytes = task.text.size();
    meta->checksum = task.checksum;
    const bool settled = task.stamp.IsSettled(now) && meta->app_metadata.size() <= kMostMetadataKept;
    // For some seconds after a change, the same content is read again. The old object is kept then, so that the picture
    // stays the same, too.
    KeptMeta& kept = metas_[task.backup->id];
    if (kept.meta == nullptr || !(*kept.meta == *meta)) {
      kept.meta = std::move(meta);
      kept.database.reset();
    }
    kept.stamp = task.stamp;
    kept.settled = settled;
    task.backup->backup.meta = kept.meta;
  }
  return true;
}

bool Directory::ReadRecords(int directory, std::time_t now, std::vector<Listed>* listed) {
  struct Task {
    Listed* backup;
    KeptRecord record;
  };
  std::vector<Task> tasks;
  for (Listed& backup : *listed) {
    if (!backup.record) {
      continue;
    }
    if (const auto kept = records_.find(backup.id);
        kept != records_.end() && kept->second.settled && kept->second.stamp == *backup.record) {
      backup.backup.written = kept->second.written;
      backup.backup.origin = kept->second.origin;
    } else {
      tasks.push_back({&backup, {}});
    }
  }
  const bool good = ForEach(tasks.size(), [&](size_t i) {
    Task& task = tasks[i];
    std::string text;
    const std::string name = std::to_string(task.backup->id) + "/" + kRecordName;
    if (!ReadWhole(directory, name, kMostMetaBytes, &text, &task.record.stamp)) {
      return false;
    }
    task.record.settled = task.record.stamp.IsSettled(now);
    if (const auto record = ParseRecordHead(task.backup->id, text)) {
      task.record.written = {record->meta_size, record->meta_checksum};
      task.record.origin = record->origin;
    }
    return true;
  });
  for (Task& task : tasks) {
    task.backup->backup.written = task.record.written;
    task.backup->backup.origin = task.record.origin;
    records_[task.backup->id] = task.record;
  }
  return good;
}

// For backups whose record does not name the database. Looks once, for as long as the meta file stays the same.
void Directory::FindDatabases(const EngineSettings& settings, std::vector<Listed>* listed) {
  for (Listed& backup : *listed) {
    if (!backup.backup.origin.database.empty()) {
      continue;
    }
    KeptMeta& kept = metas_[backup.id];
    if (!kept.database) {
      std::vector<std::string> names;
      for (const auto& file : backup.backup.meta->files) {
        names.push_back(*names_.names[file.number]);
      }
      kept.database = DatabaseIdOfFiles(settings, names);
    }
    backup.backup.origin.database = *kept.database;
  }
}

void Directory::ForgetOthersThan(const std::vector<Listed>& listed) {
  const auto is_gone = [&](const auto& kept) {
    const auto found = std::lower_bound(listed.begin(), listed.end(), kept.first,
                                        [](const Listed& backup, uint32_t id) { return backup.id < id; });
    return found == listed.end() || found->id != kept.first;
  };
  std::erase_if(metas_, is_gone);
  std::erase_if(records_, is_gone);
  std::erase_if(names_of_, is_gone);
  // Otherwise the names of files of deleted backups would pile up for ever.
  if (last_ != nullptr && names_.names.size() > 2 * last_->number_of_files() + kSpareNames) {
    names_ = {};
    metas_.clear();
    last_.reset();
  }
}

// The repositories that were looked at last come first. Never destroyed, because threads may outlive main().
struct Directories {
  std::mutex mutex;
  std::list<std::pair<std::string, std::shared_ptr<Directory>>> known;
};

std::shared_ptr<Directory> DirectoryAt(const std::string& path) {
  static auto* const directories = new Directories;
  const std::lock_guard lock(directories->mutex);
  auto& known = directories->known;
  const auto found = std::find_if(known.begin(), known.end(), [&](const auto& entry) { return entry.first == path; });
  if (found != known.end()) {
    known.splice(known.begin(), known, found);
  } else {
    known.emplace_front(path, std::make_shared<Directory>());
    if (known.size() > kMaxDirectories) {
      known.pop_back();
    }
  }
  return known.front().second;
}

}  // namespace

PicturePtr LookAt(const EngineSettings& settings, Records records, std::time_t now) {
  const int most = settings.engine.max_valid_backups_to_open;
  if (settings.storage->local_directory().empty() || (most != 0 && most != std::numeric_limits<int>::max())) {
    return nullptr;
  }
  return DirectoryAt(settings.storage->local_directory())->Look(settings, records == Records::kRead, now);
}

}  // namespace rocksdb_backup
