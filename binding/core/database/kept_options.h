#pragma once

#include <memory>
#include <string>

#include "rocksdb/db.h"
#include "rocksdb/env.h"

namespace rocksdb_backup {

// RocksDB writes the options of every open into a new OPTIONS file. Other programs may take their options from that
// file when they open the database next. So a program that does not know a database's options, such as a command line,
// opens it with the two functions below, which keep the OPTIONS file as it is.

// A file system, except that OPTIONS files are neither added nor removed.
std::shared_ptr<rocksdb::Env> KeptOptionsEnv(const std::shared_ptr<rocksdb::FileSystem>& files);

// Corrects the list of live files, for backups and checkpoints. RocksDB lists the OPTIONS file that it believes it has
// written; the list is changed to name the newest OPTIONS file that exists.
std::unique_ptr<rocksdb::DB> WithKeptOptions(std::unique_ptr<rocksdb::DB> db);

}  // namespace rocksdb_backup
