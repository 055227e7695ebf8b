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

// Which files each backup has, noted while the engine reads the meta files through this file system. The engine itself
// tells that only together with an Env for opening the backup in place, which it makes for each backup and keeps: a
// third of the time of a listing.
//
// What is noted counts for nothing until Confirm() finds that it is what the engine has read. Where it is not (an
// engine that reads its metas otherwise, a meta that no engine writes), whoever asks takes the engine's own list:
// Replace().
//
// For one thread at a time, as the opening of an engine is.
class MetaCatalog : public rocksdb::FileSystemWrapper {
 public:
  struct File {
    std::string name;         // relative to the backup directory
    uint64_t size = 0;        // on the disk
    uint32_t uses = 0;        // how many of the backups confirmed or replaced have it
    bool well_named = false;  // as engines name files; over others they throw
  };
  using FileNumber = uint32_t;
  using Numbers = std::vector<FileNumber>;

  MetaCatalog(const std::shared_ptr<rocksdb::FileSystem>& base, std::string backup_dir);

  // Notes from now on, and forgets what was noted before; until End().
  void Begin();
  void End();
  // Whether it is sure which files the backup has, and all are named so that the engine does not throw over them.
  bool Confirm(const rocksdb::BackupInfo& info);
  // What the engine says of a backup, with details.
  void Replace(const rocksdb::BackupInfo& info);
  // Of a backup that was confirmed or replaced; null for others.
  const Numbers* FilesOf(uint32_t id) const;
  const File& file(FileNumber number) const { return files_[number]; }
  // Whether the engine has read a meta of this size and checksum. If not, it may have given up in the middle.
  bool HasRead(uint32_t id, uint64_t size, uint32_t checksum) const;

  static bool IsShared(const std::string& name) { return name.compare(0, 8, "private/") != 0; }

  static const char* kClassName() { return "MetaCatalog"; }
  const char* Name() const override { return kClassName(); }
  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildrenFileAttributes(const std::string& path, const rocksdb::IOOptions& options,
                                              std::vector<rocksdb::FileAttributes>* children,
                                              rocksdb::IODebugContext* debug) override;

 private:
  class MetaReader;

  // The number of a file; new where it has none.
  FileNumber NumberOf(std::string_view name, uint64_t size);
  void Use(const Numbers& numbers);

  const std::string prefix_;  // the backup directory with a slash
  bool noting_ = false;
  std::unordered_map<std::string, uint64_t> sizes_;  // of files in the backup directory, as listed
  std::deque<File> files_;                           // by number; names stay where they are
  std::unordered_map<std::string_view, FileNumber> numbers_;
  struct Bytes {
    uint64_t count = 0;
    uint32_t checksum = 0;
  };
  std::map<uint32_t, Bytes> read_;         // by backup: of its meta
  std::map<uint32_t, Numbers> noted_;      // by backup: what its meta says
  std::map<uint32_t, Numbers> confirmed_;  // and what is sure
};

}  // namespace rocksdb_backup
