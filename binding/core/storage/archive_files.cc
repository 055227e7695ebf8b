#include "core/storage/archive_files.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

using rocksdb::IOStatus;

// A file that is being written. Nobody lists it.
constexpr std::string_view kTemporary = ".tmp-";

bool IsTemporary(const std::string& name) { return name.starts_with(kTemporary); }

class FileSystemArchive : public ArchiveFiles {
 public:
  FileSystemArchive(std::shared_ptr<rocksdb::FileSystem> files, std::string root)
      : files_(std::move(files)), root_(std::move(root)) {}

  Error List(const std::string& directory, std::vector<Listed>* files) override {
    files->clear();
    std::vector<std::string> directories;
    if (Error error = NamesIn(directory, &directories); !error.ok()) {
      return error;
    }
    for (const std::string& below : directories) {
      std::vector<std::string> names;
      if (Error error = NamesIn(directory + "/" + below, &names); !error.ok()) {
        return error;
      }
      for (const std::string& name : names) {
        const std::string path = directory + "/" + below + "/" + name;
        uint64_t size = 0;
        const IOStatus status = files_->GetFileSize(PathOf(path), {}, &size, nullptr);
        if (status.ok()) {
          files->push_back({path, size});
        } else if (!status.IsNotFound() && !status.IsPathNotFound()) {  // removed since
          return Failure(status, "looking at", path);
        }
      }
    }
    std::sort(files->begin(), files->end(), [](const Listed& a, const Listed& b) { return a.path < b.path; });
    return Error();
  }

  Error Read(const std::string& path, std::string* text) override {
    const IOStatus status = ReadFileToString(files_.get(), PathOf(path), text);
    if (!status.ok() && !IsThere(path)) {
      return Error("FILE_MISSING", PathOf(path) + " is not there").With("path", PathOf(path));
    }
    return Failure(status, "reading", path);
  }

  Error WriteNew(const std::string& path, std::shared_ptr<const std::string> text) override {
    const std::string whole = PathOf(path);
    const std::string directory = ParentOf(whole);
    if (Error error = MakeDirectories(ParentOf(path)); !error.ok()) {
      return error;
    }
    if (IsThere(path)) {
      return Exists(whole);
    }
    const std::string temporary = directory + "/" + std::string(kTemporary) + std::to_string(++last_) + NameOf(whole);
    IOStatus status = WriteStringToFile(files_.get(), *text, temporary, true);
    bool exists = false;
    if (status.ok()) {
      status = files_->LinkFile(temporary, whole, {}, nullptr);
      exists = !status.ok() && files_->FileExists(whole, {}, nullptr).ok();
    }
    files_->DeleteFile(temporary, {}, nullptr).PermitUncheckedError();
    if (exists) {
      return Exists(whole);
    }
    if (status.ok()) {
      status = SyncNamesIn(directory);
    }
    return Failure(status, "writing", path);
  }

  Error Remove(const std::vector<std::string>& paths) override {
    for (const std::string& path : paths) {
      if (const IOStatus status = files_->DeleteFile(PathOf(path), {}, nullptr);
          !status.ok() && !status.IsNotFound() && !status.IsPathNotFound() && IsThere(path)) {
        return Failure(status, "deleting", path);
      }
      files_->DeleteDir(ParentOf(PathOf(path)), {}, nullptr).PermitUncheckedError();  // unless it has more files
    }
    return Error();
  }

 private:
  std::string PathOf(const std::string& path) const { return root_ + "/" + path; }
  bool IsThere(const std::string& path) { return !files_->FileExists(PathOf(path), {}, nullptr).IsNotFound(); }

  static Error Exists(const std::string& whole) {
    return Error("FILE_EXISTS", whole + " is there already").With("path", whole);
  }
  Error Failure(const IOStatus& status, const std::string& doing, const std::string& path) const {
    return Error::From(status, doing + " " + PathOf(path)).With("path", PathOf(path));
  }

  // The names in a directory. What is no directory has none.
  Error NamesIn(const std::string& directory, std::vector<std::string>* names) {
    const IOStatus status = files_->GetChildren(PathOf(directory), {}, names, nullptr);
    std::erase_if(*names, [](const std::string& name) { return name == "." || name == ".." || IsTemporary(name); });
    return status.IsNotFound() || status.IsPathNotFound() || status.IsCorruption()
               ? Error()
               : Failure(status, "listing", directory);
  }

  Error MakeDirectories(const std::string& directory) {
    if (directory.empty() || directory == "." || directory == "/") {
      return Error();
    }
    if (files_->FileExists(PathOf(directory), {}, nullptr).ok()) {
      return Error();
    }
    const size_t slash = directory.find_last_of('/');
    const std::string parent = slash == std::string::npos ? "" : directory.substr(0, slash);
    if (Error error = MakeDirectories(parent); !error.ok()) {
      return error;
    }
    IOStatus status = files_->CreateDirIfMissing(PathOf(directory), {}, nullptr);
    if (status.ok()) {
      status = SyncNamesIn(parent.empty() ? root_ : PathOf(parent));
    }
    return Failure(status, "making", directory);
  }

  IOStatus SyncNamesIn(const std::string& directory) {
    std::unique_ptr<rocksdb::FSDirectory> opened;
    IOStatus status = files_->NewDirectory(directory, {}, &opened, nullptr);
    return status.ok() ? opened->Fsync({}, nullptr) : status;
  }

  const std::shared_ptr<rocksdb::FileSystem> files_;
  const std::string root_;
  std::atomic<uint64_t> last_ = 0;
};

}  // namespace

std::unique_ptr<ArchiveFiles> NewArchiveFiles(std::shared_ptr<rocksdb::FileSystem> files, std::string root) {
  return std::make_unique<FileSystemArchive>(std::move(files), std::move(root));
}

}  // namespace rocksdb_backup
