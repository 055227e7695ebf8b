#pragma once

#include <memory>
#include <string_view>

#include "core/storage/storage.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// A Storage for JS (lib/storage/storage.ts): its names, its small files and the lock of the state.
Napi::Value WrapStorage(Napi::Env env, std::shared_ptr<Storage> storage);

// The storage that an argument means: a path of this machine, or a Storage.
std::shared_ptr<Storage> StorageArgument(Napi::Env env, Napi::Value value, std::string_view name);

// Defines openStorage(location) and tryLockDirectory(path).
void RegisterStorage(Napi::Env env, Napi::Object exports);

}  // namespace rocksdb_backup
