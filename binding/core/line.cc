#include "core/line.h"

#include <utility>

#include "core/background.h"

namespace rocksdb_backup {

void Line::Run(std::function<void()> work, Operation& operation) {
  std::unique_lock lock(mutex_);
  if (!busy_) {
    busy_ = true;
    lock.unlock();
    Start(std::move(work));
    return;
  }
  const uint64_t place = ++last_place_;
  waiting_.emplace(place, std::move(work));
  lock.unlock();
  operation.WhenStopped([line = weak_from_this(), place] {
    if (const auto self = line.lock()) {
      self->Leave(place);
    }
  });
}

void Line::Start(std::function<void()> work) {
  RunInBackground([self = shared_from_this(), work = std::move(work)]() mutable {
    work();
    work = nullptr;  // what it captured is gone before the next begins
    std::function<void()> next;
    {
      const std::lock_guard lock(self->mutex_);
      if (self->waiting_.empty()) {
        self->busy_ = false;
        return;
      }
      next = std::move(self->waiting_.begin()->second);
      self->waiting_.erase(self->waiting_.begin());
    }
    self->Start(std::move(next));
  });
}

void Line::Leave(uint64_t place) {
  std::function<void()> work;
  {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(place);
    if (found == waiting_.end()) {
      return;
    }
    work = std::move(found->second);
    waiting_.erase(found);
  }
  RunInBackground(std::move(work));
}

}  // namespace rocksdb_backup
