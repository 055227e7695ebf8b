#include "core/backup/protected_fs.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/backup/observed_fs.h"
#include "core/base/paths.h"

namespace rocksdb_backup {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

ProtectedFileSystem::ProtectedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base,
                                         std::shared_ptr<Operation> operation, std::string backup_dir)
    : FileSystemWrapper(base), operation_(std::move(operation)), backup_dir_(std::move(backup_dir)) {}

// Keeps what is written to it.
class ProtectedFileSystem::MetaWriter : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  MetaWriter(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<std::string> text)
      : FSWritableFileOwnerWrapper(std::move(file)), text_(std::move(text)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return Kept(data, FSWritableFileOwnerWrapper::Append(data, options, debug));
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* debug) override {
    return Kept(data, FSWritableFileOwnerWrapper::Append(data, options, info, debug));
  }

 private:
  IOStatus Kept(const rocksdb::Slice& data, IOStatus status) {
    if (status.ok()) {
      text_->append(data.data(), data.size());
    }
    return status;
  }

  const std::shared_ptr<std::string> text_;
};

void ProtectedFileSystem::Guard(uint32_t new_id, bool protect, bool sync) {
  meta_path_ = CleanPath(MetaPath(backup_dir_, new_id));
  private_path_ = CleanPath(PrivatePath(backup_dir_, new_id));
  protect_ = protect;
  sync_ = sync;
}

bool ProtectedFileSystem::MayDelete(const std::string& path) {
  if (!protect_) {
    return true;
  }
  const std::string clean = CleanPath(path);
  if (clean == private_path_ || clean == meta_path_ || IsInside(clean, private_path_)) {
    return true;
  }
  const std::lock_guard lock(mutex_);
  return ours_.contains(clean);
}

IOStatus ProtectedFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                              std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  if (protect_) {
    const std::lock_guard lock(mutex_);
    ours_.insert(CleanPath(path));
  }
  IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
  const std::string clean = CleanPath(path);
  if (status.ok() && IsInside(clean, CleanPath(MetaDirectory(backup_dir_)))) {
    const std::lock_guard lock(mutex_);
    const auto text = metas_[clean] = std::make_shared<std::string>();
    *file = std::make_unique<MetaWriter>(std::move(*file), text);
  }
  return status;
}

IOStatus ProtectedFileSystem::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  return MayDelete(path) ? FileSystemWrapper::DeleteFile(path, options, debug)
                         : IOStatus::Aborted("kept, because an unreadable backup may need it: " + path);
}

IOStatus ProtectedFileSystem::DeleteDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  return MayDelete(path) ? FileSystemWrapper::DeleteDir(path, options, debug)
                         : IOStatus::Aborted("kept, because an unreadable backup may need it: " + path);
}

IOStatus ProtectedFileSystem::HaveSameContents(const std::string& a, const std::string& b, bool* same) {
  constexpr size_t kBuffer = 1 << 20;
  struct Side {
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    std::unique_ptr<char[]> buffer = std::make_unique<char[]>(kBuffer);
    rocksdb::Slice read;
  };
  Side sides[2];
  *same = false;
  uint64_t sizes[2] = {};
  const std::string* paths[2] = {&a, &b};
  for (int i = 0; i < 2; ++i) {
    IOStatus status = FileSystemWrapper::GetFileSize(*paths[i], IOOptions(), &sizes[i], nullptr);
    if (status.ok()) {
      status = FileSystemWrapper::NewSequentialFile(*paths[i], FileOptions(), &sides[i].file, nullptr);
    }
    if (!status.ok()) {
      return status;
    }
  }
  if (sizes[0] != sizes[1]) {
    return IOStatus::OK();
  }
  for (;;) {
    if (operation_->ended()) {
      return StoppedStatus();
    }
    for (auto& side : sides) {
      IOStatus status = side.file->Read(kBuffer, IOOptions(), &side.read, side.buffer.get(), nullptr);
      if (!status.ok()) {
        return status;
      }
    }
    if (sides[0].read != sides[1].read) {
      return IOStatus::OK();
    }
    if (sides[0].read.empty()) {
      *same = true;
      return IOStatus::OK();
    }
  }
}

IOStatus ProtectedFileSystem::SyncFiles() {
  std::vector<std::string> directories = {private_path_, PrivateDirectory(backup_dir_)};
  for (const char* part : kSharedParts) {
    directories.push_back(backup_dir_ + "/" + part);
  }
  directories.push_back(backup_dir_);
  for (const std::string& directory : directories) {
    // Not every repository has both directories for shared files. The slash asks for a directory, as the BackupEngine
    // does.
    if (FileSystemWrapper::FileExists(directory + "/", IOOptions(), nullptr).IsNotFound()) {
      continue;
    }
    if (IOStatus status = SyncNames(*target(), directory); !status.ok()) {
      return status;
    }
  }
  return IOStatus::OK();
}

IOStatus ProtectedFileSystem::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                         IODebugContext* debug) {
  const std::string target = CleanPath(to);
  if (target == meta_path_) {
    if (IOStatus status = sync_ ? SyncFiles() : IOStatus::OK(); !status.ok()) {
      return status;
    }
    if (!operation_->Commit()) {
      return StoppedStatus();
    }
  } else if (protect_ && FileSystemWrapper::FileExists(to, options, debug).ok()) {
    bool same = false;
    if (IOStatus status = HaveSameContents(from, to, &same); !status.ok()) {
      return status;
    }
    if (!same) {
      return IOStatus::Aborted("not replaced, because an unreadable backup may need it: " + to);
    }
    return FileSystemWrapper::DeleteFile(from, options, debug);  // the same contents are there already
  }
  IOStatus status = FileSystemWrapper::RenameFile(from, to, options, debug);
  const std::lock_guard lock(mutex_);
  if (status.ok() && protect_) {
    ours_.insert(target);
  }
  if (const auto meta = metas_.find(CleanPath(from)); status.ok() && target == meta_path_ && meta != metas_.end()) {
    written_meta_ = *meta->second;
  }
  return status;
}

}  // namespace rocksdb_backup
