#include "core/backup/directory_look.h"

#include <algorithm>
#include <ctime>
#include <limits>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "core/backup/backup_engine_session.h"
#include "core/backup/backup_record.h"
#include "core/backup/database_identity.h"
#include "core/backup/look_source.h"
#include "core/backup/meta_file.h"
#include "core/base/checksum.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

using Picture = DirectoryPicture;
using PicturePtr = std::shared_ptr<const DirectoryPicture>;

constexpr size_t kMaxDirectories = 8;               // how many repositories are remembered
constexpr size_t kMostMetaBytes = size_t{8} << 20;  // larger meta files and records are left to a BackupEngine
constexpr size_t kMostMetadataKept = size_t{16} << 10;
constexpr size_t kSpareNames = 10'000;

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
  // A backup as it is listed now.
  struct Listed {
    uint32_t id = 0;
    Stamp meta;
    std::optional<Stamp> record;
    Picture::Backup backup;
  };

  bool ReadMetas(LookSource& source, std::time_t now, std::vector<Listed>* listed);
  static bool ListFiles(LookSource& source, std::time_t now, std::vector<Listed>* listed);
  bool ReadRecords(LookSource& source, std::time_t now, std::vector<Listed>* listed);
  void FindDatabases(const EngineSettings& settings, std::vector<Listed>* listed);
  void ForgetOthersThan(const std::vector<Listed>& listed);

  std::mutex mutex_;
  Picture::Names names_;
  std::map<uint32_t, KeptMeta> metas_;
  std::map<uint32_t, KeptRecord> records_;
  NamesByBackup names_of_;
  // The last picture, and whether it includes what the records say.
  PicturePtr last_;
  bool last_has_records_ = false;
};

PicturePtr Directory::Look(const EngineSettings& settings, bool records, std::time_t now) {
  const std::lock_guard lock(mutex_);
  const std::unique_ptr<LookSource> source = OpenLookSource(*settings.storage, &names_of_);
  if (source == nullptr) {
    return nullptr;
  }
  // The meta files come first: a backup's files exist before the meta file that names them, and are removed after it.
  std::vector<std::pair<uint32_t, Stamp>> metas;
  if (!source->ListMetas(&metas)) {
    return nullptr;
  }
  std::sort(metas.begin(), metas.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Listed> listed(metas.size());
  for (size_t i = 0; i < metas.size(); ++i) {
    listed[i].id = metas[i].first;
    listed[i].meta = metas[i].second;
  }
  if (!ReadMetas(*source, now, &listed) || !ListFiles(*source, now, &listed)) {
    return nullptr;
  }
  Picture::SharedFiles shared;
  for (const char* const part : kSharedParts) {
    std::vector<LookSource::File> files;
    if (!source->ListShared(part, &files)) {
      return nullptr;
    }
    for (const auto& [name, stamp] : files) {
      shared.emplace_back(std::string(part) + "/" + name, stamp.size);
    }
  }
  if (records && !ReadRecords(*source, now, &listed)) {
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

bool Directory::ListFiles(LookSource& source, std::time_t now, std::vector<Listed>* listed) {
  std::vector<uint32_t> ids;
  for (const Listed& backup : *listed) {
    ids.push_back(backup.id);
  }
  std::vector<std::vector<LookSource::File>> files;
  if (!source.ListPrivate(ids, now, &files)) {
    return false;
  }
  for (size_t i = 0; i < files.size(); ++i) {
    for (const auto& [name, stamp] : files[i]) {
      Listed& backup = listed->at(i);
      if (name == kRecordName) {
        backup.record = stamp;
        backup.backup.record_bytes = stamp.size;
      } else {
        backup.backup.private_files.emplace_back(name, stamp.size);
      }
    }
  }
  return true;
}

bool Directory::ReadMetas(LookSource& source, std::time_t now, std::vector<Listed>* listed) {
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
  std::vector<std::string> paths;
  paths.reserve(tasks.size());
  for (const Task& task : tasks) {
    paths.push_back(MetaName(task.backup->id));
  }
  const bool good = source.ReadAll(paths, kMostMetaBytes, [&](size_t i, std::string text, const Stamp& stamp) {
    Task& task = tasks[i];
    task.text = std::move(text);
    task.stamp = stamp;
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

bool Directory::ReadRecords(LookSource& source, std::time_t now, std::vector<Listed>* listed) {
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
  std::vector<std::string> paths;
  paths.reserve(tasks.size());
  for (const Task& task : tasks) {
    paths.push_back("private/" + std::to_string(task.backup->id) + "/" + kRecordName);
  }
  const bool good = source.ReadAll(paths, kMostMetaBytes, [&](size_t i, const std::string& text, const Stamp& stamp) {
    Task& task = tasks[i];
    task.record.stamp = stamp;
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

std::shared_ptr<Directory> DirectoryAt(const std::string& identity) {
  static auto* const directories = new Directories;
  const std::lock_guard lock(directories->mutex);
  auto& known = directories->known;
  const auto found =
      std::find_if(known.begin(), known.end(), [&](const auto& entry) { return entry.first == identity; });
  if (found != known.end()) {
    known.splice(known.begin(), known, found);
  } else {
    known.emplace_front(identity, std::make_shared<Directory>());
    if (known.size() > kMaxDirectories) {
      known.pop_back();
    }
  }
  return known.front().second;
}

}  // namespace

PicturePtr LookAt(const EngineSettings& settings, Records records, std::time_t now) {
  const int most = settings.engine.max_valid_backups_to_open;
  if (most != 0 && most != std::numeric_limits<int>::max()) {
    return nullptr;
  }
  return DirectoryAt(settings.storage->identity())->Look(settings, records == Records::kRead, now);
}

Error OpenToRead(const EngineSettings& settings, std::shared_ptr<BackupEngineSession>* session) {
  if (auto picture = LookAt(settings)) {
    *session = BackupEngineSession::Of(settings, std::move(picture));
    return Error();
  }
  return BackupEngineSession::Open(settings, {}, session);
}

}  // namespace rocksdb_backup
