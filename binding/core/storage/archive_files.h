#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Where the files of an archive lie in a repository. There may be a hundred thousand of them. The name is behind those
// of the parts of a repository in the order of keys, so that a list of a store's objects can end before it.
inline constexpr char kArchiveDirectory[] = "wal";

// Files of a repository that are written once, whole, and never changed: those of its archive. Paths are relative to
// the repository. Directories come and go with their files. Thread-safe.
class ArchiveFiles {
 public:
  struct Listed {
    std::string path;
    uint64_t size = 0;
  };

  ArchiveFiles() = default;
  virtual ~ArchiveFiles() = default;
  ArchiveFiles(const ArchiveFiles&) = delete;
  ArchiveFiles& operator=(const ArchiveFiles&) = delete;

  // All files in the directories of this directory, in the order of their paths. It is complete, or an error.
  virtual Error List(const std::string& directory, std::vector<Listed>* files) = 0;
  // FILE_MISSING only if the storage said that nothing is there.
  virtual Error Read(const std::string& path, std::string* text) = 0;
  // FILE_EXISTS if there is one, and it stays as it was. After success the file is there also after a loss of power.
  // After another error it may be there.
  virtual Error WriteNew(const std::string& path, std::shared_ptr<const std::string> text) = 0;
  // Files that are not there count as removed.
  virtual Error Remove(const std::vector<std::string>& paths) = 0;
};

// In the directory `root` of a file system that has links.
std::unique_ptr<ArchiveFiles> NewArchiveFiles(std::shared_ptr<rocksdb::FileSystem> files, std::string root);

}  // namespace rocksdb_backup
