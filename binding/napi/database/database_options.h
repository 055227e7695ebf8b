#pragma once

#include <string>

#include "core/database/database_options.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// The options of Database.open, and of one column family: lib/database/database-options.ts says what each means.
DatabaseOptions DatabaseOptionsOf(Napi::Env env, Napi::Value value);

// What `value` says, over what `base` says.
FamilyOptions FamilyOptionsOf(Napi::Env env, Napi::Value value, const FamilyOptions& base);

// Throws over the empty name: RocksDB makes such a family, and has lost what is in it when the database is opened
// again.
void CheckNewFamilyName(Napi::Env env, const std::string& name);

}  // namespace rocksdb_backup
