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

// A backup directory as an engine may see it, whoever has written it: nothing outside of it is read, written or deleted
// by way of links in it, nothing that is no plain file is opened (a FIFO would hold up the engine for ever), and what
// is wrong with one backup is not taken for a failure of all. The directory itself may be reached by links.
class ConfinedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  ConfinedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::string backup_dir);

  // For opening an engine to read or to create: what cannot be read for now, a meta, a directory of one backup or one
  // that backups share, is as damage of the backups that need it, and the others can be used. Not for whoever deletes
  // what no readable backup has, which may be told to do so by force, and not for what is done to the one backup then:
  // what could not be looked at is not damaged for that.
  void SpareTheOthers(bool spare) { spares_others_ = spare; }

  // Why what the engine says of a backup is so, where it calls missing what could not be looked at. Empty if it is not.
  std::string WhyUnseen(const std::string& text) const;
  void ForgetUnseen();

  // Metas that are not worth reading, with the reason: for who reads them they are damaged.
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
  // Of the directory that a path lies in, which is asked of the disk once.
  rocksdb::IOStatus CheckParent(const std::string& path);
  // Of a path that is about to be read.
  rocksdb::IOStatus CheckFile(const std::string& path);
  rocksdb::IOStatus CheckDirectory(const std::string& path);
  // One backup's directory or meta file, of which nothing else hangs.
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
  std::map<std::string, std::string> unseen_;      // by path: why it could not be looked at
  std::unordered_set<std::string> within_;         // directories that were found to lie inside
};

}  // namespace rocksdb_backup
