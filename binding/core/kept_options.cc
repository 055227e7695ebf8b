#include "core/kept_options.h"

#include <utility>
#include <vector>

#include "core/database_fs.h"
#include "rocksdb/file_system.h"
#include "rocksdb/utilities/options_util.h"
#include "rocksdb/utilities/stackable_db.h"

namespace rocksdb_backup {
namespace {

using rocksdb::IOStatus;
using rocksdb::Status;

class KeptOptionsFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "KeptOptionsFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file, rocksdb::IODebugContext* context) override {
    const size_t slash = path.find_last_of('/');
    if (path.compare(slash == std::string::npos ? 0 : slash + 1, 8, "OPTIONS-") == 0) {
      return IOStatus::NotSupported("the OPTIONS file is kept as it is", path);
    }
    return target()->NewWritableFile(path, options, file, context);
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
    rocksdb::LiveFileStorageInfo info;
    status = rocksdb::GetLatestOptionsFileName(GetName(), GetEnv(), &info.relative_filename);
    if (status.IsNotFound()) {
      return Status::OK();  // one of long ago has none
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

std::shared_ptr<rocksdb::Env> KeptOptionsEnv() {
  return rocksdb::NewCompositeEnv(std::make_shared<KeptOptionsFileSystem>(DatabaseEnv()->GetFileSystem()));
}

std::unique_ptr<rocksdb::DB> WithKeptOptions(std::unique_ptr<rocksdb::DB> db) {
  return std::make_unique<KeptOptionsDb>(std::move(db));
}

}  // namespace rocksdb_backup
