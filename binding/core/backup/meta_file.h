#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb_backup {

// What the meta file of a backup says. This is the only parser of meta files here; RocksDB has its own.
struct BackupMeta {
  struct Entry {
    std::string_view name;             // relative to the repository; points into the text that was read
    std::optional<uint32_t> checksum;  // CRC32C
    std::optional<uint64_t> size;      // newer BackupEngines may write it
    bool excluded = false;             // not in the backup
  };

  // The whole file is as BackupEngines write it. Then a BackupEngine accepts it and reads the same. If false, it is
  // only known that some lines name files. Only the BackupEngine itself can tell what it makes of such a file.
  bool plain = false;
  int64_t timestamp = 0;
  std::string app_metadata;
  std::vector<Entry> entries;
};

BackupMeta ParseMeta(std::string_view text);

}  // namespace rocksdb_backup
