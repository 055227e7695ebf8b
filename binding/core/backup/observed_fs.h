#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/operation.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// Is told what the BackupEngine is about to do with a file of its destination, before it does it.
class FileObserver {
 public:
  virtual ~FileObserver() = default;
  virtual void OnFound(const std::string& path) = 0;   // the file exists already
  virtual void OnCreate(const std::string& path) = 0;  // the file is about to be written
};

// The file system that an operation runs on. It counts the operation's bytes, and it can end the operation. RocksDB's
// BackupEngine reports no progress of a restore or a verify and cannot stop them. Its own StopBackup makes its object
// unusable. With this file system, create, restore and verify all report progress and stop in the same way.
//
// After a stop or a failure, every call that would move data fails with Incomplete. Listing, deleting and renaming
// still work, because the BackupEngine needs them to clean up.
class ObservedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  // Which bytes count as the operation's progress: those written here, those read here, or none (because another file
  // system of the operation counts them).
  enum class Count { kNothing, kReads, kWrites };

  ObservedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::shared_ptr<Operation> operation,
                     Count count, FileObserver* observer = nullptr);

  // The file will be read to its end and must have this many bytes. Without this check, the BackupEngine would take an
  // early end of the file for the normal end, and would make a backup of the part it got.
  void ExpectSize(const std::string& path, uint64_t size);
  // What is written from now on need not survive a power cut, so syncs are skipped.
  void SkipSyncs() { skips_syncs_ = true; }
  // The first failure to list, open or read anything, except that it does not exist. The BackupEngine ignores some of
  // these failures, and calls a file missing that it could not see.
  rocksdb::IOStatus failure() const;
  void ForgetFailure();

  const char* Name() const override { return "ObservedFileSystem"; }

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

 private:
  // Shared with the open files, which may outlive this file system.
  struct Failures {
    std::mutex mutex;
    rocksdb::IOStatus first;
    rocksdb::IOStatus Note(rocksdb::IOStatus status);
  };
  class SequentialFile;
  class Directory;

  const std::shared_ptr<Operation> operation_;
  const Count count_;
  FileObserver* const observer_;
  const std::shared_ptr<Failures> failures_ = std::make_shared<Failures>();
  std::atomic<bool> skips_syncs_{false};
  std::mutex mutex_;
  std::unordered_map<std::string, uint64_t> expected_sizes_;
};

// Syncs a directory, so that the names in it survive a power cut. The error names the directory, which RocksDB's own
// error does not.
rocksdb::IOStatus SyncNames(rocksdb::FileSystem& storage, const std::string& directory);

// The status that the file system of a stopped operation returns.
rocksdb::IOStatus StoppedStatus();

}  // namespace rocksdb_backup
