#pragma once

#include <memory>
#include <string>

#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// The files of a repository on a disk of this machine. No content of the repository can do harm, no matter who wrote
// it. Links in the repository do not make anything outside be read, written or deleted. Only plain files are opened,
// because opening a FIFO would block for ever. What this process may not look at does not count as missing. The
// repository itself may be reached by links.
//
// It remembers which directories lie inside, so each operation uses one of its own.
std::shared_ptr<rocksdb::FileSystem> LocalFiles(const std::shared_ptr<rocksdb::FileSystem>& base,
                                                const std::string& directory);

}  // namespace rocksdb_backup
