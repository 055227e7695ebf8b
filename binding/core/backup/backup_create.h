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
  std::string wal_dir;  // real path; `path` where it is not set apart
  // Data was written without the write-ahead log since the last flush: only a flush brings it into a backup.
  bool needs_flush = false;
  // Begins to flush all of it and does not wait. May be empty: then a stop waits for the flush.
  std::function<void()> start_flush;
};

struct CreateRequest {
  BackupSource source;
  // Default: when the backup would miss data without it. What was written without the log is flushed in any case.
  std::optional<bool> flush_before_backup;
  bool atomic_flush = false;          // all families at one moment; flushes
  bool full = false;                  // takes over no file of an earlier backup
  bool allow_other_database = false;  // than those that the directory has backups of
  std::string app_metadata;
  // Given the names of the files that could be left out, tells which to leave out. Ends soon once the operation is
  // stopped: whoever would have to answer may be waiting for that.
  std::function<Error(Operation& operation, const std::vector<std::string>& files, std::vector<bool>* excluded)>
      exclude_files;
  std::optional<rocksdb::CpuPriority> cpu_priority;
  bool check_disk_space = true;
};

inline constexpr size_t kMaxAppMetadata = size_t{1} << 20;  // the engine's limit

// Removes the temporary metas of interrupted creates, which the engine never collects. The caller holds the directory's
// writer lock.
void RemoveTemporaryMetas(const EngineSettings& settings);

// What a backup would copy now, without making one, or the directory. Needs no lock: it changes nothing, and is as it
// was at one moment. What the log holds counts as log, also where the backup will be flushed first.
Error PlanBackup(EngineSettings settings, const CreateRequest& request, BackupPlan* plan);

// Makes one backup. The caller holds the directory's writer lock and has checked nothing else.
Error CreateBackup(EngineSettings settings, const CreateRequest& request, const std::shared_ptr<Operation>& operation,
                   BackupDescription* created);

}  // namespace rocksdb_backup
