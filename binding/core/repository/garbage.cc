#include "core/repository/garbage.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "core/backup/backup_record.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

// Lists the files in one directory of a repository. A directory that is not there has none.
Error ListFiles(const EngineSettings& settings, rocksdb::FileSystem& files, const std::string& directory,
                std::vector<GarbageFile>* listed) {
  std::vector<rocksdb::FileAttributes> found;
  const rocksdb::IOStatus status =
      files.GetChildrenFileAttributes(settings.root() + "/" + directory, rocksdb::IOOptions(), &found, nullptr);
  for (auto& file : found) {
    listed->push_back({directory + "/" + file.name, file.size_bytes});
  }
  // A file in the place of a directory is nobody's garbage.
  return status.IsNotFound() || status.IsCorruption()
             ? Error()
             : Error::From(status, "listing " + settings.name() + "/" + directory)
                   .With("path", settings.name() + "/" + directory);
}

}  // namespace

Error FindGarbage(const EngineSettings& settings, const std::vector<BackupDescription>& backups,
                  std::vector<GarbageFile>* garbage) {
  const auto files = settings.files();
  std::unordered_set<std::string> known;
  std::unordered_set<std::string> ids;
  for (const BackupDescription& backup : backups) {
    ids.insert(std::to_string(backup.id));
    for (const BackupFile& file : backup.files) {
      known.insert(file.name);
    }
  }
  std::vector<std::string> directories(std::begin(kSharedParts), std::end(kSharedParts));
  std::vector<GarbageFile> listed;
  std::vector<std::string> of_backups;
  const rocksdb::IOStatus status =
      files->GetChildren(PrivateDirectory(settings.root()), rocksdb::IOOptions(), &of_backups, nullptr);
  if (!status.ok() && !status.IsNotFound()) {
    return Error::From(status, "listing " + settings.name() + "/private").With("path", settings.name() + "/private");
  }
  for (const std::string& name : of_backups) {
    // In the directory of a backup that exists, nothing is deleted but half of a record.
    if (ids.contains(name)) {
      const std::string half = "private/" + name + "/" + kTemporaryRecordName;
      uint64_t size = 0;
      if (files->GetFileSize(settings.root() + "/" + half, rocksdb::IOOptions(), &size, nullptr).ok()) {
        listed.push_back({half, size});
      }
    } else if (IsPrivateName(name)) {
      directories.push_back("private/" + name);
    }
  }
  for (const std::string& directory : directories) {
    if (Error error = ListFiles(settings, *files, directory, &listed); !error.ok()) {
      return error;
    }
  }
  std::erase_if(listed, [&](const GarbageFile& file) { return known.contains(file.name); });
  std::vector<GarbageFile> metas;
  if (Error error = ListFiles(settings, *files, "meta", &metas); !error.ok()) {
    return error;
  }
  std::erase_if(metas, [](const GarbageFile& file) { return !IsTemporaryMetaName(NameOf(file.name)); });
  listed.insert(listed.end(), metas.begin(), metas.end());
  std::sort(listed.begin(), listed.end(), [](const GarbageFile& a, const GarbageFile& b) { return a.name < b.name; });
  *garbage = std::move(listed);
  return Error();
}

}  // namespace rocksdb_backup
