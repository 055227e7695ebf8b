#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/backup/plain_files.h"
#include "core/storage/storage.h"

namespace rocksdb_backup {

// Where a look at a repository gets its files from (core/backup/directory_look.h). Everything returns false where only
// a BackupEngine can tell what is there.
class LookSource {
 public:
  struct File {
    std::string name;
    Stamp stamp;
  };

  virtual ~LookSource() = default;
  virtual bool ListMetas(std::vector<std::pair<uint32_t, Stamp>>* metas) = 0;
  // The files in the private directories of these backups: one list for each id.
  virtual bool ListPrivate(const std::vector<uint32_t>& ids, std::time_t now,
                           std::vector<std::vector<File>>* files) = 0;
  virtual bool ListShared(const std::string& part, std::vector<File>* files) = 0;
  // Reads whole files, and calls `read(i, text, stamp)` for each path, perhaps on several threads at once. Ends with
  // the first call that returns false. Paths are relative to the repository.
  using Read = std::function<bool(size_t i, std::string text, const Stamp& stamp)>;
  virtual bool ReadAll(const std::vector<std::string>& paths, uint64_t max_bytes, const Read& read) = 0;
};

// The names in the private directories of a repository on a disk. A stamp shows whether a directory has other names
// now; it says nothing about the files themselves.
struct KeptNames {
  Stamp stamp;
  bool settled = false;
  std::vector<std::string> names;
};
using NamesByBackup = std::map<uint32_t, KeptNames>;

// Null if the storage is neither on a disk of this machine nor lists its files with tags, or if it cannot be opened.
std::unique_ptr<LookSource> OpenLookSource(const Storage& storage, NamesByBackup* names);

}  // namespace rocksdb_backup
