#include "core/repository/garbage.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "core/backup/backup_record.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

// Adds what the clean-up would delete at `name`, which is relative to the repository. It deletes everything but
// directories, such as the folders of somebody else. A link or a FIFO has no bytes.
rocksdb::IOStatus AddFile(const EngineSettings& settings, rocksdb::FileSystem& files, const std::string& name,
                          std::vector<GarbageFile>* listed) {
  const std::string path = settings.root() + "/" + name;
  uint64_t size = 0;
  if (files.GetFileSize(path, rocksdb::IOOptions(), &size, nullptr).ok()) {
    listed->push_back({name, size});
    return rocksdb::IOStatus::OK();
  }
  bool is_directory = false;
  const rocksdb::IOStatus status = files.IsDirectory(path, rocksdb::IOOptions(), &is_directory, nullptr);
  if (status.ok() && !is_directory) {
    listed->push_back({name, 0});
  }
  return status.IsNotFound() || status.IsPathNotFound() ? rocksdb::IOStatus::OK() : status;
}

// Lists the files in one directory of a repository. A directory that is not there has none. The clean-up also deletes
// the private directories of backups that do not exist, so one without files is listed itself.
Error ListFiles(const EngineSettings& settings, rocksdb::FileSystem& files, const std::string& directory,
                std::vector<GarbageFile>* listed) {
  std::vector<std::string> names;
  rocksdb::IOStatus status =
      files.GetChildren(settings.root() + "/" + directory, rocksdb::IOOptions(), &names, nullptr);
  if (status.ok() && names.empty() && ParentOf(directory) == "private") {
    listed->push_back({directory + "/", 0});
  }
  for (const std::string& name : names) {
    if (status.ok()) {
      status = AddFile(settings, files, directory + "/" + name, listed);
    }
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
      // If it cannot be looked at, nothing can be deleted there either.
      AddFile(settings, *files, "private/" + name + "/" + kTemporaryRecordName, &listed).PermitUncheckedError();
    } else if (IsPrivateName(name)) {
      // Behind a link, nothing is deleted.
      bool is_directory = true;
      const std::string path = PrivateDirectory(settings.root()) + "/" + name;
      files->IsDirectory(path, rocksdb::IOOptions(), &is_directory, nullptr).PermitUncheckedError();
      if (is_directory) {
        directories.push_back("private/" + name);
      }
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
