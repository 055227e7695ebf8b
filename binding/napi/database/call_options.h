#pragma once

#include <memory>

#include "core/database/database.h"
#include "core/database/snapshot.h"
#include "napi/values/options.h"
#include "napi/values/values.h"
#include "rocksdb/options.h"

namespace rocksdb_backup {

// The options of a read: RocksDB's and ours.
struct ReadCall {
  rocksdb::ReadOptions options;
  Snapshot::Pin pin;  // what options.snapshot points to
  Encoding encoding = Encoding::kBuffer;
  const Database* snapshot_of = nullptr;
};

const OptionTable<ReadCall>& ReadTable();

// `value` as the options of a read. Getters in it may do anything: close the database, take away the memory of a key.
// So options are read first, and everything else after them.
ReadCall ReadCallOf(Napi::Env env, Napi::Value value);
// The snapshot, if there is one, must be of this database.
void CheckSnapshot(Napi::Env env, const ReadCall& call, const Database& database);

// The same of a write.
rocksdb::WriteOptions WriteOptionsOf(Napi::Env env, Napi::Value value);

}  // namespace rocksdb_backup
