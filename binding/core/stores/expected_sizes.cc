#include "core/stores/expected_sizes.h"

#include "core/stores/object_files.h"
#include "core/stores/store_layout.h"

namespace rocksdb_backup {

void ExpectedSizes::Expect(const std::string& name, uint64_t size, const ObjectStore::Limits& limits) {
  if (!limits.has_uploads || size <= kPartBytes * limits.max_parts) {
    return;
  }
  const std::lock_guard lock(mutex_);
  sizes_[name] = size;
}

uint64_t ExpectedSizes::Of(const std::string& key) {
  const std::lock_guard lock(mutex_);
  for (const std::string& name : {key, NameInDatabase(key)}) {
    if (const auto found = sizes_.find(name); found != sizes_.end()) {
      return found->second;
    }
  }
  return 0;
}

}  // namespace rocksdb_backup
