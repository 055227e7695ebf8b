#include "core/backup/tolerant_fs.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// A bad sector inside a meta file counts as damage of that one backup, too.
class MetaFile : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  MetaFile(std::unique_ptr<rocksdb::FSSequentialFile> target, std::string path)
      : FSSequentialFileOwnerWrapper(std::move(target)), path_(std::move(path)) {}

  IOStatus Read(size_t n, const IOOptions& options, rocksdb::Slice* result, char* scratch,
                IODebugContext* debug) override {
    IOStatus status = FSSequentialFileOwnerWrapper::Read(n, options, result, scratch, debug);
    return status.ok() ? status : IOStatus::Corruption(path_ + " cannot be read", Worded(status));
  }

 private:
  const std::string path_;
};

}  // namespace

TolerantFileSystem::TolerantFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::string root,
                                       Tolerance tolerance)
    : FileSystemWrapper(base), root_(std::move(root)), tolerance_(tolerance) {}

void TolerantFileSystem::SetUnreadable(std::map<uint32_t, std::string> metas) {
  const std::lock_guard lock(mutex_);
  unreadable_.clear();
  for (auto& [id, reason] : metas) {
    unreadable_[MetaPath(root_, id)] = std::move(reason);
  }
}

bool TolerantFileSystem::IsOneBackups(const std::string& clean) const {
  const std::string parent = ParentOf(clean);
  return (parent == PrivateDirectory(root_) || parent == MetaDirectory(root_)) && AllDigits(NameOf(clean));
}

// If a BackupEngine cannot read the directory or the meta file of one backup, it does not open at all, unless the error
// says that this is damage. Then only that backup cannot be used.
IOStatus TolerantFileSystem::OfOneBackup(const std::string& path, IOStatus status) const {
  if (!tolerates() || status.ok() || status.IsNotFound() || status.IsPathNotFound() || status.IsCorruption() ||
      !IsOneBackups(CleanPath(path))) {
    return status;
  }
  return IOStatus::Corruption(Worded(status));
}

void TolerantFileSystem::NoteUnseen(const std::string& path, const IOStatus& status) {
  if ((status.IsIOError() && !status.IsPathNotFound()) || status.IsCorruption()) {
    const std::lock_guard lock(mutex_);
    unseen_.emplace(CleanPath(path), Worded(status));
  }
}

void TolerantFileSystem::ForgetUnseen() {
  const std::lock_guard lock(mutex_);
  unseen_.clear();
}

std::string TolerantFileSystem::WhyUnseen(const std::string& text) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [path, why] : unseen_) {
    const size_t at = text.find(path);
    const size_t end = at + path.size();
    if (at != std::string::npos && (end == text.size() || text[end] == '/' || text[end] == ' ') &&
        text.find(why) == std::string::npos) {
      return why;
    }
  }
  return "";
}

IOStatus TolerantFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                               std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                               IODebugContext* debug) {
  const std::string clean = CleanPath(path);
  if (!IsOneBackups(clean)) {
    return FileSystemWrapper::NewSequentialFile(path, options, file, debug);
  }
  {
    const std::lock_guard lock(mutex_);
    if (const auto unreadable = unreadable_.find(clean); unreadable != unreadable_.end()) {
      return IOStatus::Corruption(unreadable->second);
    }
  }
  uint64_t size = 0;
  if (FileSystemWrapper::GetFileSize(path, IOOptions(), &size, debug).ok() && size > kMaxMetaBytes) {
    return IOStatus::Corruption(path + " has " + std::to_string(size) + " bytes, more than any backup's");
  }
  IOStatus status = OfOneBackup(path, FileSystemWrapper::NewSequentialFile(path, options, file, debug));
  if (status.ok() && tolerates()) {
    *file = std::make_unique<MetaFile>(std::move(*file), path);
  }
  return status;
}

IOStatus TolerantFileSystem::FileExists(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  return OfOneBackup(path, FileSystemWrapper::FileExists(path, options, debug));
}

IOStatus TolerantFileSystem::GetChildren(const std::string& path, const IOOptions& options,
                                         std::vector<std::string>* children, IODebugContext* debug) {
  const std::string clean = CleanPath(path);
  IOStatus status = FileSystemWrapper::GetChildren(path, options, children, debug);
  if (tolerates() && status.IsIOError() && IsSharedDirectory(root_, clean)) {
    // This concerns only the backups that have files there.
    NoteUnseen(path, status);
    children->clear();
    return IOStatus::OK();
  }
  // For names such as `7.tmp`, the BackupEngine's clean-up reads the number before `.tmp` and deletes the files of the
  // backup with that number. So only plain numbers are listed.
  if (status.ok() && clean == PrivateDirectory(root_)) {
    std::erase_if(*children, [](const std::string& name) { return !IsPrivateName(name); });
  }
  return OfOneBackup(path, std::move(status));
}

IOStatus TolerantFileSystem::GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
                                                       std::vector<rocksdb::FileAttributes>* children,
                                                       IODebugContext* debug) {
  std::vector<std::string> names;
  IOStatus status = GetChildren(path, options, &names, debug);
  children->clear();
  for (auto& name : names) {
    if (!status.ok()) {
      break;
    }
    const std::string child = path + "/" + name;
    uint64_t size = 0;
    // A name without a size, such as a link that leads in a circle, counts as missing for the backups that refer to it.
    // It does not end the whole listing.
    if (const IOStatus sized = FileSystemWrapper::GetFileSize(child, options, &size, debug); sized.ok()) {
      children->push_back({std::move(name), size});
    } else {
      NoteUnseen(child, sized);
    }
  }
  return status;
}

}  // namespace rocksdb_backup
