#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rocksdb_backup {

// The path without double and trailing slashes and without `.` and `..`. Works on the text only, without looking at the
// disk.
std::string CleanPath(const std::string& path);

// The absolute path that a name leads to. Links are followed as far as the path exists; the rest is taken as written.
std::string RealPath(const std::string& path);

// Whether `path` lies below `directory`. Both must be clean paths.
bool IsInside(const std::string& path, const std::string& directory);

std::string ParentOf(const std::string& clean_path);
std::string NameOf(const std::string& clean_path);

bool AllDigits(std::string_view text);

// The parts of a repository: the directory of meta files, that of the backups' own files, and the two in which backups
// share files. RocksDB gives the names.
std::string MetaDirectory(const std::string& root);
std::string PrivateDirectory(const std::string& root);
inline constexpr const char* kSharedParts[] = {"shared", "shared_checksum"};
// Whether a clean path is a directory in which backups share files.
bool IsSharedDirectory(const std::string& root, const std::string& clean_path);
// Whether a clean path is one of the parts, or lies in one.
bool IsInRepositoryPart(const std::string& root, const std::string& clean_path);

// The largest meta file or record that is read: two million files. The limit exists because lines are read whole.
inline constexpr uint64_t kMaxMetaBytes = uint64_t{256} << 20;

// The paths of the backup `id` in the repository at `backup_dir`.
std::string MetaPath(const std::string& backup_dir, uint32_t id);
std::string PrivatePath(const std::string& backup_dir, uint32_t id);
// The path of the backup's meta file, relative to the repository.
std::string MetaName(uint32_t id);

// Whether a meta file gets its name from this one when it is complete: `.7.tmp`.
bool IsTemporaryMetaName(const std::string& name);
// Whether this is the directory of one backup's own files in PrivateDirectory().
bool IsPrivateName(const std::string& name);

// The id of the backup whose meta file has this name. Returns 0 if the name is not a valid backup id.
uint32_t BackupIdOf(const std::string& name);

// Whether RocksDB makes files with this name in a database's directory. A restore replaces these files and leaves all
// others alone.
bool IsDatabaseFileName(const std::string& name);
bool IsWalFileName(const std::string& name);

// The name that a backup's file has in the database: `shared_checksum/000007_s3AB_1040.sst` becomes `000007.sst`. Empty
// if the name does not follow RocksDB's naming scheme: RocksDB would throw an exception over such a name during a
// restore.
std::string DatabaseFileName(const std::string& backup_relative_path);

// The size that RocksDB put into the name of a shared file, such as `000007_s3AB_1040.sst` or `000007_<crc>_1040.sst`.
// kNoSizeInName if the name has no size.
uint64_t SizeInName(const std::string& backup_relative_path);
inline constexpr uint64_t kNoSizeInName = UINT64_MAX;

// A number of bytes for messages, in units that people read.
std::string HumanBytes(uint64_t bytes);

}  // namespace rocksdb_backup
