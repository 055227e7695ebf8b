#pragma once

#include <memory>
#include <string>

#include "rocksdb/db.h"
#include "rocksdb/env.h"

namespace rocksdb_backup {

// RocksDB writes the options of every open into a new OPTIONS file, which programs may take theirs from when they open
// the database next. Who opens one of which he does not know the options, a command line for instance, opens it so:

// The default storage, but OPTIONS files do not come and do not go.
std::shared_ptr<rocksdb::Env> KeptOptionsEnv();

// RocksDB lists the OPTIONS file that it believes to have written: here the newest that is there takes its place among
// the live files, for backups and checkpoints.
std::unique_ptr<rocksdb::DB> WithKeptOptions(std::unique_ptr<rocksdb::DB> db);

}  // namespace rocksdb_backup
