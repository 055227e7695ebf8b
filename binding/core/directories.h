#pragma once

#include <string>

#include "core/error.h"

namespace rocksdb_backup {

// Makes a directory and whatever is missing above it.
Error CreateDirectories(const std::string& path);

}  // namespace rocksdb_backup
