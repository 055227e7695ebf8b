#pragma once

#include <memory>

#include "core/storage/storage.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// A Storage for JS (lib/storage/storage.ts): its names, its small files and the lock of the state.
Napi::Value WrapStorage(Napi::Env env, std::shared_ptr<Storage> storage);

// Defines openStorage(location) and tryLockDirectory(path).
void RegisterStorage(Napi::Env env, Napi::Object exports);

}  // namespace rocksdb_backup
