#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace rocksdb_backup {

// What lies where a restore goes, and beside it: whose it is, what may be removed, and what can be moved.

// In the name of a directory that takes a target's place once it is whole.
inline constexpr char kStagedMark[] = ".restoring-";
// Behind that: the database that is in the target is kept. So what dies right after the exchange keeps it, too.
inline constexpr char kKeepMark[] = "keep-";
// Behind a staged directory's name: what it takes the place of.
inline constexpr char kReplacedMark[] = ".replaced";
// In a staged directory until it takes the target's place: all beside it is ours to remove. A directory, because the
// engine's restore begins with deleting every file.
inline constexpr char kStagedSign[] = ".rocksdb-backup-staged";

bool HasSign(const std::string& staged);
// Removes it, its sign last: what is left of it when that is interrupted is still seen to be ours.
void RemoveStaged(const std::string& staged);
// The staged directory that this one, which has its name and kReplacedMark, belongs to; else the directory itself. It
// is locked while its restore lives.
std::string StagedOf(const std::string& path);

// `lost+found` is the file system's own and says nothing about a directory's use.
Error ListNames(const std::string& directory, std::vector<std::string>* names);
// The same where the worst of not seeing a file is that it stays.
std::vector<std::string> NamesIn(const std::string& directory);

// A link to one is none.
bool IsDirectory(const std::string& path);

// The number in the name of a database's file; 0 where there is none.
uint64_t NumberIn(const std::string& name);

bool BelongsToDatabase(const std::string& directory, const std::string& name);
bool BelongsToLogs(const std::string& directory, const std::string& name);

// What works in a folder of its own below a database's directory must not see it vanish, as it would for a moment while
// two directories change places. `wal_inside`: the path in it of a directory for logs, or empty.
bool HasOthersFolder(const std::string& directory, const std::string& wal_inside);

// Whether it can only be filled, and not be replaced: a mount point, or in a directory that is not ours to write.
bool IsMountPointOrFixed(const std::string& directory);

// Puts each in the other's place in one step. False where the system cannot.
bool ExchangeNames(const std::string& a, const std::string& b);

// So that names in it outlive a power cut.
Error SyncDirectory(const std::string& path);
// The same of what is in a file.
Error SyncFile(const std::string& path);

// Removes what is the database's, in the logs' directory in it first, and then what is empty: never anybody else's
// file.
void RemoveDatabase(const std::string& directory, const std::string& wal_inside);

// Removes what is the database's in this directory, and the directory if it is empty then.
void RemoveDatabaseFiles(const std::string& directory);

// The directory, locked, or -1 where somebody else has the lock or there is no such directory. Where the file system
// has no such locks it is open and not locked.
int TryLockDirectory(const std::string& path, bool* locked = nullptr);
void UnlockDirectory(int fd);

// The beginning of a name that is made of `name` and must fit where `name` fits: cut short it ends in a number made of
// all of it, always the same one.
std::string Shortened(const std::string& name);

}  // namespace rocksdb_backup
