#pragma once

#include <memory>

#include "rocksdb/db.h"

namespace rocksdb_backup {

// RocksDB's functions that open a database fill a raw pointer in old versions and a unique_ptr in new versions.
// `opener` is called with the type that it accepts.
//
//     OpenInto(&db, [&](auto* out) -> decltype(DB::Open(options, path, out)) { return DB::Open(options, path, out); });
template <typename Opener>
rocksdb::Status OpenInto(std::unique_ptr<rocksdb::DB>* db, Opener opener) {
  if constexpr (requires { opener(db); }) {
    return opener(db);
  } else {
    rocksdb::DB* opened = nullptr;
    rocksdb::Status status = opener(&opened);
    db->reset(opened);
    return status;
  }
}

}  // namespace rocksdb_backup
