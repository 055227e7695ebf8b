#pragma once

#include <optional>
#include <string>

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
// { diskCache: { directory, maxBytes } }
std::optional<DiskCache::Options> ReadOpenBackupOptions(Napi::Env env, Napi::Value value);
void ReadRestoreOptions(Napi::Env env, Napi::Value value, RestoreRequest* request);

uint32_t BackupIdArgument(Napi::Env env, Napi::Value value);
// Reads an object with one boolean option: `{ force: true }`, `{ checksum: true }`.
bool ReadFlag(Napi::Env env, const char* what, const char* name, Napi::Value value);

}  // namespace rocksdb_backup
