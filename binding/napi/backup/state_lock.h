#pragma once

#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// Defines tryLockState(location), for lib/manager/state.ts.
void RegisterStateLock(Napi::Env env, Napi::Object exports);

}  // namespace rocksdb_backup
