#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "core/backup/backup_create.h"
#include "core/repository/backup_repository.h"
#include "core/restore/backup_restore.h"
#include "napi/runtime/js_callback.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// The options of the methods of BackupEngine, as lib passes them.

struct OpenEngineOptions {
  BackupRepository::Options repository;
  JsCallback info_log;        // the handle that opened the engine keeps it
  std::string info_log_path;  // opened with the engine, because reading options changes nothing on the disk
};

void ReadOpenEngineOptions(Napi::Env env, Napi::Value value, OpenEngineOptions* options);
void ReadCreateOptions(Napi::Env env, Napi::Value value, CreateRequest* request, JsCallback* exclude_files);
void ReadRestoreOptions(Napi::Env env, Napi::Value value, RestoreRequest* request);

uint32_t BackupIdArgument(Napi::Env env, Napi::Value value);
// Reads an object with one boolean option: `{ force: true }`, `{ checksum: true }`.
bool ReadFlag(Napi::Env env, const char* what, const char* name, Napi::Value value);

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
