#include "core/directories.h"

#include <filesystem>
#include <system_error>

#include "core/paths.h"

namespace rocksdb_backup {

Error CreateDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return Error::System("cannot create the directory " + path, error.value());
  }
  return Error();
}

rocksdb::IOStatus Listed(rocksdb::FileSystem& storage, const std::string& path, rocksdb::IOStatus status) {
  bool is_directory = false;
  if (status.IsNotFound() && storage.IsDirectory(path, rocksdb::IOOptions(), &is_directory, nullptr).ok()) {
    return rocksdb::IOStatus::IOError("cannot list " + CleanPath(path),
                                      is_directory ? "Permission denied" : "it is not a directory");
  }
  return status;
}

}  // namespace rocksdb_backup
