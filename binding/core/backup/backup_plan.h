#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "rocksdb/metadata.h"

namespace rocksdb_backup {

// What a backup will copy, decided before it copies anything.

struct PlannedFile {
  std::string name;  // as the database names it
  uint64_t size = 0;
  bool copied = false;  // else an earlier backup has it
  bool log = false;     // of the write-ahead log
};

// The files that backups share, by their database's names, and their sizes.
using SharedFiles = std::unordered_map<std::string, uint64_t>;
// Those in the directory, of which `picture` may be null. None where the settings share none.
SharedFiles SharedFilesIn(const EngineSettings& settings, const DirectoryPicture* picture);

// Names hold a number and mostly a size; two databases in one directory can have those in common, so an engine may copy
// a file that is taken for shared here.
std::vector<PlannedFile> PlanFiles(const std::vector<rocksdb::LiveFileStorageInfo>& files, bool with_logs,
                                   const SharedFiles& shared);

struct BackupPlan {
  std::vector<PlannedFile> files;
  std::string database;                // its id
  std::optional<uint64_t> free_bytes;  // where the directory is, or would be
};

}  // namespace rocksdb_backup
