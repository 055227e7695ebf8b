#include "core/directories.h"

#include <filesystem>
#include <system_error>

namespace rocksdb_backup {

Error CreateDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return Error::System("cannot create the directory " + path, error.value());
  }
  return Error();
}

}  // namespace rocksdb_backup
