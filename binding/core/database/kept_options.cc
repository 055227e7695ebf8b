#include "core/database/kept_options.h"

#include <utility>
#include <vector>

#include "core/base/paths.h"
#include "core/database/database_fs.h"
#include "core/database/newer_rocksdb.h"
#include "rocksdb/file_system.h"
#include "rocksdb/utilities/options_util.h"
#include "rocksdb/utilities/stackable_db.h"

namespace rocksdb_backup {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Status;

bool IsOptionsFile(const std::string& path) { return IsOptionsFileName(NameOf(path)); }

// RocksDB syncs the directory after it has renamed a file. On btrfs it opens and syncs the renamed file instead, and
// here that file does not exist.
class KeptOptionsDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  using FSDirectoryWrapper::FSDirectoryWrapper;

  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& reason) override {
    return IsOptionsFile(reason.renamed_new_name) ? IOStatus::OK()
                                                  : FSDirectoryWrapper::FsyncWithDirOptions(options, debug, reason);
  }
};

// RocksDB's open fails if it cannot write its options. So RocksDB may write them under their temporary name. When it
// renames that file to its final name, the file is removed instead.
class KeptOptionsFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "KeptOptionsFileSystem"; }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    return IsOptionsFile(to) ? target()->DeleteFile(from, options, debug)
                             : target()->RenameFile(from, to, options, debug);
  }

  // RocksDB removes OPTIONS files that are older than the file it believes it has written.
  IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    return IsOptionsFile(path) ? IOStatus::OK() : target()->DeleteFile(path, options, debug);
  }

  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext* debug) override {
    IOStatus status = target()->NewDirectory(path, options, directory, debug);
    if (status.ok()) {
      *directory = std::make_unique<KeptOptionsDirectory>(std::move(*directory));
    }
    return status;
  }
};

class KeptOptionsDb final : public rocksdb::StackableDB {
 public:
  explicit KeptOptionsDb(std::unique_ptr<rocksdb::DB> db) : StackableDB(db.release()) {}

  Status GetLiveFilesStorageInfo(const rocksdb::LiveFilesStorageInfoOptions& options,
                                 std::vector<rocksdb::LiveFileStorageInfo>* files) override {
    Status status = StackableDB::GetLiveFilesStorageInfo(options, files);
    if (!status.ok()) {
      return status;
    }
    std::erase_if(*files, [](const auto& file) { return file.file_type == rocksdb::kOptionsFile; });
    rocksdb::LiveFileStorageInfo info;
    status = rocksdb::GetLatestOptionsFileName(GetName(), GetEnv(), &info.relative_filename);
    if (status.IsNotFound()) {
      return Status::OK();  // a very old database has no OPTIONS file
    }
    if (status.ok()) {
      info.directory = GetName();
      status = GetEnv()->GetFileSize(info.directory + "/" + info.relative_filename, &info.size);
    }
    if (status.ok()) {
      info.file_number = std::stoull(info.relative_filename.substr(8));
      info.file_type = rocksdb::kOptionsFile;
      if (options.include_checksum_info) {
        info.file_checksum_func_name = rocksdb::kUnknownFileChecksumFuncName;
        info.file_checksum = rocksdb::kUnknownFileChecksum;
      }
      files->push_back(std::move(info));
    }
    return status;
  }
};

}  // namespace

std::shared_ptr<rocksdb::Env> KeptOptionsEnv(const std::shared_ptr<rocksdb::FileSystem>& files) {
  return rocksdb::NewCompositeEnv(std::make_shared<KeptOptionsFileSystem>(files));
}

std::unique_ptr<rocksdb::DB> WithKeptOptions(std::unique_ptr<rocksdb::DB> db) {
  return std::make_unique<KeptOptionsDb>(std::move(db));
}

}  // namespace rocksdb_backup
