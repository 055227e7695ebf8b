#include "core/backup/meta_catalog.h"

#include <algorithm>
#include <utility>

#include "core/backup/meta_file.h"
#include "core/base/checksum.h"
#include "core/base/paths.h"

namespace rocksdb_backup {

using rocksdb::FileAttributes;
using rocksdb::FileOptions;
using rocksdb::FSSequentialFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

constexpr size_t kMostNoted = size_t{8} << 20;  // of a meta file; for a longer one, the BackupEngine lists the files

}  // namespace

// Passes a meta file on to the BackupEngine and notes the files in it.
class MetaCatalog::MetaReader : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  MetaReader(std::unique_ptr<FSSequentialFile> target, MetaCatalog* catalog, uint32_t id)
      : FSSequentialFileOwnerWrapper(std::move(target)), catalog_(catalog), id_(id) {
    catalog_->noted_[id_].clear();
  }
  ~MetaReader() override {
    catalog_->read_[id_] = {size_, checksum_.Value()};
    if (catalog_->noting_ && text_.size() == size_) {
      Note();
    }
  }
  MetaReader(const MetaReader&) = delete;
  MetaReader& operator=(const MetaReader&) = delete;

  IOStatus Read(size_t n, const IOOptions& options, Slice* result, char* scratch, IODebugContext* debug) override {
    IOStatus status = FSSequentialFileOwnerWrapper::Read(n, options, result, scratch, debug);
    if (status.ok()) {
      if (text_.size() == size_ && size_ + result->size() <= kMostNoted) {
        text_.append(result->data(), result->size());
      }
      size_ += result->size();
      checksum_.Add({result->data(), result->size()});
    }
    return status;
  }

 private:
  void Note() {
    const BackupMeta meta = ParseMeta(text_);
    if (!meta.plain) {
      return;
    }
    for (const auto& entry : meta.entries) {
      if (entry.excluded) {
        continue;
      }
      const auto listed = catalog_->sizes_.find(std::string(entry.name));
      if (listed == catalog_->sizes_.end()) {
        return;  // the BackupEngine will not have it either; Confirm() finds a file too few
      }
      catalog_->noted_[id_].push_back(catalog_->NumberOf(entry.name, listed->second));
    }
  }

  MetaCatalog* const catalog_;
  const uint32_t id_;
  uint64_t size_ = 0;
  Checksum checksum_;
  std::string text_;  // what has been read so far
};

MetaCatalog::MetaCatalog(const std::shared_ptr<rocksdb::FileSystem>& base, std::string backup_dir)
    : FileSystemWrapper(base), prefix_(CleanPath(backup_dir) + "/") {}

void MetaCatalog::Begin() {
  noting_ = true;
  sizes_.clear();
  numbers_.clear();
  files_.clear();
  read_.clear();
  noted_.clear();
  confirmed_.clear();
}

void MetaCatalog::End() {
  noting_ = false;
  sizes_.clear();
}

IOStatus MetaCatalog::NewSequentialFile(const std::string& path, const FileOptions& options,
                                        std::unique_ptr<FSSequentialFile>* file, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewSequentialFile(path, options, file, debug);
  if (noting_ && status.ok()) {
    const std::string clean = CleanPath(path);
    if (const uint32_t id = BackupIdOf(NameOf(clean)); id != 0 && ParentOf(clean) == prefix_ + "meta") {
      *file = std::make_unique<MetaReader>(std::move(*file), this, id);
    }
  }
  return status;
}

IOStatus MetaCatalog::GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
                                                std::vector<FileAttributes>* children, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::GetChildrenFileAttributes(path, options, children, debug);
  if (noting_ && status.ok()) {
    const std::string clean = CleanPath(path) + "/";
    if (clean.compare(0, prefix_.size(), prefix_) == 0) {
      for (const auto& child : *children) {
        sizes_.emplace(clean.substr(prefix_.size()) + child.name, child.size_bytes);
      }
    }
  }
  return status;
}

MetaCatalog::FileNumber MetaCatalog::NumberOf(std::string_view name, uint64_t size) {
  if (const auto found = numbers_.find(name); found != numbers_.end()) {
    return found->second;
  }
  const auto number = static_cast<FileNumber>(files_.size());
  File& file = files_.emplace_back();
  file.name = name;
  file.size = size;
  file.well_named = !DatabaseFileName(file.name).empty();
  numbers_.emplace(file.name, number);
  return number;
}

void MetaCatalog::Use(const Numbers& numbers) {
  for (const FileNumber number : numbers) {
    ++files_[number].uses;
  }
}

bool MetaCatalog::Confirm(const rocksdb::BackupInfo& info) {
  const auto noted = noted_.find(info.backup_id);
  if (noted == noted_.end() || noted->second.size() != info.number_files) {
    return false;
  }
  uint64_t size = 0;
  for (const FileNumber number : noted->second) {
    if (!files_[number].well_named) {
      return false;
    }
    size += files_[number].size;
  }
  if (size != info.size) {
    return false;
  }
  Use(noted->second);
  confirmed_.emplace(info.backup_id, std::move(noted->second));
  noted_.erase(noted);
  return true;
}

void MetaCatalog::Replace(const rocksdb::BackupInfo& info) {
  Numbers numbers;
  numbers.reserve(info.file_details.size());
  for (const auto& detail : info.file_details) {
    numbers.push_back(NumberOf(detail.relative_filename, detail.size));
    files_[numbers.back()].size = detail.size;
  }
  Use(numbers);
  confirmed_[info.backup_id] = std::move(numbers);
}

const MetaCatalog::Numbers* MetaCatalog::FilesOf(uint32_t id) const {
  const auto found = confirmed_.find(id);
  return found != confirmed_.end() ? &found->second : nullptr;
}

bool MetaCatalog::HasRead(uint32_t id, uint64_t size, uint32_t checksum) const {
  const auto found = read_.find(id);
  return found != read_.end() && found->second.count == size && found->second.checksum == checksum;
}

}  // namespace rocksdb_backup
