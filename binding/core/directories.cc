#include "core/directories.h"

#include <filesystem>
#include <system_error>

namespace rocksdb_backup {

Error CreateDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return Error("ROCKSDB_IO_ERROR", "cannot create the directory " + path + ": " + error.message());
  }
  return Error();
}

}  // namespace rocksdb_backup
