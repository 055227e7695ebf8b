#include "core/stores/pending_deletes.h"

#include <utility>

namespace rocksdb_backup {

using rocksdb::IOStatus;

IOStatus PendingDeletes::Add(std::string key) {
  const std::lock_guard lock(mutex_);
  keys_.push_back(std::move(key));
  return keys_.size() < kMaxDeletes ? IOStatus::OK() : FlushLocked();
}

IOStatus PendingDeletes::Flush() {
  const std::lock_guard lock(mutex_);
  return FlushLocked();
}

IOStatus PendingDeletes::FlushLocked() {
  if (keys_.empty()) {
    return IOStatus::OK();
  }
  const size_t refused = refused_.size();
  IOStatus status = Delete(std::exchange(keys_, {}));
  if (!status.ok() || refused_.size() > refused) {
    left_();
  }
  return status;
}

// With mutex_ held.
IOStatus PendingDeletes::Delete(std::vector<std::string> keys) {
  const StoreAnswer deleted = client_->Do({.kind = StoreRequest::Kind::kDelete, .keys = keys});
  if (deleted.failure == StoreFailure::kDenied && leaves_denied_) {
    refused_.insert(refused_.end(), keys.begin(), keys.end());
    return IOStatus::OK();
  }
  if (deleted.failure != StoreFailure::kRefused) {
    const std::string more = keys.size() == 1 ? "" : " and " + std::to_string(keys.size() - 1) + " more";
    return client_->ToStatus(deleted, "deleting", keys.front() + more);
  }
  if (!deleted.refused.empty() || keys.size() == 1) {
    const auto& refused = deleted.refused.empty() ? keys : deleted.refused;
    refused_.insert(refused_.end(), refused.begin(), refused.end());
    return IOStatus::OK();
  }
  // The store does not say which it refuses.
  const auto middle = keys.begin() + static_cast<std::ptrdiff_t>(keys.size() / 2);
  IOStatus status = Delete({keys.begin(), middle});
  return status.ok() ? Delete({middle, keys.end()}) : status;
}

std::vector<std::string> PendingDeletes::refused() {
  const std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace rocksdb_backup
