#pragma once

#include <cstdint>
#include <memory>

#include "core/backup/backup_engine_session.h"

namespace rocksdb_backup {

// Checks whether a backup could be restored, as far as reading it can show.
Error VerifyBackup(const EngineSettings& settings, uint32_t backup_id, bool checksum,
                   const std::shared_ptr<Operation>& operation);

}  // namespace rocksdb_backup
