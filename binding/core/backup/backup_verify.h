#pragma once

#include <cstdint>
#include <memory>

#include "core/backup/backup_engine_session.h"

namespace rocksdb_backup {

struct VerifyResult {
  // Whether the sizes of the files were compared with those at the time of the backup. There is no record of them if
  // another program made the backup, or if the record is lost.
  bool sizes_known = false;
};

// Checks whether a backup could be restored, as far as reading it can show.
Error VerifyBackup(const EngineSettings& settings, uint32_t backup_id, bool checksum,
                   const std::shared_ptr<Operation>& operation, VerifyResult* result);

}  // namespace rocksdb_backup
