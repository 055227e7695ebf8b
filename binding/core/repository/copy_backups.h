#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/backup/backup_engine_session.h"
#include "core/base/error.h"
#include "core/base/operation.h"

namespace rocksdb_backup {

struct CopyRequest {
  std::vector<uint32_t> backup_ids;   // empty: all
  bool allow_other_database = false;  // even if the target only has backups of other databases
};

// One backup of the source.
struct CopiedBackup {
  enum class State {
    kCopied,   // it was copied, or will be
    kPresent,  // the target has it already, with all its files
    kFailed,   // it cannot be read, or is damaged; `error` says why. Nothing makes it a backup of the target
  };
  uint32_t id = 0;
  int64_t timestamp = 0;  // 0 if the backup cannot be read
  State state = State::kPresent;
  uint32_t files = 0;  // that the target did not have
  uint64_t bytes = 0;  // of these files
  Error error;
};

// Finds out what a copy would do now. `to` is null if there is no repository yet. Changes nothing.
Error PlanCopy(const EngineSettings& from, const EngineSettings* to, const CopyRequest& request,
               const std::shared_ptr<Operation>& operation, std::vector<CopiedBackup>* backups);

// Copies backups, under the ids that they have. Both sides are file systems, so any storage can be copied to any other.
// The caller holds the writer's lock of `to`.
//
// Files that the target has, by name and size, are not copied again. So a copy that was interrupted goes on where it
// was. The meta file, which makes a backup exist, is written last. What is copied is read through the checksum that the
// source has of it: a damaged file is never copied, and its backups fail. The others are copied.
Error CopyBackups(const EngineSettings& from, const EngineSettings& to, const CopyRequest& request,
                  const std::shared_ptr<Operation>& operation, std::vector<CopiedBackup>* backups);

}  // namespace rocksdb_backup
