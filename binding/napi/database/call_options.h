#pragma once

#include <memory>

#include "core/database/database.h"
#include "core/database/snapshot.h"
#include "napi/values/options.h"
#include "napi/values/values.h"
#include "rocksdb/options.h"

namespace rocksdb_backup {

// The options of a read: RocksDB's own and ours.
struct ReadCall {
  rocksdb::ReadOptions options;
  Snapshot::Pin pin;  // the snapshot that options.snapshot points to
  Encoding encoding = Encoding::kBuffer;
  const Database* snapshot_of = nullptr;
};

const OptionTable<ReadCall>& ReadTable();

// Reads `value` as the options of a read. Getters in it may do anything, for example close the database or take away
// the memory of a key. So options are read before everything else.
ReadCall ReadCallOf(Napi::Env env, Napi::Value value);
// If there is a snapshot, it must belong to this database.
void CheckSnapshot(Napi::Env env, const ReadCall& call, const Database& database);

// Reads `value` as the options of a write; the same warning holds.
rocksdb::WriteOptions WriteOptionsOf(Napi::Env env, Napi::Value value);

}  // namespace rocksdb_backup
