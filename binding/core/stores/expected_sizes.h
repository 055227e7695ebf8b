#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "core/stores/object_store.h"

namespace rocksdb_backup {

// How large files will be that are about to be written, if they need parts of more than the usual size.
class ExpectedSizes {
 public:
  // `name`: the key of the file, or the name that it has in the database.
  void Expect(const std::string& name, uint64_t size, const ObjectStore::Limits& limits);
  // 0: the file was not announced, or needs no larger parts than others.
  uint64_t Of(const std::string& key);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, uint64_t> sizes_;  // guarded by mutex_
};

}  // namespace rocksdb_backup
