#pragma once

#include <memory>
#include <string>

#include "core/operation.h"
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
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;

 private:
  const std::shared_ptr<Operation> operation_;
  const Count count_;
  FileObserver* const observer_;
};

// What a stopped operation's file system answers.
rocksdb::IOStatus StoppedStatus();

}  // namespace rocksdb_backup
