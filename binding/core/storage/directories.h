#pragma once

#include <string>

#include "core/base/error.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Makes a directory and whatever is missing above it.
Error CreateDirectories(const std::string& path);

// How looking at a path ended: listing a directory, opening a file, asking whether something is there. RocksDB's own
// storage says "not found" of what it may not look at: then all that is in it would be missing. Here that is an I/O
// error, and one for lack of rights says whose the path is, its mode, and who asks.
enum class Wanted { kToRead, kToWrite };
rocksdb::IOStatus Looked(const std::string& path, rocksdb::IOStatus status, Wanted wanted = Wanted::kToRead);

// Why this process may not read a path, or write there: which part of it denies that, whose that is, and its mode.
// Empty where it may.
std::string Denial(const std::string& path, Wanted wanted = Wanted::kToRead);

}  // namespace rocksdb_backup
