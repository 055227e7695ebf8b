#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "rocksdb/metadata.h"

namespace rocksdb_backup {

// The plan of a backup: what it will copy, decided before it copies anything.

struct PlannedFile {
  std::string name;  // its name in the database
  uint64_t size = 0;
  bool copied = false;  // if false, an earlier backup has the file
  bool log = false;     // part of the write-ahead log
};

// The files that backups share: their names in the database, and their sizes.
using SharedFiles = std::unordered_map<std::string, uint64_t>;
// The shared files in the repository. Empty if the settings share none. `picture` may be null.
SharedFiles SharedFilesIn(const EngineSettings& settings, const DirectoryPicture* picture);

// Decides by file name. A name holds a number and usually a size. Two databases in one repository can have both in
// common, so the BackupEngine may copy a file that counts as shared here.
std::vector<PlannedFile> PlanFiles(const std::vector<rocksdb::LiveFileStorageInfo>& files, bool with_logs,
                                   const SharedFiles& shared);

struct BackupPlan {
  std::vector<PlannedFile> files;
  std::string database;                // id of the database
  std::optional<uint64_t> free_bytes;  // at the place where the repository is, or would be
};

}  // namespace rocksdb_backup
