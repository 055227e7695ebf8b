#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/backup_engine_session.h"
#include "core/error.h"
#include "core/operation.h"

namespace rocksdb_backup {

// RocksDB's RestoreOptions::Mode, of engines from 10.0 on.
enum class RestoreMode { kPurgeAllFiles, kKeepLatestDbSessionIdFiles, kVerifyChecksum };

struct RestoreRequest {
  uint32_t backup_id = 0;  // 0: the latest that is readable
  std::string database_dir;
  std::string wal_dir;  // empty: the database's directory
  bool keep_log_files = false;
  bool overwrite = false;
  bool check_disk_space = true;
  RestoreMode mode = RestoreMode::kPurgeAllFiles;
  std::vector<EngineSettings> alternates;  // where excluded files are found
};

Error RestoreBackup(const EngineSettings& settings, const RestoreRequest& request,
                    const std::shared_ptr<Operation>& operation, BackupDescription* restored);

}  // namespace rocksdb_backup
