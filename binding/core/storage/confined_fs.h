#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// The file system through which a BackupEngine sees a repository, so that no content of the repository can do harm, no
// matter who wrote it. Links in the repository do not make it read, write or delete anything outside. Only plain files
// are opened, because opening a FIFO would block the BackupEngine for ever. A problem with one backup does not count as
// a failure of the whole repository. The repository itself may be reached by links.
class ConfinedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  ConfinedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::string backup_dir);

  // Set it while a BackupEngine is opened to read or to create. What cannot be read at the moment (a meta file, the
  // directory of one backup, or a directory that backups share) then counts as damage of the backups that need it, and
  // the other backups can be used. Do not set it for an operation that deletes files which no readable backup refers
  // to, because such an operation may be forced to delete. Do not set it for the work on the one backup that follows
  // either: a file is not damaged just because it could not be looked at.
  void SpareTheOthers(bool spare) { spares_others_ = spare; }

  // `text` is what the BackupEngine says about a backup. If it calls a file missing that could not be looked at,
  // returns the reason why it could not. Empty otherwise.
  std::string WhyUnseen(const std::string& text) const;
  void ForgetUnseen();

  // Meta files that must not be read, by backup id, with the reason. A read of such a meta file fails as if it were
  // damaged.
  void SetUnreadable(std::map<uint32_t, std::string> metas);

  static const char* kClassName() { return "ConfinedFileSystem"; }
  const char* Name() const override { return kClassName(); }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileSize(const std::string& path, const rocksdb::IOOptions& options, uint64_t* size,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* children, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildrenFileAttributes(const std::string& path, const rocksdb::IOOptions& options,
                                              std::vector<rocksdb::FileAttributes>* children,
                                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  bool IsWithin(const std::string& real) const;
  // Checks the directory that a path lies in. The disk is asked only once for each directory.
  rocksdb::IOStatus CheckParent(const std::string& path);
  // Checks a path that is about to be read.
  rocksdb::IOStatus CheckFile(const std::string& path);
  rocksdb::IOStatus CheckDirectory(const std::string& path);
  // Whether the path is the directory or the meta file of one backup. No other backup depends on it.
  bool IsOneBackups(const std::string& clean) const;
  rocksdb::IOStatus OfOneBackup(const std::string& path, rocksdb::IOStatus status) const;
  bool IsShared(const std::string& clean) const;
  void NoteUnseen(const std::string& path, const rocksdb::IOStatus& status);

  const std::string backup_dir_;
  const std::string meta_;
  const std::string private_;
  std::atomic<bool> spares_others_{false};
  mutable std::mutex mutex_;
  std::map<std::string, std::string> unreadable_;  // by path
  std::map<std::string, std::string> unseen_;      // by path: the reason why it could not be looked at
  std::unordered_set<std::string> within_;         // directories that are known to lie inside
};

}  // namespace rocksdb_backup
