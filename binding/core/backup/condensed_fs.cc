#include "core/backup/condensed_fs.h"

#include <algorithm>
#include <utility>

#include "core/base/paths.h"
#include "core/storage/text_file.h"

namespace rocksdb_backup {
namespace {

using rocksdb::FileAttributes;
using rocksdb::FileOptions;
using rocksdb::FSSequentialFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class CondensedFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  CondensedFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, std::string backup_dir,
                      std::shared_ptr<const DirectoryPicture> picture, const std::vector<uint32_t>& shown,
                      Others others)
      : FileSystemWrapper(base),
        backup_dir_(std::move(backup_dir)),
        picture_(std::move(picture)),
        others_(picture_, shown),
        show_others_(others) {
    if (others == Others::kAsOne && !others_.ids().empty()) {
      meta_of_others_ = MetaPath(backup_dir_, others_.ids().back());
    }
  }

  const char* Name() const override { return "CondensedFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions& options,
                             std::unique_ptr<FSSequentialFile>* file, IODebugContext* debug) override {
    if (!meta_of_others_.empty() && CleanPath(path) == meta_of_others_) {
      *file = std::make_unique<TextFile>(others_.MetaOfAll());
      return IOStatus::OK();
    }
    return FileSystemWrapper::NewSequentialFile(path, options, file, debug);
  }

  IOStatus GetChildren(const std::string& path, const IOOptions& options, std::vector<std::string>* children,
                       IODebugContext* debug) override {
    IOStatus status = FileSystemWrapper::GetChildren(path, options, children, debug);
    const std::string clean = CleanPath(path);
    if (clean == MetaDirectory(backup_dir_) || clean == PrivateDirectory(backup_dir_)) {
      std::erase_if(*children, [this](const std::string& name) { return IsHidden(name); });
    }
    return status;
  }

  // The BackupEngine asks for these sizes while it is opened, so the picture is only a moment old.
  IOStatus GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
                                     std::vector<FileAttributes>* children, IODebugContext* debug) override {
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

  IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    const std::string clean = CleanPath(path);
    if (IsInside(clean, backup_dir_) && others_.Has(clean.substr(backup_dir_.size() + 1))) {
      return IOStatus::Aborted("kept, because a backup has it: " + path);
    }
    return FileSystemWrapper::DeleteFile(path, options, debug);
  }

 private:
  bool IsHidden(const std::string& name) const {
    const std::vector<uint32_t>& ids = others_.ids();
    const uint32_t id = BackupIdOf(name);
    return id != 0 && std::binary_search(ids.begin(), ids.end(), id) &&
           (show_others_ == Others::kNothing || id != ids.back());
  }

  const std::string backup_dir_;
  const std::shared_ptr<const DirectoryPicture> picture_;
  const DirectoryPicture::Remainder others_;
  const Others show_others_;
  std::string meta_of_others_;  // path of the meta file that stands for the others
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> Condensed(const std::shared_ptr<rocksdb::FileSystem>& base,
                                               const std::string& backup_dir,
                                               std::shared_ptr<const DirectoryPicture> picture,
                                               const std::vector<uint32_t>& shown, Others others) {
  return std::make_shared<CondensedFileSystem>(base, backup_dir, std::move(picture), shown, others);
}

}  // namespace rocksdb_backup
