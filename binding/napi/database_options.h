#pragma once

#include <string>

#include "core/database_options.h"
#include "napi/napi_setup.h"

namespace rocksdb_backup {

// The options of Database.open, and of one column family: lib/database-options.ts says what each means.
DatabaseOptions DatabaseOptionsOf(Napi::Env env, Napi::Value value);

// What `value` says, over what `base` says.
FamilyOptions FamilyOptionsOf(Napi::Env env, Napi::Value value, const FamilyOptions& base);

}  // namespace rocksdb_backup
