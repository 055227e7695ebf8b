#pragma once

#include <vector>

#include "core/repository/backup_repository.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// The results of the methods of BackupEngine, as lib gets them.

Napi::Value ToJs(Napi::Env env, const BackupDescription& description, bool details);
Napi::Value ToJs(Napi::Env env, const std::vector<BackupDescription>& descriptions, bool details);
// { backupId, timestamp, state, files, bytes, error }[]
Napi::Value ToJs(Napi::Env env, const std::vector<CopiedBackup>& backups);
Napi::Value ToJs(Napi::Env env, const RestoreResult& result);
// { sizesKnown }
Napi::Value ToJs(Napi::Env env, const VerifyResult& result);
Napi::Value ToJs(Napi::Env env, const RestorePlan& plan);
// { files, bytesFree, databaseId }
Napi::Value ToJs(Napi::Env env, const BackupPlan& plan);

}  // namespace rocksdb_backup
