#pragma once

#include <string_view>

#include "core/repository/backup_repository.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// What lib/backup/backup-engine.ts is made of: openBackupEngine, attachBackupEngine, stopBackup and the class they
// return.
void RegisterBackupEngine(Napi::Env env, Napi::Object exports);

// The repository of a native BackupEngine passed as an argument; throws where it is none or closed.
BackupRepository& EngineArgument(Napi::Env env, Napi::Value value, std::string_view name);

}  // namespace rocksdb_backup
