#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "core/backup/backup_plan.h"
#include "core/base/error.h"
#include "core/base/operation.h"
#include "rocksdb/db.h"

namespace rocksdb_backup {

// The database to back up. The caller keeps it open.
struct BackupSource {
  rocksdb::DB* db = nullptr;
  std::string path;     // real path
  std::string wal_dir;  // real path; the same as `path` if the log has no directory of its own
  // Data was written without the write-ahead log since the last flush. Only a flush brings such data into a backup.
  bool needs_flush = false;
  // Starts to flush everything and does not wait. May be empty; then a stop has to wait for the flush.
  std::function<void()> start_flush;
};

struct CreateRequest {
  BackupSource source;
  // Default: flush if the backup would miss data without it. Data that was written without the log is flushed in any
  // case.
  std::optional<bool> flush_before_backup;
  bool atomic_flush = false;          // saves all families as of one moment; by default, this flushes
  bool full = false;                  // takes over no file of an earlier backup
  bool allow_other_database = false;  // even if the repository only has backups of other databases
  std::string app_metadata;
  // Gets the names of the files that may be left out, and says which of them to leave out. Must end soon after the
  // operation is stopped, because the code that has to answer may itself be waiting for the stop.
  std::function<Error(Operation& operation, const std::vector<std::string>& files, std::vector<bool>* excluded)>
      exclude_files;
  std::optional<rocksdb::CpuPriority> cpu_priority;
  bool check_disk_space = true;
};

inline constexpr size_t kMaxAppMetadata = size_t{1} << 20;  // RocksDB's limit

// Removes the temporary meta files of interrupted creates, which the BackupEngine never removes. The caller holds the
// repository's writer lock.
void RemoveTemporaryMetas(const EngineSettings& settings);

// Finds out what a backup would copy now. Makes no backup and no repository. Needs no lock, because it changes nothing
// and shows one moment. What is in the log counts as log, even if the backup will flush first.
Error PlanBackup(EngineSettings settings, const CreateRequest& request, BackupPlan* plan);

// Makes one backup. The caller holds the repository's writer lock and has checked nothing else.
Error CreateBackup(EngineSettings settings, const CreateRequest& request, const std::shared_ptr<Operation>& operation,
                   BackupDescription* created);

}  // namespace rocksdb_backup
