#pragma once

#include <string>
#include <vector>

#include "rocksdb/version.h"

namespace rocksdb_backup {

// All questions about the version of the linked RocksDB are answered here.
constexpr bool EngineIsAtLeast(int major, int minor) {
  return ROCKSDB_MAJOR > major || (ROCKSDB_MAJOR == major && ROCKSDB_MINOR >= minor);
}
inline constexpr bool kHasIoBufferSize = EngineIsAtLeast(9, 11);
inline constexpr bool kHasAtomicFlush = EngineIsAtLeast(11, 8);
// Table formats 0 and 1: the formats of LevelDB and of RocksDB before 3.10.
inline constexpr bool kReadsLevelDbTables = !EngineIsAtLeast(11, 0);
// With these versions, a database that was opened read-only deletes table files when it closes, even if another process
// has the database open for writing and owns these files.
inline constexpr bool kReadOnlyDeletesFiles = EngineIsAtLeast(11, 1) && !EngineIsAtLeast(11, 8);

// What this build can do.
struct EngineInfo {
  std::string rocksdb;                    // version number
  std::vector<std::string> compressions;  // linked in; named as in the `compression` option
  std::vector<std::string> features;      // features that not every supported RocksDB has
};

EngineInfo GetEngineInfo();

}  // namespace rocksdb_backup
