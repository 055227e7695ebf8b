#pragma once

#include <string>
#include <vector>

#include "rocksdb/version.h"

namespace rocksdb_backup {

// What is asked about the version of the RocksDB that this is built with is asked here.
constexpr bool EngineIsAtLeast(int major, int minor) {
  return ROCKSDB_MAJOR > major || (ROCKSDB_MAJOR == major && ROCKSDB_MINOR >= minor);
}
inline constexpr bool kHasIoBufferSize = EngineIsAtLeast(9, 11);
inline constexpr bool kHasAtomicFlush = EngineIsAtLeast(11, 8);
// Tables of formats 0 and 1, which are LevelDB's and those of RocksDB before 3.10.
inline constexpr bool kReadsLevelDbTables = !EngineIsAtLeast(11, 0);
// A database that was opened to read deletes, when it closes, tables of whoever has it open to write.
inline constexpr bool kReadOnlyDeletesFiles = EngineIsAtLeast(11, 1) && !EngineIsAtLeast(11, 8);

// What this build can do.
struct EngineInfo {
  std::string rocksdb;                    // version
  std::vector<std::string> compressions;  // linked in, by the names of the option
  std::vector<std::string> features;      // that not every supported RocksDB has
};

EngineInfo GetEngineInfo();

}  // namespace rocksdb_backup
