#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "core/base/error.h"
#include "core/base/operation.h"
#include "core/restore/target_contents.h"

namespace rocksdb_backup {

// Which files of a replaced database are taken over instead of being copied. From RocksDB 10.0 on, RestoreOptions::Mode
// has the same names, but it works on the target itself. Here the mode is our own: it works with every RocksDB, and on
// the fresh directory.
enum class RestoreMode {
  kPurgeAllFiles,               // no files
  kKeepLatestDbSessionIdFiles,  // tables that the backup has too, judged by what they say about themselves
  kVerifyChecksum,              // tables and blob files that the backup has too, judged by their whole contents
};

struct RestoreRequest {
  uint32_t backup_id = 0;  // 0: the latest readable backup
  std::string database_dir;
  std::string wal_dir;  // empty: the database's directory
  bool keep_log_files = false;
  bool overwrite = false;
  bool allow_other_database = false;  // also overwrites a database that is not the backup's
  bool keep_old = false;              // what is replaced is kept, beside the target
  bool check_disk_space = true;
  RestoreMode mode = RestoreMode::kPurgeAllFiles;
  std::vector<EngineSettings> alternates;  // where excluded files are found
  // Called when the fresh directory is a whole database, before it takes the target's place.
  std::function<Error(const std::string& directory)> before_install = {};
};

// What a restore would do.
struct RestorePlan {
  BackupDescription backup;
  std::string target;  // real path
  TargetContents contents;
  std::string target_database;  // id of the database in the target; empty if there is none, or no file has an id
  uint64_t bytes_to_copy = 0;
  uint64_t bytes_to_reuse = 0;
  uint32_t files_to_reuse = 0;
  std::optional<uint64_t> free_bytes;  // at the place of the target, if it is known
};

struct RestoreResult {
  BackupDescription backup;
  uint64_t bytes_copied = 0;
  uint64_t bytes_reused = 0;  // in files of the database that was replaced
  uint32_t files_reused = 0;
  // Where the replaced database is kept, and its logs if they had a directory of their own. Empty if nothing is kept.
  std::string kept;
  std::string kept_logs;
};

// Makes the checks that a restore makes before its first byte, and fails as a restore would. Changes nothing.
Error PlanRestore(const EngineSettings& settings, const RestoreRequest& request,
                  const std::shared_ptr<Operation>& operation, RestorePlan* plan);

Error RestoreBackup(const EngineSettings& settings, const RestoreRequest& request,
                    const std::shared_ptr<Operation>& operation, RestoreResult* restored);

}  // namespace rocksdb_backup
