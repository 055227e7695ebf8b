#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rocksdb/file_system.h"
#include "rocksdb/utilities/backup_engine.h"

namespace rocksdb_backup {

// Notes which files each backup has, while the BackupEngine reads the meta files through this file system. The
// BackupEngine itself lists the files only together with an Env for opening the backup in place. It makes and keeps
// such an Env for each backup, which takes a third of the time of a listing.
//
// The notes do not count until Confirm() finds that the BackupEngine has read the same. If it has not (a BackupEngine
// that reads its meta files in another way, or a meta file that no BackupEngine writes), the caller passes the
// BackupEngine's own list: Replace().
//
// Only one thread at a time may use it, as with the opening of a BackupEngine.
class MetaCatalog : public rocksdb::FileSystemWrapper {
 public:
  struct File {
    std::string name;         // relative to the repository
    uint64_t size = 0;        // on the disk
    uint32_t uses = 0;        // how many of the confirmed or replaced backups have the file
    bool well_named = false;  // named as BackupEngines name files; other names make them throw
  };
  using FileNumber = uint32_t;
  using Numbers = std::vector<FileNumber>;

  MetaCatalog(const std::shared_ptr<rocksdb::FileSystem>& base, std::string backup_dir);

  // Forgets earlier notes, and takes notes from now on until End().
  void Begin();
  void End();
  // Whether it is certain which files the backup has, and the BackupEngine does not throw an exception over any of
  // their names.
  bool Confirm(const rocksdb::BackupInfo& info);
  // Takes what the BackupEngine says about a backup, with details.
  void Replace(const rocksdb::BackupInfo& info);
  // The files of a backup that was confirmed or replaced. Null for other backups.
  const Numbers* FilesOf(uint32_t id) const;
  const File& file(FileNumber number) const { return files_[number]; }
  // Whether the BackupEngine has read a meta file of this size and checksum. If not, it may have stopped in the middle.
  bool HasRead(uint32_t id, uint64_t size, uint32_t checksum) const;

  static bool IsShared(const std::string& name) { return name.compare(0, 8, "private/") != 0; }

  const char* Name() const override { return "MetaCatalog"; }
  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildrenFileAttributes(const std::string& path, const rocksdb::IOOptions& options,
                                              std::vector<rocksdb::FileAttributes>* children,
                                              rocksdb::IODebugContext* debug) override;

 private:
  class MetaReader;

  // The number of a file. A file that has no number gets a new one.
  FileNumber NumberOf(std::string_view name, uint64_t size);
  void Use(const Numbers& numbers);

  const std::string prefix_;  // path of the repository, with a slash
  bool noting_ = false;
  std::unordered_map<std::string, uint64_t> sizes_;  // of files in the repository, as listed
  std::deque<File> files_;                           // by number; a deque, so that the names do not move
  std::unordered_map<std::string_view, FileNumber> numbers_;
  struct Bytes {
    uint64_t count = 0;
    uint32_t checksum = 0;
  };
  std::map<uint32_t, Bytes> read_;         // by backup: what was read of its meta file
  std::map<uint32_t, Numbers> noted_;      // by backup: what its meta file says
  std::map<uint32_t, Numbers> confirmed_;  // by backup: what is certain
};

}  // namespace rocksdb_backup
