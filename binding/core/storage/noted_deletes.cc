#include "core/storage/noted_deletes.h"

#include <set>
#include <utility>

#include "core/base/paths.h"

namespace rocksdb_backup {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

void NotedDeletes::Note(const std::string& path, const IOStatus& status, bool is_directory) {
  const std::lock_guard lock(mutex_);
  if (status.ok() || status.IsNotFound() || status.IsPathNotFound()) {
    failures_.erase(CleanPath(path));
  } else {
    failures_[CleanPath(path)] = {status, is_directory};
  }
}

IOStatus NotedDeletes::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::DeleteFile(path, options, debug);
  Note(path, status, false);
  return status;
}

IOStatus NotedDeletes::DeleteDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::DeleteDir(path, options, debug);
  Note(path, status, true);
  return status;
}

std::vector<NotedDeletes::Left> NotedDeletes::left() {
  const std::lock_guard lock(mutex_);
  std::vector<Left> left;
  std::map<std::string, std::set<std::string>> listed;
  for (const auto& [path, failure] : failures_) {
    // Corruption: a folder of somebody else is in the place of a file, or a file in the place of a directory.
    if (failure.why.IsCorruption()) {
      continue;
    }
    const std::string parent = ParentOf(path);
    if (!listed.contains(parent)) {
      std::vector<std::string> names;
      const IOStatus status = GetChildren(parent, IOOptions(), &names, nullptr);
      listed[parent] = {names.begin(), names.end()};
      if (!status.ok() && !status.IsNotFound()) {
        left.push_back({parent, status});
      }
    }
    if (!listed[parent].contains(NameOf(path))) {
      continue;
    }
    std::vector<std::string> children;
    if (failure.is_directory && GetChildren(path, IOOptions(), &children, nullptr).IsCorruption()) {
      continue;
    }
    if (children.empty()) {
      left.push_back({path, failure.why});
    }
  }
  return left;
}

}  // namespace rocksdb_backup
