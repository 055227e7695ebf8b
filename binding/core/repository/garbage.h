#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "core/base/error.h"

namespace rocksdb_backup {

struct GarbageFile {
  std::string name;  // relative to the repository; ends with a slash if it is an empty directory
  uint64_t size = 0;
};

// Finds the files that belong to none of these backups: what CollectGarbage() deletes if no others can be used. Sorted
// by name.
Error FindGarbage(const EngineSettings& settings, const std::vector<BackupDescription>& backups,
                  std::vector<GarbageFile>* garbage);

}  // namespace rocksdb_backup
