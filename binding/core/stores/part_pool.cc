#include "core/stores/part_pool.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace rocksdb_backup {
namespace {

// How often a thread that waits for a part looks whether to give up.
constexpr std::chrono::milliseconds kLookForPart{25};

}  // namespace

size_t Part::Append(std::string_view bytes) {
  const size_t taken = std::min(bytes.size(), capacity() - size_);
  memcpy(data() + size_, bytes.data(), taken);
  size_ += taken;
  return taken;
}

void Part::Renew() {
  memory_->abandoned = true;
  memory_ = std::make_shared<PartMemory>(memory_->capacity);
}

std::shared_ptr<Part> PartPool::Take(size_t capacity, const std::function<bool()>& stopped) {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kLookForPart, [this] { return free_ > 0; })) {
    if (stopped()) {
      return nullptr;
    }
  }
  return NewPart(capacity, std::move(lock));
}

std::shared_ptr<Part> PartPool::TryTake() {
  std::unique_lock lock(mutex_);
  return free_ <= 1 ? nullptr : NewPart(kPartBytes, std::move(lock));
}

std::shared_ptr<Part> PartPool::NewPart(size_t capacity, std::unique_lock<std::mutex> lock) {
  --free_;
  std::shared_ptr<PartMemory> memory;
  if (capacity == kPartBytes && !kept_.empty()) {
    memory = std::move(kept_.back());
    kept_.pop_back();
  }
  lock.unlock();
  if (memory == nullptr) {
    memory = std::make_shared<PartMemory>(capacity);
  }
  return {new Part(std::move(memory)), [pool = shared_from_this()](Part* part) {
            pool->Return(*part);
            delete part;
          }};
}

void PartPool::Return(const Part& part) {
  {
    const std::lock_guard lock(mutex_);
    ++free_;
    if (part.capacity() == kPartBytes && !part.memory()->abandoned) {
      kept_.push_back(part.memory());
    }
  }
  changed_.notify_one();
}

void PartPool::Trim() {
  std::vector<std::shared_ptr<PartMemory>> freed;
  const std::lock_guard lock(mutex_);
  freed.swap(kept_);
}

}  // namespace rocksdb_backup
