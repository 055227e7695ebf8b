#pragma once

#include <string>

#include "core/base/error.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Makes a directory and all missing directories above it.
Error CreateDirectories(const std::string& path);

// Corrects the status of an access to a path: listing a directory, opening a file, or asking whether a file exists.
// RocksDB's own file system says "not found" if the process has no right to look. All files in such a directory would
// then count as missing. This function returns an I/O error in that case. If rights are missing, the error names the
// path's owner and mode, and the user of this process.
enum class Wanted { kToRead, kToWrite };
rocksdb::IOStatus Looked(const std::string& path, rocksdb::IOStatus status, Wanted wanted = Wanted::kToRead);

// The reason why this process may not read a path, or may not write there: the part of the path that denies it, that
// part's owner and its mode. Empty if access is allowed.
std::string Denial(const std::string& path, Wanted wanted = Wanted::kToRead);

}  // namespace rocksdb_backup
