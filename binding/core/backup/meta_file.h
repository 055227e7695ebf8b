#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb_backup {

// What the meta file of a backup says. The one reader of metas here; the engine's own is RocksDB's.
struct BackupMeta {
  struct Entry {
    std::string_view name;             // relative to the backup directory; in the text that was read
    std::optional<uint32_t> checksum;  // CRC32C
    std::optional<uint64_t> size;      // newer engines may write it
    bool excluded = false;             // not in the backup
  };

  // All of it is as engines write it: then an engine takes it, and reads the same. Of others no more is known than that
  // some lines name files; what an engine makes of them, only the engine can tell.
  bool plain = false;
  int64_t timestamp = 0;
  std::string app_metadata;
  std::vector<Entry> entries;
};

BackupMeta ParseMeta(std::string_view text);

}  // namespace rocksdb_backup
