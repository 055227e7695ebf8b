#include "core/database/database_events.h"

#include <utility>

namespace rocksdb_backup {
namespace {

const char* ReasonName(rocksdb::BackgroundErrorReason reason) {
  using Reason = rocksdb::BackgroundErrorReason;
  switch (reason) {
    case Reason::kFlush:
    case Reason::kFlushNoWAL:
      return "flush";
    case Reason::kCompaction:
      return "compaction";
    case Reason::kWriteCallback:
      return "write";
    case Reason::kMemTable:
      return "memtable";
    case Reason::kManifestWrite:
    case Reason::kManifestWriteNoWAL:
      return "manifest";
    default:
      return "background work";
  }
}

}  // namespace

uint64_t DatabaseEvents::Subscribe(Subscriber subscriber) {
  const std::lock_guard lock(mutex_);
  subscribers_.emplace(++last_id_, std::move(subscriber));
  return last_id_;
}

void DatabaseEvents::Unsubscribe(uint64_t id) {
  const std::lock_guard lock(mutex_);
  subscribers_.erase(id);
}

uint64_t DatabaseEvents::recoveries() {
  const std::lock_guard lock(mutex_);
  return recoveries_;
}

bool DatabaseEvents::WaitForRecovery(uint64_t more_than, std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, at_most, [&] { return ended_ || recoveries_ > more_than; });
  return recoveries_ > more_than;
}

void DatabaseEvents::EndWaits() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

void DatabaseEvents::OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) {
  const std::string during = ReasonName(reason);
  Tell({DatabaseEvent::Kind::kError, during, Error::From(*error, during + " in " + path_).With("path", path_)});
}

void DatabaseEvents::OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) {
  if (info.new_bg_error.ok()) {
    {
      const std::lock_guard lock(mutex_);
      ++recoveries_;
      changed_.notify_all();
    }
    Tell({DatabaseEvent::Kind::kRecovered, "", Error::From(info.old_bg_error, path_).With("path", path_)});
  } else {
    info.new_bg_error.PermitUncheckedError();
  }
}

void DatabaseEvents::Tell(const DatabaseEvent& event) {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, subscriber] : subscribers_) {
    subscriber(event);
  }
}

}  // namespace rocksdb_backup
