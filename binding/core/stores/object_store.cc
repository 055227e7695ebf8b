#include "core/stores/object_store.h"

namespace rocksdb_backup {

void StoreCall::Finish(StoreAnswer answer) {
  std::function<void()> when_done;
  {
    const std::lock_guard lock(mutex_);
    if (done_) {
      return;
    }
    done_ = true;
    answer_ = std::move(answer);
    cancel_ = nullptr;
    when_done = std::exchange(when_done_, nullptr);
  }
  changed_.notify_all();
  if (when_done) {
    when_done();
  }
}

void StoreCall::OnCancel(std::function<void()> cancel) {
  {
    const std::lock_guard lock(mutex_);
    if (!done_) {
      cancel_ = std::move(cancel);
      return;
    }
    if (answer_) {
      return;
    }
  }
  cancel();
}

void StoreCall::WhenDone(std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    if (!done_) {
      when_done_ = std::move(done);
      return;
    }
  }
  done();
}

std::optional<StoreAnswer> StoreCall::WaitUntil(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return done_; });
  return std::exchange(answer_, std::nullopt);
}

void StoreCall::Cancel() {
  std::function<void()> cancel;
  std::function<void()> when_done;
  {
    const std::lock_guard lock(mutex_);
    if (done_) {
      return;
    }
    done_ = true;
    cancel = std::exchange(cancel_, nullptr);
    when_done = std::exchange(when_done_, nullptr);
  }
  changed_.notify_all();
  if (cancel) {
    cancel();
  }
  if (when_done) {
    when_done();
  }
}

}  // namespace rocksdb_backup
