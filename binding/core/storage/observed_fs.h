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

// Sees the engine decide about a file of its destination, before it acts.
class FileObserver {
 public:
  virtual ~FileObserver() = default;
  virtual void OnFound(const std::string& path) = 0;   // it exists already
  virtual void OnCreate(const std::string& path) = 0;  // it is about to be written
};

// The file system an operation runs on: counts its bytes and ends it. The engine has no progress for restore and verify
// and cannot stop them, and its own StopBackup poisons the object it is called on; through here all three behave alike.
//
// After a stop or a failure, whatever would move data fails with Incomplete. Listing, deleting and renaming go on,
// because the engine uses them to clean up.
class ObservedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  // Which bytes are the operation's progress: those written here, those read here, or none (the other end counts).
  enum class Count { kNothing, kReads, kWrites };

  ObservedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::shared_ptr<Operation> operation,
                     Count count, FileObserver* observer = nullptr);

  // A file that is to be read to its end has this many bytes. The engine takes an early end for the end, and would make
  // a backup of what it got.
  void ExpectSize(const std::string& path, uint64_t size);
  // What is written from now on need not outlive a power cut.
  void SpareSyncs() { spares_syncs_ = true; }
  // The first thing that could not be listed, opened or read, other than because it is not there. The engine passes
  // over some of these, and calls missing what it did not see.
  rocksdb::IOStatus failure() const;
  void ForgetFailure();

  static const char* kClassName() { return "ObservedFileSystem"; }
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

 private:
  // Shared with the files, which may outlive the file system.
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
  std::atomic<bool> spares_syncs_{false};
  std::mutex mutex_;
  std::unordered_map<std::string, uint64_t> expected_sizes_;
};

// Syncs a directory: the names in it are there after a power cut. RocksDB's own word of a failure names no directory.
rocksdb::IOStatus SyncNames(rocksdb::FileSystem& storage, const std::string& directory);

// What a stopped operation's file system answers.
rocksdb::IOStatus StoppedStatus();

}  // namespace rocksdb_backup
