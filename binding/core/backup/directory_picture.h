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

// A repository as it was at one moment. It tells what a BackupEngine finds out by reading every meta file when it is
// opened, but it needs no BackupEngine. A picture exists only of a repository in which nothing is unusual: every meta
// file is as BackupEngines write it, every file that a meta file names exists, and no two meta files disagree. For any
// other repository, only the BackupEngine itself can tell what is in it.
//
// A picture never changes.
class DirectoryPicture {
 public:
  using FileNumber = uint32_t;

  // What is kept of a meta file that was read. The file numbers refer to the names in the picture.
  struct Meta {
    struct File {
      FileNumber number = 0;
      uint32_t checksum = 0;
      bool has_checksum = false;
      bool operator==(const File&) const = default;
    };
    bool operator==(const Meta&) const = default;
    uint64_t bytes = 0;     // size of the meta file
    uint32_t checksum = 0;  // checksum of the meta file
    int64_t timestamp = 0;
    std::string app_metadata;
    std::vector<File> files;
    std::vector<std::pair<FileNumber, uint64_t>> sizes;  // the files whose size the meta file says
    std::vector<std::string> excluded;
  };
  // What the record beside a backup says about its meta file.
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
    BackupOrigin origin;                                          // from the record, or else from its files
    std::vector<std::pair<std::string, uint64_t>> private_files;  // names and sizes, in its private directory
  };
  // The files in the directories `shared` and `shared_checksum`: names relative to the repository, and sizes.
  using SharedFiles = std::vector<std::pair<std::string, uint64_t>>;
  // The names of files by number. The code that reads meta files keeps them; a picture copies what it needs.
  struct Names {
    std::vector<std::shared_ptr<const std::string>> names;
    std::unordered_map<std::string_view, FileNumber> numbers;
    FileNumber NumberOf(std::string_view name);
  };

  // Null if no BackupEngine would have written this meta file for this backup.
  static std::shared_ptr<Meta> Read(uint32_t id, const BackupMeta& parsed, Names* names);
  // `backups` are in ascending order of ids. Null if a BackupEngine has to look.
  static std::shared_ptr<const DirectoryPicture> Make(const Names& names, std::vector<Backup> backups,
                                                      SharedFiles shared_files);

  // Whether a picture of these would be the same. If `records` is false, what the records say is not compared.
  bool IsOf(const std::vector<Backup>& backups, const SharedFiles& shared_files, bool records) const;

  // The ids, oldest first.
  const std::vector<uint32_t>& ids() const { return ids_; }
  bool Has(uint32_t id) const { return Find(id) != nullptr; }
  BackupDescription Describe(uint32_t id, bool details) const;
  // How many backups have this file.
  uint32_t UsesOf(const std::string& name) const;
  // Whether every meta file is as it was written, as far as there are records to tell.
  bool AsWritten() const;

  // What remains of a picture without some of its backups.
  class Remainder {
   public:
    Remainder(std::shared_ptr<const DirectoryPicture> picture, const std::vector<uint32_t>& without);
    const std::vector<uint32_t>& ids() const { return ids_; }
    // Whether a remaining backup has this file.
    bool Has(const std::string& name) const;
    // The text of a meta file that has all shared files of all remaining backups, and the private files of the latest
    // one.
    std::string MetaOfAll() const;

   private:
    const std::shared_ptr<const DirectoryPicture> picture_;
    std::vector<uint32_t> ids_;
    std::vector<uint32_t> uses_;  // by number
  };

  const SharedFiles& shared_files() const { return shared_files_; }
  const std::vector<Backup>& backups() const { return backups_; }
  // How many different files all backups have together.
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
  bool Compose(const Names& names);
  bool Take(const Backup& backup, const Names& names, std::vector<uint32_t>* taken_by);

  std::vector<uint32_t> ids_;
  std::vector<Backup> backups_;
  SharedFiles shared_files_;
  std::vector<File> files_;  // by number
  std::unordered_map<std::string_view, FileNumber> numbers_;
};

}  // namespace rocksdb_backup
