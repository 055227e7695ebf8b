#pragma once

#include <string>
#include <string_view>

namespace rocksdb_backup {

// The keys of a repository in an object store, beside those that a repository on a disk has as paths. So a plain copy
// of the objects to a disk is a repository there.

// Shows that a repository is here, also while it has no backup.
inline constexpr char kRepositoryMark[] = "rocksdb-backup.repository";
// Below it lie the leases.
inline constexpr char kLeases[] = "rocksdb-backup.leases/";
// So do the names of the state begin, and below that lies what a probe writes.
inline constexpr char kState[] = "rocksdb-backup.state";
inline constexpr char kProbe[] = "rocksdb-backup.probe/";

// Where a repository lies in the file system of its objects.
inline constexpr char kStoreRoot[] = "/rocksdb-backup.store";
// The key of a path in that file system: without slashes at its ends, and with single ones in it.
std::string KeyOf(const std::string& root, const std::string& path);

// The name that a file of a backup had in the database: `000007.sst` of `shared_checksum/000007_s3AB_1040.sst`.
std::string NameInDatabase(const std::string& key);

// Below it lies the archive: the kArchiveDirectory of core/storage/archive_files.h. Its keys come after those of all
// other objects of the repository.
inline constexpr char kArchivePrefix[] = "wal/";

// Whether a key is one that a repository gives to its objects.
bool IsOfRepository(std::string_view key);

// Whether it is the key of a file of a backup, or of its record. Not that of a meta file.
bool IsFileOfBackup(const std::string& key);

// If this is the key of a temporary file of the BackupEngine, such as `shared_checksum/.000007_s3AB_1040.sst.tmp`, or
// of a copy of backups, such as `private/1/.MANIFEST-000004.copy`, the key that the file gets when it is complete.
// Empty otherwise.
std::string FinalKeyOf(const std::string& key);

}  // namespace rocksdb_backup
