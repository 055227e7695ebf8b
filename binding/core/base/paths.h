#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rocksdb_backup {

// A path without doubled and trailing slashes and without `.` and `..`, as text: nothing on the disk is asked.
std::string CleanPath(const std::string& path);

// The absolute path a name leads to: links are followed as far as the path exists, the rest is taken as written.
std::string RealPath(const std::string& path);

// Whether `path` lies below `directory`. Both clean.
bool IsInside(const std::string& path, const std::string& directory);

std::string ParentOf(const std::string& clean_path);
std::string NameOf(const std::string& clean_path);

bool AllDigits(std::string_view text);

// Of the backup with this id in a backup directory.
std::string MetaPath(const std::string& backup_dir, uint32_t id);
std::string PrivatePath(const std::string& backup_dir, uint32_t id);
// Its meta file, relative to the backup directory.
std::string MetaName(uint32_t id);

// The id of the backup whose meta file has this name, or 0: what the engine takes for no id is none.
uint32_t BackupIdOf(const std::string& name);

// Whether RocksDB makes files of this name in a database's directory. A restore replaces these and leaves all others.
bool IsDatabaseFileName(const std::string& name);
bool IsWalFileName(const std::string& name);

// The database's name of a file in a backup: `shared_checksum/000007_s3AB_1040.sst` is `000007.sst`. Empty where a name
// follows no scheme of the engine's: the engine would throw over it while restoring.
std::string DatabaseFileName(const std::string& backup_relative_path);

// The size the engine put into the name of a shared file, `000007_s3AB_1040.sst` or `000007_<crc>_1040.sst`, or
// kNoSizeInName.
uint64_t SizeInName(const std::string& backup_relative_path);
inline constexpr uint64_t kNoSizeInName = UINT64_MAX;

// For messages: bytes in human units.
std::string HumanBytes(uint64_t bytes);

}  // namespace rocksdb_backup
