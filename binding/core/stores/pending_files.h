#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Small files that are complete but do not have their final names yet. They are written when they get them.
class PendingFiles {
 public:
  void Put(const std::string& key, std::string text);
  // Null if there is none.
  std::shared_ptr<const std::string> Find(const std::string& key);
  bool Remove(const std::string& key);
  std::vector<std::string> NamesIn(const std::string& directory);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const std::string>> files_;
};

// Whether this is the key of a temporary meta file or record.
bool IsPending(const std::string& key);

// A new file that is among `files` once it is closed.
std::unique_ptr<rocksdb::FSWritableFile> NewPendingFile(std::shared_ptr<PendingFiles> files, const std::string& key);

}  // namespace rocksdb_backup
