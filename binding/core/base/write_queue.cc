#include "core/base/write_queue.h"

#include <utility>

#include "core/base/background.h"

namespace rocksdb_backup {

void WriteQueue::Run(std::function<void()> work, Operation& operation) {
  Take([work = std::move(work)](const Turn& /*turn*/) { work(); }, operation);
}

void WriteQueue::Take(Work work, Operation& operation) {
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
  operation.WhenStopped([queue = weak_from_this(), place] {
    if (const auto self = queue.lock()) {
      self->Leave(place);
    }
  });
}

void WriteQueue::Start(Work work) {
  RunInBackground([self = shared_from_this(), work = std::move(work)]() mutable {
    Turn turn(self.get(), [self](void*) { self->StartNext(); });
    work(turn);
    work = nullptr;  // destroys what it captured before the next work begins
    turn.reset();
  });
}

void WriteQueue::StartNext() {
  Work next;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) {
      busy_ = false;
      return;
    }
    next = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
  }
  Start(std::move(next));
}

void WriteQueue::Leave(uint64_t place) {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(place);
    if (found == waiting_.end()) {
      return;
    }
    work = std::move(found->second);
    waiting_.erase(found);
  }
  RunInBackground([work = std::move(work)] { work(nullptr); });
}

}  // namespace rocksdb_backup
