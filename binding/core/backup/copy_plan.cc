#include "core/backup/copy_plan.h"

#include <algorithm>

#include "core/backup/backup_plan.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

// Makes 000007.sst of `…/shared_checksum/.000007_s3AB_1040.sst.tmp`.
std::string PlannedName(const std::string& path) {
  const std::string clean = CleanPath(path);
  std::string name = NameOf(clean);
  if (name.size() > 5 && name.front() == '.' && name.substr(name.size() - 4) == ".tmp") {
    name = name.substr(1, name.size() - 5);
  }
  return DatabaseFileName(NameOf(ParentOf(clean)) + "/" + name);
}

}  // namespace

void CopyPlan::Announce(const LiveFilesDb::Files& files) {
  const std::vector<PlannedFile> planned =
      PlanFiles(files, settings_.engine.backup_log_files, SharedFilesIn(settings_, picture_.get()));
  uint64_t bytes = 0;
  uint32_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& file : planned) {
      planned_[file.name] = {file.size, file.copied};
      if (file.copied) {
        bytes += file.size;
        ++count;
      }
    }
  }
  operation_->Begin(Phase::kCopy, bytes, count);
}

uint64_t CopyPlan::new_bytes() {
  uint64_t bytes = 0;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, file] : planned_) {
    bytes += file.copied ? file.size : 0;
  }
  return bytes;
}

bool CopyPlan::TakesOver() {
  const std::lock_guard lock(mutex_);
  return std::any_of(planned_.begin(), planned_.end(), [](const auto& named) { return !named.second.copied; });
}

void CopyPlan::OnExclude(const std::string& path) {
  Correct(path, false);
  const std::lock_guard lock(mutex_);
  planned_.erase(PlannedName(path));
}

void CopyPlan::Correct(const std::string& path, bool copied) {
  const std::string name = PlannedName(path);
  const std::lock_guard lock(mutex_);
  const auto found = planned_.find(name);
  if (found == planned_.end() || found->second.copied == copied) {
    return;
  }
  found->second.copied = copied;
  const auto size = static_cast<int64_t>(found->second.size);
  operation_->AdjustTotals(copied ? size : -size, copied ? 1 : -1);
}

}  // namespace rocksdb_backup
