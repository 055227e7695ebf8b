#pragma once

#include <string_view>
#include <unordered_map>

#include "core/repository/backup_repository.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// The results of the methods of BackupEngine, as lib gets them.

Napi::Value ToJs(Napi::Env env, const BackupDescription& description, bool details);
Napi::Value ToJs(Napi::Env env, const RestoreResult& result);
Napi::Value ToJs(Napi::Env env, const RestorePlan& plan);
// For several backups: a file that they share is one JS object, which is in the list of each backup. There may be half
// a million list entries for a few thousand files.
using JsFiles = std::unordered_map<std::string_view, Napi::Value>;
Napi::Value ToJs(Napi::Env env, const BackupDescription& description, bool details, JsFiles* known);

// { files, bytesFree, databaseId }
Napi::Value ToJs(Napi::Env env, const BackupPlan& plan);

}  // namespace rocksdb_backup
