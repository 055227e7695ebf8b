#pragma once

#include <memory>

#include "core/recovery/recovery_plan.h"
#include "core/recovery/replay.h"
#include "core/restore/backup_restore.h"

namespace rocksdb_backup {

struct RecoveryRequest {
  RestoreRequest restore;   // the backup is the plan's
  DatabaseOptions options;  // with which the log is replayed
};

struct RecoveryResult {
  RestoreResult restored;
  ReplayResult replayed;
};

// Restores the plan's base beside the target, replays the archive there, and installs the result as a restore does. If
// that fails or is killed, the target is as it was.
Error Recover(const EngineSettings& settings, Archive& archive, const RecoveryPlan& plan,
              const RecoveryRequest& request, const std::shared_ptr<Operation>& operation, RecoveryResult* result);

}  // namespace rocksdb_backup
