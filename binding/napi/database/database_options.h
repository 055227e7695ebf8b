#pragma once

#include <string>

#include "core/database/database_options.h"
#include "napi/runtime/napi_setup.h"

namespace rocksdb_backup {

// The options of Database.open, and of one column family. lib/database/database-options.ts says what each one means.
DatabaseOptions DatabaseOptionsOf(Napi::Env env, Napi::Value value);

// The options in `base`, changed by the options in `value`.
FamilyOptions FamilyOptionsOf(Napi::Env env, Napi::Value value, const FamilyOptions& base);

// Throws if the name is empty. RocksDB would make such a family, but its data is lost when the database is opened
// again.
void CheckNewFamilyName(Napi::Env env, const std::string& name);

}  // namespace rocksdb_backup
