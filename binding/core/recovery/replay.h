#pragma once

#include <cstdint>
#include <string>

#include "core/base/operation.h"
#include "core/database/database_options.h"
#include "core/recovery/recovery_plan.h"

namespace rocksdb_backup {

struct ReplayResult {
  uint64_t from = 0;      // the last write of the base
  uint64_t sequence = 0;  // the last write of the database now
  uint64_t time = 0;      // of the last batch that was replayed; 0: none was, or it has no time
  uint64_t batches = 0;
  uint64_t bytes = 0;
};

// Brings a database, which was just restored from the plan's base and which nobody else uses, to the plan's moment.
Error Replay(Archive& archive, const RecoveryPlan& plan, const std::string& directory, const DatabaseOptions& options,
             Operation& operation, ReplayResult* result);

}  // namespace rocksdb_backup
