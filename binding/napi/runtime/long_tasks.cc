#include "napi/runtime/long_tasks.h"

#include <utility>
#include <vector>

namespace rocksdb_backup {
namespace {

// Never destroyed, because it is used while the process exits.
struct Registered {
  std::mutex mutex;
  std::vector<std::weak_ptr<LongTasks>> tasks;
};

Registered& AllLongTasks() {
  static auto* all = new Registered;
  return *all;
}

}  // namespace

uint64_t LongTasks::Add(std::function<void()> cancel) {
  const std::lock_guard lock(mutex_);
  cancels_.emplace(++last_id_, std::move(cancel));
  return last_id_;
}

void LongTasks::Remove(uint64_t id) {
  std::function<void()> dropped;  // destroyed after the lock: what it captured may take other locks
  const std::lock_guard lock(mutex_);
  auto found = cancels_.find(id);
  if (found != cancels_.end()) {
    dropped = std::move(found->second);
    cancels_.erase(found);
  }
  if (cancels_.empty()) {
    none_left_.notify_all();
  }
}

bool LongTasks::ending() {
  const std::lock_guard lock(mutex_);
  return ending_;
}

void LongTasks::CancelAndWait() {
  std::vector<std::function<void()>> cancels;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    for (auto& [id, cancel] : cancels_) {
      if (cancel) {
        cancels.push_back(std::exchange(cancel, nullptr));
      }
    }
  }
  for (const auto& cancel : cancels) {
    cancel();
  }
  cancels.clear();
  std::unique_lock lock(mutex_);
  none_left_.wait(lock, [this] { return cancels_.empty(); });
}

void LongTasks::Register(const std::shared_ptr<LongTasks>& tasks) {
  Registered& all = AllLongTasks();
  const std::lock_guard lock(all.mutex);
  std::erase_if(all.tasks, [](const auto& weak) { return weak.expired(); });
  all.tasks.push_back(tasks);
}

void StopAllLongTasks() {
  std::vector<std::shared_ptr<LongTasks>> alive;
  {
    Registered& all = AllLongTasks();
    const std::lock_guard lock(all.mutex);
    for (const auto& weak : all.tasks) {
      if (auto tasks = weak.lock()) {
        alive.push_back(std::move(tasks));
      }
    }
  }
  for (const auto& tasks : alive) {
    tasks->CancelAndWait();
  }
}

}  // namespace rocksdb_backup
