#include "core/storage/confined_fs.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/paths.h"
#include "core/storage/directories.h"

namespace rocksdb_backup {
namespace {

namespace fs = std::filesystem;
using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// Enough for two million lines of a meta file; app metadata has at most one MiB. The limit exists because lines are
// read whole.
constexpr uint64_t kMaxMeta = uint64_t{256} << 20;

IOStatus Outside(const std::string& path) {
  return IOStatus::Corruption(path + " leads out of the backup directory by a link, and is not followed");
}

}  // namespace

ConfinedFileSystem::ConfinedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::string backup_dir)
    : FileSystemWrapper(base),
      backup_dir_(std::move(backup_dir)),
      meta_(backup_dir_ + "/meta"),
      private_(backup_dir_ + "/private") {}

void ConfinedFileSystem::SetUnreadable(std::map<uint32_t, std::string> metas) {
  const std::lock_guard lock(mutex_);
  unreadable_.clear();
  for (auto& [id, reason] : metas) {
    unreadable_[MetaPath(backup_dir_, id)] = std::move(reason);
  }
}

bool ConfinedFileSystem::IsWithin(const std::string& real) const {
  std::error_code error;
  const fs::path directory = fs::canonical(backup_dir_, error);
  return !error && (real == directory || IsInside(real, directory.string()));
}

// A path that does not exist, or that lies on a storage which is not a file system of this machine, leads nowhere and
// passes.
IOStatus ConfinedFileSystem::CheckDirectory(const std::string& path) {
  const std::string clean = CleanPath(path);
  {
    const std::lock_guard lock(mutex_);
    if (within_.contains(clean)) {
      return IOStatus::OK();
    }
  }
  std::error_code error;
  const fs::path real = fs::canonical(clean, error);
  if (error == std::errc::too_many_symbolic_link_levels) {
    return IOStatus::Corruption(clean + " is a link in a circle");
  }
  if (error) {
    return IOStatus::OK();
  }
  if (!IsWithin(real.string())) {
    return Outside(clean);
  }
  if (!fs::is_directory(real, error) && !error) {
    return IOStatus::Corruption(clean + " is no directory");
  }
  const std::lock_guard lock(mutex_);
  within_.insert(clean);
  return IOStatus::OK();
}

IOStatus ConfinedFileSystem::CheckParent(const std::string& path) { return CheckDirectory(ParentOf(CleanPath(path))); }

IOStatus ConfinedFileSystem::CheckFile(const std::string& path) {
  if (IOStatus status = CheckParent(path); !status.ok()) {
    return status;
  }
  std::error_code error;
  const fs::file_status link = fs::symlink_status(path, error);
  if (fs::is_symlink(link)) {
    const fs::path real = fs::canonical(path, error);
    if (!error && !IsWithin(real.string())) {
      return Outside(path);
    }
  }
  const fs::file_type type = fs::is_symlink(link) ? fs::status(path, error).type() : link.type();
  switch (type) {
    case fs::file_type::directory:
      return IOStatus::Corruption(path + " is a directory");
    case fs::file_type::fifo:
    case fs::file_type::socket:
    case fs::file_type::character:
    case fs::file_type::block:
      return IOStatus::Corruption(path + " is no plain file");
    default:
      return IOStatus::OK();
  }
}

bool ConfinedFileSystem::IsOneBackups(const std::string& clean) const {
  const std::string parent = ParentOf(clean);
  return (parent == private_ || parent == meta_) && AllDigits(NameOf(clean));
}

// If a BackupEngine cannot read the directory or the meta file of one backup, it does not open at all, unless the error
// says that this is damage. Then only that backup cannot be used.
IOStatus ConfinedFileSystem::OfOneBackup(const std::string& path, IOStatus status) const {
  if (!spares_others_ || status.ok() || status.IsNotFound() || status.IsPathNotFound() || status.IsCorruption() ||
      !IsOneBackups(CleanPath(path))) {
    return status;
  }
  return IOStatus::Corruption(Worded(status));
}

bool ConfinedFileSystem::IsShared(const std::string& clean) const {
  return clean == backup_dir_ + "/shared" || clean == backup_dir_ + "/shared_checksum";
}

void ConfinedFileSystem::NoteUnseen(const std::string& path, const IOStatus& status) {
  if (status.IsIOError() && !status.IsPathNotFound()) {
    const std::lock_guard lock(mutex_);
    unseen_.emplace(CleanPath(path), Worded(status));
  }
}

void ConfinedFileSystem::ForgetUnseen() {
  const std::lock_guard lock(mutex_);
  unseen_.clear();
}

std::string ConfinedFileSystem::WhyUnseen(const std::string& text) const {
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

namespace {

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

IOStatus ConfinedFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                               std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                               IODebugContext* debug) {
  if (IOStatus status = CheckFile(path); !status.ok()) {
    return status;
  }
  const std::string clean = CleanPath(path);
  const bool meta = IsOneBackups(clean);
  if (meta) {
    std::error_code error;
    if (fs::is_symlink(fs::symlink_status(clean, error)) && !fs::exists(clean, error)) {
      return IOStatus::Corruption(path + " is a link that leads nowhere");
    }
    const std::lock_guard lock(mutex_);
    if (const auto unreadable = unreadable_.find(clean); unreadable != unreadable_.end()) {
      return IOStatus::Corruption(unreadable->second);
    }
  }
  uint64_t size = 0;
  if (meta && FileSystemWrapper::GetFileSize(path, IOOptions(), &size, debug).ok() && size > kMaxMeta) {
    return IOStatus::Corruption(path + " has " + std::to_string(size) + " bytes, more than any backup's");
  }
  IOStatus status = OfOneBackup(path, Looked(path, FileSystemWrapper::NewSequentialFile(path, options, file, debug)));
  if (status.ok() && meta && spares_others_) {
    *file = std::make_unique<MetaFile>(std::move(*file), path);
  }
  return status;
}

IOStatus ConfinedFileSystem::NewRandomAccessFile(const std::string& path, const FileOptions& options,
                                                 std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                                 IODebugContext* debug) {
  IOStatus status = CheckFile(path);
  return status.ok() ? Looked(path, FileSystemWrapper::NewRandomAccessFile(path, options, file, debug)) : status;
}

IOStatus ConfinedFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                             std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  if (IOStatus status = CheckParent(path); !status.ok()) {
    return status;
  }
  std::error_code error;
  if (const fs::file_status there = fs::symlink_status(path, error); fs::exists(there) && !fs::is_regular_file(there)) {
    return IOStatus::IOError("in the way of a file that is to be written there, remove it: " + path);
  }
  return FileSystemWrapper::NewWritableFile(path, options, file, debug);
}

IOStatus ConfinedFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                          std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext* debug) {
  IOStatus status = CheckDirectory(path);
  return status.ok() ? Looked(path, FileSystemWrapper::NewDirectory(path, options, directory, debug)) : status;
}

IOStatus ConfinedFileSystem::FileExists(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  return OfOneBackup(path, Looked(path, FileSystemWrapper::FileExists(path, options, debug)));
}

IOStatus ConfinedFileSystem::GetFileSize(const std::string& path, const IOOptions& options, uint64_t* size,
                                         IODebugContext* debug) {
  IOStatus status = CheckFile(path);
  return status.ok() ? Looked(path, FileSystemWrapper::GetFileSize(path, options, size, debug)) : status;
}

IOStatus ConfinedFileSystem::GetChildren(const std::string& path, const IOOptions& options,
                                         std::vector<std::string>* children, IODebugContext* debug) {
  IOStatus status = CheckDirectory(path);
  if (status.ok()) {
    status = Looked(path, FileSystemWrapper::GetChildren(path, options, children, debug));
    if (spares_others_ && status.IsIOError() && IsShared(CleanPath(path))) {
      // This concerns only the backups that have files there.
      NoteUnseen(path, status);
      children->clear();
      return IOStatus::OK();
    }
    status = OfOneBackup(path, std::move(status));
  }
  // For names such as `7.tmp`, the BackupEngine's clean-up reads the number before `.tmp` and deletes the files of the
  // backup with that number. So only plain numbers are listed.
  if (status.ok() && CleanPath(path) == private_) {
    std::erase_if(*children, [](const std::string& name) { return !AllDigits(name) || name.front() == '0'; });
  }
  return status;
}

IOStatus ConfinedFileSystem::GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
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
    if (const IOStatus sized = Looked(child, FileSystemWrapper::GetFileSize(child, options, &size, debug));
        sized.ok()) {
      children->push_back({std::move(name), size});
    } else {
      NoteUnseen(child, sized);
    }
  }
  return status;
}

IOStatus ConfinedFileSystem::CreateDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = CheckParent(path);
  return status.ok() ? FileSystemWrapper::CreateDir(path, options, debug) : status;
}

IOStatus ConfinedFileSystem::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = CheckParent(path);
  return status.ok() ? FileSystemWrapper::DeleteFile(path, options, debug) : status;
}

IOStatus ConfinedFileSystem::DeleteDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = CheckParent(path);
  return status.ok() ? FileSystemWrapper::DeleteDir(path, options, debug) : status;
}

IOStatus ConfinedFileSystem::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                        IODebugContext* debug) {
  for (const std::string* path : {&from, &to}) {
    if (IOStatus status = CheckParent(*path); !status.ok()) {
      return status;
    }
  }
  return FileSystemWrapper::RenameFile(from, to, options, debug);
}

}  // namespace rocksdb_backup
