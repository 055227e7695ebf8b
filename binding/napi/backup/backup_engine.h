#pragma once

#include <string_view>

#include "core/repository/backup_repository.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// The native part of lib/backup/backup-engine.ts: openBackupEngine, attachBackupEngine, stopBackup, and the class that
// they return.
void RegisterBackupEngine(Napi::Env env, Napi::Object exports);

// The repository of a native BackupEngine that was passed as an argument. Throws if it is not a BackupEngine, or if it
// is closed.
std::shared_ptr<BackupRepository> SharedEngineArgument(Napi::Env env, Napi::Value value, std::string_view name);
BackupRepository& EngineArgument(Napi::Env env, Napi::Value value, std::string_view name);

}  // namespace rocksdb_backup
