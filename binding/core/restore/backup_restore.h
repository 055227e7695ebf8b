#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "core/base/error.h"
#include "core/base/operation.h"
#include "core/restore/target_contents.h"

namespace rocksdb_backup {

// What is taken over of a database that is replaced, instead of being copied. RocksDB's RestoreOptions::Mode has these
// names from 10.0 on, and works on the target itself; here it is ours, with every engine, and on the fresh directory.
enum class RestoreMode {
  kPurgeAllFiles,               // nothing
  kKeepLatestDbSessionIdFiles,  // tables that are the backup's, by what they say of themselves
  kVerifyChecksum,              // tables and blob files that are the backup's, by all that is in them
};

struct RestoreRequest {
  uint32_t backup_id = 0;  // 0: the latest that is readable
  std::string database_dir;
  std::string wal_dir;  // empty: the database's directory
  bool keep_log_files = false;
  bool overwrite = false;
  bool allow_other_database = false;  // overwrites another database than the backup's, too
  bool keep_old = false;              // what is replaced stays, beside the target
  bool check_disk_space = true;
  RestoreMode mode = RestoreMode::kPurgeAllFiles;
  std::vector<EngineSettings> alternates;  // where excluded files are found
};

// What a restore would do.
struct RestorePlan {
  BackupDescription backup;
  std::string target;  // real path
  TargetContents contents;
  std::string target_database;  // the id of the database that is there; empty if there is none, or nothing tells
  uint64_t bytes_to_copy = 0;
  uint64_t bytes_to_reuse = 0;
  uint32_t files_to_reuse = 0;
  std::optional<uint64_t> free_bytes;  // where the target is to be, if that is known
};

struct RestoreResult {
  BackupDescription backup;
  uint64_t bytes_copied = 0;
  uint64_t bytes_reused = 0;  // of files of the database that was replaced
  uint32_t files_reused = 0;
  // Where what was replaced has been left: the database, and its logs where they lay apart. Empty: nothing was.
  std::string kept;
  std::string kept_logs;
};

// Checks what a restore checks before its first byte, fails as it would, and changes nothing.
Error PlanRestore(const EngineSettings& settings, const RestoreRequest& request,
                  const std::shared_ptr<Operation>& operation, RestorePlan* plan);

Error RestoreBackup(const EngineSettings& settings, const RestoreRequest& request,
                    const std::shared_ptr<Operation>& operation, RestoreResult* restored);

}  // namespace rocksdb_backup
