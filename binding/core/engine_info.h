#pragma once

#include <string>
#include <vector>

namespace rocksdb_backup {

// What this build can do.
struct EngineInfo {
  std::string rocksdb;                    // version
  std::vector<std::string> compressions;  // linked in, by the names of the option
  std::vector<std::string> features;      // that not every supported RocksDB has
};

EngineInfo GetEngineInfo();

}  // namespace rocksdb_backup
