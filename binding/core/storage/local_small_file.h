#pragma once

#include <optional>
#include <string>

#include "core/storage/directory_lock.h"
#include "core/storage/storage.h"

namespace rocksdb_backup {

// Storage::ReadSmall and Storage::ReplaceSmall for a file on a disk of this machine.
Error ReadLocalSmallFile(const std::string& path, std::optional<SmallFile>* read);
// The lock must come from DirectoryLock::AcquireSmallFiles.
Error ReplaceLocalSmallFile(const std::string& path, const std::optional<std::string>& version, const std::string& text,
                            const DirectoryLock& lock, std::string* new_version);

}  // namespace rocksdb_backup
