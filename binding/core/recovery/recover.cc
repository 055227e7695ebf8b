#include "core/recovery/recover.h"

#include <string>

namespace rocksdb_backup {

Error Recover(const EngineSettings& settings, Archive& archive, const RecoveryPlan& plan,
              const RecoveryRequest& request, const std::shared_ptr<Operation>& operation, RecoveryResult* result) {
  if (!request.restore.wal_dir.empty() && request.restore.wal_dir != request.restore.database_dir) {
    return Error("INVALID_OPTION", "a recovery brings no log, so its target needs no directory for one (walDir)");
  }
  RestoreRequest restore = request.restore;
  restore.backup_id = plan.base.backup_id;
  restore.before_install = [&](const std::string& directory) {
    DatabaseOptions options = request.options;
    options.db.create_if_missing = false;
    return Replay(archive, plan, directory, options, *operation, &result->replayed);
  };
  return RestoreBackup(settings, restore, operation, &result->restored);
}

}  // namespace rocksdb_backup
