#include "core/storage/directories.h"

#ifndef _WIN32
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "core/base/paths.h"

namespace rocksdb_backup {

namespace {

#ifndef _WIN32
bool Denies(const std::string& path, int mode) {
  return faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) != 0 && errno == EACCES;
}

// The first part of a path that this process may not pass, or the path itself if it denies what is wanted. Empty if no
// part denies it. If nothing is at the path, its parent directory, where it would be made, is checked.
std::string DenyingPart(const std::string& path, Wanted wanted) {
  struct stat found = {};
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (stat(part.c_str(), &found) != 0) {
      const std::string parent = ParentOf(part);
      const bool denied = errno == EACCES || (errno == ENOENT && wanted == Wanted::kToWrite && Denies(parent, W_OK));
      return denied ? parent : "";
    }
    if (slash == std::string::npos) {
      break;
    }
  }
  return Denies(path, R_OK | (S_ISDIR(found.st_mode) ? X_OK : 0) | (wanted == Wanted::kToWrite ? W_OK : 0)) ? path : "";
}

std::string Octal(unsigned mode) {
  std::string digits(4, '0');
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, mode >>= 3) {
    *digit = static_cast<char>('0' + (mode & 7));
  }
  return digits;
}
#endif

// The first part of a path that is a link which leads nowhere. Empty if there is none.
std::string DanglingPart(const std::string& path) {
  std::error_code error;
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    std::string part = path.substr(0, slash);
    if (std::filesystem::is_symlink(std::filesystem::symlink_status(part, error)) &&
        !std::filesystem::exists(std::filesystem::status(part, error))) {
      return part;
    }
    if (slash == std::string::npos) {
      return "";
    }
  }
}

}  // namespace

std::string Denial(const std::string& path, [[maybe_unused]] Wanted wanted) {
#ifndef _WIN32
  const std::string part = DenyingPart(CleanPath(path), wanted);
  struct stat found = {};
  if (!part.empty() && stat(part.c_str(), &found) == 0) {
    return "Permission denied: " + part + " belongs to user " + std::to_string(found.st_uid) + " and group " +
           std::to_string(found.st_gid) + " and has mode " + Octal(found.st_mode & 07777) + "; this process is user " +
           std::to_string(geteuid()) + " and group " + std::to_string(getegid());
  }
#endif
  return "";
}

Error CreateDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) {
    return Error();
  }
  const std::string doing = "cannot create the directory " + path;
  if (const std::string dangling = DanglingPart(CleanPath(path)); !dangling.empty()) {
    return Error("ROCKSDB_IO_ERROR", doing + ": " + dangling + " is a link that leads nowhere.")
        .With("path", path)
        .Advise("mendLink");
  }
  const std::string denial = Denial(path, Wanted::kToWrite);
  return (denial.empty() ? Error::System(doing, error.value())
                         : Error("ROCKSDB_IO_ERROR", doing + ": " + denial).WithWhy(denial))
      .With("path", path);
}

rocksdb::IOStatus Looked(const std::string& path, rocksdb::IOStatus status, Wanted wanted) {
  if (!status.IsNotFound() && !status.IsIOError()) {
    return status;
  }
  const std::string what = (wanted == Wanted::kToRead ? "cannot read " : "cannot write to ") + CleanPath(path);
  if (const std::string denial = Denial(path, wanted); !denial.empty()) {
    return rocksdb::IOStatus::IOError(what, denial);
  }
  std::error_code error;
  if (status.IsNotFound() && std::filesystem::is_directory(path, error)) {
    return rocksdb::IOStatus::IOError(what, "Permission denied");
  }
  return status;
}

}  // namespace rocksdb_backup
