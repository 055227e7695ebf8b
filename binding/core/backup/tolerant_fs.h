#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// How a BackupEngine sees what cannot be read of a repository.
enum class Tolerance {
  // As it is: opening the BackupEngine fails. For an operation that deletes files which no readable backup refers to,
  // because such an operation may be forced to delete. And for the work on one backup: its file is not damaged just
  // because it could not be looked at.
  kNone,
  // As damage of the backups that need it: a meta file, the directory of one backup, or a directory that backups share.
  // The other backups can be used. For opening a BackupEngine to read or to create.
  kOtherBackups,
};

// The file system through which a BackupEngine sees a repository, so that a problem with one backup is not a failure of
// the whole repository, and so that the BackupEngine's clean-up deletes nothing of a backup that exists.
class TolerantFileSystem : public rocksdb::FileSystemWrapper {
 public:
  TolerantFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::string root, Tolerance tolerance);

  void SetTolerance(Tolerance tolerance) { tolerance_ = tolerance; }

  // `text` is what the BackupEngine says about a backup. If it calls a file missing that could not be looked at,
  // returns the reason why it could not. Empty otherwise.
  std::string WhyUnseen(const std::string& text) const;
  void ForgetUnseen();

  // Meta files that must not be read, by backup id, with the reason. A read of such a meta file fails as if it were
  // damaged.
  void SetUnreadable(std::map<uint32_t, std::string> metas);

  const char* Name() const override { return "TolerantFileSystem"; }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* children, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildrenFileAttributes(const std::string& path, const rocksdb::IOOptions& options,
                                              std::vector<rocksdb::FileAttributes>* children,
                                              rocksdb::IODebugContext* debug) override;

 private:
  bool tolerates() const { return tolerance_ == Tolerance::kOtherBackups; }
  // Whether the path is the directory or the meta file of one backup. No other backup depends on it.
  bool IsOneBackups(const std::string& clean) const;
  rocksdb::IOStatus OfOneBackup(const std::string& path, rocksdb::IOStatus status) const;
  void NoteUnseen(const std::string& path, const rocksdb::IOStatus& status);

  const std::string root_;
  std::atomic<Tolerance> tolerance_;
  mutable std::mutex mutex_;                       // guards all members below
  std::map<std::string, std::string> unreadable_;  // by path
  std::map<std::string, std::string> unseen_;      // by path: the reason why it could not be looked at
};

}  // namespace rocksdb_backup
