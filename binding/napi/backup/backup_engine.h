#pragma once

#include <memory>
#include <string_view>

#include "core/database/database.h"
#include "core/repository/backup_repository.h"
#include "napi/runtime/errors.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// The native part of lib/backup/backup-engine.ts: openBackupEngine, attachBackupEngine, stopBackup, and the class that
// they return.
void RegisterBackupEngine(Napi::Env env, Napi::Object exports);

// Throws if the resource is closing or closed.
template <typename R>
Resource::Lease LeaseOf(Napi::Env env, const std::shared_ptr<R>& resource) {
  Resource::Lease lease = resource->Acquire();
  if (!lease) {
    Throw(env, R::ClosedError());
  }
  return lease;
}

// The database of a native Database that was passed as an argument. Throws as the following do.
std::shared_ptr<Database> DatabaseArgument(Napi::Env env, Napi::Value value);

// The repository of a native BackupEngine that was passed as an argument. Throws if it is not a BackupEngine, or if it
// is closed.
std::shared_ptr<BackupRepository> SharedEngineArgument(Napi::Env env, Napi::Value value, std::string_view name);
BackupRepository& EngineArgument(Napi::Env env, Napi::Value value, std::string_view name);

}  // namespace rocksdb_backup
