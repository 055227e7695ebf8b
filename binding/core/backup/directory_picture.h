#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/backup/backup_origin.h"

namespace rocksdb_backup {

struct BackupDescription;
struct BackupMeta;

// A directory of backups as it was at one moment: what an engine that is opened on it finds out by reading every meta
// file, known without an engine. There is one only of directories in which nothing is out of the ordinary: every meta
// is as engines write them, every file that one names is there, no two disagree. What to make of any other directory
// only the engine itself can tell.
//
// It never changes.
class DirectoryPicture {
 public:
  using FileNumber = uint32_t;

  // What is kept of a meta file that was read; the numbers are of the names in the picture.
  struct Meta {
    struct File {
      FileNumber number = 0;
      uint32_t checksum = 0;
      bool has_checksum = false;
      bool operator==(const File&) const = default;
    };
    bool operator==(const Meta&) const = default;
    uint64_t bytes = 0;     // its own size
    uint32_t checksum = 0;  // and checksum
    int64_t timestamp = 0;
    std::string app_metadata;
    std::vector<File> files;
    std::vector<std::pair<FileNumber, uint64_t>> sizes;  // of the files whose size it says
    std::vector<std::string> excluded;
  };
  // What the record beside a backup says of its meta.
  struct WrittenMeta {
    uint64_t bytes = 0;
    uint32_t checksum = 0;
    bool operator==(const WrittenMeta&) const = default;
  };
  struct Backup {
    uint32_t id = 0;
    std::shared_ptr<const Meta> meta;
    std::optional<WrittenMeta> written;
    uint64_t record_bytes = 0;
    BackupOrigin origin;                                          // by the record, or else by its files
    std::vector<std::pair<std::string, uint64_t>> private_files;  // names and sizes, in its own directory
  };
  // Of the files of the directories `shared` and `shared_checksum`: relative to the backup directory, with sizes.
  using SharedFiles = std::vector<std::pair<std::string, uint64_t>>;
  // The names of files by number. Kept by whoever reads metas; a picture copies what it needs.
  struct Names {
    std::vector<std::shared_ptr<const std::string>> names;
    std::unordered_map<std::string_view, FileNumber> numbers;
    FileNumber NumberOf(std::string_view name);
  };

  // Null where no engine would have written this for this backup.
  static std::shared_ptr<Meta> Read(uint32_t id, const BackupMeta& parsed, Names* names);
  // Backups in ascending order of ids. Null where an engine has to look.
  static std::shared_ptr<const DirectoryPicture> Make(const Names& names, std::vector<Backup> backups,
                                                      SharedFiles shared_files);

  // Whether a picture of these would be the same; with what the records say, or whatever they say.
  bool IsOf(const std::vector<Backup>& backups, const SharedFiles& shared_files, bool records) const;

  // Oldest first.
  const std::vector<uint32_t>& ids() const { return ids_; }
  bool Has(uint32_t id) const { return Find(id) != nullptr; }
  BackupDescription Describe(uint32_t id, bool details) const;
  // How many backups have this file.
  uint32_t UsesOf(const std::string& name) const;
  // Whether every meta is as it was written, as far as records tell.
  bool AsWritten() const;

  // A picture as it remains without some of its backups.
  class Remainder {
   public:
    Remainder(std::shared_ptr<const DirectoryPicture> picture, const std::vector<uint32_t>& without);
    const std::vector<uint32_t>& ids() const { return ids_; }
    // Whether a backup that remains has this file.
    bool Has(const std::string& name) const;
    // The text of a meta file that has all shared files of all that remain, and the files of the latest itself.
    std::string MetaOfAll() const;

   private:
    const std::shared_ptr<const DirectoryPicture> picture_;
    std::vector<uint32_t> ids_;
    std::vector<uint32_t> uses_;  // by number
  };

  const SharedFiles& shared_files() const { return shared_files_; }
  const std::vector<Backup>& backups() const { return backups_; }
  // How many different files all backups have.
  size_t number_of_files() const { return numbers_.size(); }

 private:
  struct File {
    std::shared_ptr<const std::string> name;
    uint64_t size = 0;
    uint32_t uses = 0;
    uint32_t checksum = 0;
    bool has_checksum = false;
    bool listed = false;
    bool shared = false;
    bool is_log = false;
  };

  DirectoryPicture() = default;
  const Backup* Find(uint32_t id) const;
  const File* FindFile(const std::string& name) const;
  bool Compose(const Names& names);
  bool Take(const Backup& backup, const Names& names, std::vector<uint32_t>* taken_by);

  std::vector<uint32_t> ids_;
  std::vector<Backup> backups_;
  SharedFiles shared_files_;
  std::vector<File> files_;  // by number
  std::unordered_map<std::string_view, FileNumber> numbers_;
};

}  // namespace rocksdb_backup
