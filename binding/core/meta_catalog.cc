#include "core/meta_catalog.h"

#include <algorithm>
#include <utility>

#include "core/checksum.h"
#include "core/paths.h"

namespace rocksdb_backup {

using rocksdb::FileAttributes;
using rocksdb::FileOptions;
using rocksdb::FSSequentialFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

constexpr size_t kLongestLine = 16 << 10;  // of a file's; names are 255 bytes at most

}  // namespace

// Passes a meta on to the engine and notes the files in it:
//   [schema_version …]  time  sequence number  [field value]…  number of files  name[ field value]…  [// FOOTER …]
class MetaCatalog::MetaReader : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  MetaReader(std::unique_ptr<FSSequentialFile> target, MetaCatalog* catalog, uint32_t id)
      : FSSequentialFileOwnerWrapper(std::move(target)), catalog_(catalog), id_(id) {
    catalog_->noted_[id_].clear();
  }
  ~MetaReader() override { catalog_->read_[id_] = {size_, checksum_.Value()}; }
  MetaReader(const MetaReader&) = delete;
  MetaReader& operator=(const MetaReader&) = delete;

  IOStatus Read(size_t n, const IOOptions& options, Slice* result, char* scratch, IODebugContext* debug) override {
    IOStatus status = FSSequentialFileOwnerWrapper::Read(n, options, result, scratch, debug);
    if (status.ok()) {
      size_ += result->size();
      checksum_.Add({result->data(), result->size()});
    }
    if (status.ok() && catalog_->noting_ && part_ != Part::kEnd) {
      Take({result->data(), result->size()});
    }
    return status;
  }

 private:
  enum class Part { kFirst, kTime, kSequence, kFields, kFiles, kEnd };

  void Take(std::string_view text) {
    while (!text.empty() && part_ != Part::kEnd) {
      const size_t end = text.find('\n');
      std::string_view piece = text.substr(0, end);
      // How a line begins is all that is needed, but of a file's; metadata may be megabytes.
      piece = piece.substr(0, kLongestLine - std::min(kLongestLine, line_.size()));
      if (end == std::string_view::npos) {
        line_.append(piece);
        return;
      }
      if (line_.empty()) {
        Line(piece);
      } else {
        line_.append(piece);
        Line(line_);
        line_.clear();
      }
      text.remove_prefix(end + 1);
    }
  }

  void Line(std::string_view line) {
    switch (part_) {
      case Part::kFirst:
        part_ = line.substr(0, 15) == "schema_version " ? Part::kTime : Part::kSequence;
        break;
      case Part::kTime:
        part_ = Part::kSequence;
        break;
      case Part::kSequence:
        part_ = Part::kFields;
        break;
      case Part::kFields:
        if (!line.empty() && line.front() >= '0' && line.front() <= '9') {
          part_ = Part::kFiles;
        }
        break;
      default:
        FileLine(line);
    }
  }

  void FileLine(std::string_view line) {
    if (line == "// FOOTER") {
      part_ = Part::kEnd;
      return;
    }
    if (line.find(" ni::excluded true") != std::string_view::npos) {
      return;
    }
    const std::string_view name = line.substr(0, line.find(' '));
    const auto listed = catalog_->sizes_.find(std::string(name));
    if (listed == catalog_->sizes_.end()) {
      part_ = Part::kEnd;  // not as the engine will have it: then there is a file too few
      return;
    }
    catalog_->noted_[id_].push_back(catalog_->NumberOf(name, listed->second));
  }

  MetaCatalog* const catalog_;
  const uint32_t id_;
  uint64_t size_ = 0;
  Checksum checksum_;
  Part part_ = Part::kFirst;
  std::string line_;  // as far as it has been read
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
