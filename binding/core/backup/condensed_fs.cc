#include "core/backup/condensed_fs.h"

#include <algorithm>
#include <utility>

#include "core/base/paths.h"
#include "core/storage/text_file.h"

namespace rocksdb_backup {

using rocksdb::FileAttributes;
using rocksdb::FileOptions;
using rocksdb::FSSequentialFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

CondensedFileSystem::CondensedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::string backup_dir,
                                         std::shared_ptr<const DirectoryPicture> picture,
                                         const std::vector<uint32_t>& shown, Others others)
    : FileSystemWrapper(base),
      backup_dir_(std::move(backup_dir)),
      picture_(std::move(picture)),
      others_(picture_, shown),
      show_others_(others) {
  if (others == Others::kAsOne && !others_.ids().empty()) {
    meta_of_others_ = MetaPath(backup_dir_, others_.ids().back());
  }
}

bool CondensedFileSystem::IsHidden(const std::string& name) const {
  const std::vector<uint32_t>& ids = others_.ids();
  const uint32_t id = BackupIdOf(name);
  return id != 0 && std::binary_search(ids.begin(), ids.end(), id) &&
         (show_others_ == Others::kNothing || id != ids.back());
}

IOStatus CondensedFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                                std::unique_ptr<FSSequentialFile>* file, IODebugContext* debug) {
  if (!meta_of_others_.empty() && CleanPath(path) == meta_of_others_) {
    *file = std::make_unique<TextFile>(others_.MetaOfAll());
    return IOStatus::OK();
  }
  return FileSystemWrapper::NewSequentialFile(path, options, file, debug);
}

IOStatus CondensedFileSystem::GetChildren(const std::string& path, const IOOptions& options,
                                          std::vector<std::string>* children, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::GetChildren(path, options, children, debug);
  const std::string clean = CleanPath(path);
  if (clean == MetaDirectory(backup_dir_) || clean == PrivateDirectory(backup_dir_)) {
    std::erase_if(*children, [this](const std::string& name) { return IsHidden(name); });
  }
  return status;
}

// The BackupEngine asks for these sizes while it is opened, so the picture is only a moment old.
IOStatus CondensedFileSystem::GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
                                                        std::vector<FileAttributes>* children, IODebugContext* debug) {
  const std::string clean = CleanPath(path);
  if (!IsSharedDirectory(backup_dir_, clean)) {
    return FileSystemWrapper::GetChildrenFileAttributes(path, options, children, debug);
  }
  const std::string prefix = NameOf(clean) + "/";
  children->clear();
  for (const auto& [name, size] : picture_->shared_files()) {
    if (name.compare(0, prefix.size(), prefix) == 0) {
      children->push_back({name.substr(prefix.size()), size});
    }
  }
  return IOStatus::OK();
}

IOStatus CondensedFileSystem::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  const std::string clean = CleanPath(path);
  if (IsInside(clean, backup_dir_) && others_.Has(clean.substr(backup_dir_.size() + 1))) {
    return IOStatus::Aborted("kept, because a backup has it: " + path);
  }
  return FileSystemWrapper::DeleteFile(path, options, debug);
}

}  // namespace rocksdb_backup
