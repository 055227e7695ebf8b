#include "core/restore/target_contents.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "core/base/paths.h"
#include "core/restore/target_files.h"

namespace rocksdb_backup {
namespace {

namespace fs = std::filesystem;

Error NamesManifest(const std::string& directory, const char* current, bool* names_one) {
  const std::string path = directory + "/" + current;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    // RocksDB never makes CURRENT a link.
    return errno == ENOENT || errno == ELOOP ? Error()
                                             : Error::System("cannot look at " + path, errno).With("path", path);
  }
  // It has text such as "MANIFEST-000005\n". A longer file is not a CURRENT.
  constexpr size_t kLongest = 64;
  char bytes[kLongest];
  struct stat file = {};
  ssize_t size = fstat(fd, &file);
  if (size == 0 && S_ISREG(file.st_mode)) {
    size = read(fd, bytes, sizeof(bytes));
  }
  const int failed = size < 0 ? errno : 0;
  close(fd);
  if (failed != 0) {
    return Error::System("cannot read " + path, failed).With("path", path);
  }
  if (S_ISREG(file.st_mode) && size < std::min<ssize_t>(file.st_size, kLongest)) {
    return Error::System("cannot read " + path + ", which ended after " + std::to_string(size) + " of " +
                             std::to_string(file.st_size) + " bytes",
                         EIO)
        .With("path", path);
  }
  std::string name(bytes, static_cast<size_t>(size));
  if (name.size() == kLongest || !name.ends_with('\n')) {
    return Error();
  }
  name.pop_back();
  constexpr size_t kPrefix = sizeof("MANIFEST-") - 1;
  if (!name.starts_with("MANIFEST-") || !AllDigits(name.substr(kPrefix))) {
    return Error();
  }
  std::error_code unseen;
  const fs::file_type type = fs::symlink_status(directory + "/" + name, unseen).type();
  *names_one = type == fs::file_type::regular;
  // What could not be looked at is not missing.
  return type == fs::file_type::none || type == fs::file_type::unknown
             ? Error::System("cannot look at " + directory + "/" + name, unseen.value())
                   .With("path", directory + "/" + name)
             : Error();
}

// Whether a restore had begun to move its files into place here, and died.
bool IsDeadInstall(const std::string& path) {
  if (!IsDirectory(path) || HasSign(path)) {
    return false;
  }
  bool locked = false;
  const int fd = TryLockDirectory(StagedOf(path), &locked);
  if (fd >= 0) {
    UnlockDirectory(fd);
  }
  return fd >= 0 && locked;
}

}  // namespace

Error HoldsDatabase(const std::string& directory, bool* holds) {
  *holds = false;
  for (const char* current : {"CURRENT", "CURRENT.tmp"}) {
    if (Error error = *holds ? Error() : NamesManifest(directory, current, holds); !error.ok()) {
      return error;
    }
  }
  return Error();
}

Error LookAtTarget(const std::string& target, const StagingPlace& staging, const std::string& ours,
                   TargetContents* contents) {
  *contents = {};
  std::error_code failed;
  std::vector<std::string> names;
  const bool exists = fs::exists(target, failed);
  if (failed) {
    return Error::System("cannot look at " + target, failed.value()).With("path", target);
  }
  if (exists) {
    if (Error error = ListNames(target, &names); !error.ok()) {
      return error;
    }
  }
  for (auto& name : names) {
    const std::string path = target + "/" + name;
    if (path != ours && !(name.starts_with(kStagedMark) && HasSign(path))) {
      contents->names.push_back(std::move(name));
    }
  }
  std::sort(contents->names.begin(), contents->names.end());
  (void)ListNames(staging.parent, &names);  // if it cannot be listed, nothing in the target may be removed
  contents->unfinished = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    const std::string path = staging.parent + "/" + name;
    return name.starts_with(staging.prefix) && path != ours && IsDeadInstall(path);
  });
  if (contents->names.empty()) {
    return Error();
  }
  bool holds_database = false;
  Error error = HoldsDatabase(target, &holds_database);
  contents->holds = holds_database         ? TargetHolds::kDatabase
                    : contents->unfinished ? TargetHolds::kUnfinished
                                           : TargetHolds::kOthers;
  return error;
}

std::string SomeOf(const std::vector<std::string>& names) {
  constexpr size_t kShown = 10;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  }
  return names.size() > kShown ? text + " and " + std::to_string(names.size() - kShown) + " more" : text;
}

Error CheckReplaceable(const std::string& target, const TargetContents& contents, bool overwrite) {
  const std::string cannot = "cannot restore to " + target + ": ";
  switch (contents.holds) {
    case TargetHolds::kNothing:
      return Error();
    case TargetHolds::kOthers:
      return Error("TARGET_EXISTS",
                   cannot + "the directory is not empty and holds no database that could be overwritten (no CURRENT " +
                       "that names a MANIFEST), but " + SomeOf(contents.names) +
                       ". Restore to a new directory, or move these files away first.")
          .With("path", target);
    case TargetHolds::kDatabase:
    case TargetHolds::kUnfinished:
      break;
  }
  return overwrite ? Error()
                   : Error("TARGET_EXISTS",
                           cannot + "the directory is not empty, it holds " +
                               (contents.holds == TargetHolds::kDatabase ? "a database" : "an interrupted restore"))
                         .With("path", target)
                         .Advise("overwrite");
}

}  // namespace rocksdb_backup
