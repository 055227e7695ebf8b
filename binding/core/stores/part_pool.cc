#include "core/stores/part_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace rocksdb_backup {
namespace {

char* NewPages(size_t size) {
  void* const pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) {
    throw std::bad_alloc();
  }
  return static_cast<char*>(pages);
}

}  // namespace

PartMemory::PartMemory(size_t capacity) : bytes(NewPages(capacity)), capacity(capacity) {}

PartMemory::~PartMemory() { munmap(bytes, capacity); }

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

PartPool::Reader::Reader(std::shared_ptr<PartPool> pool) : pool_(std::move(pool)) {
  const std::lock_guard lock(pool_->mutex_);
  ++pool_->readers_;
}

PartPool::Reader::~Reader() {
  const std::lock_guard lock(pool_->mutex_);
  --pool_->readers_;
}

std::shared_ptr<Part> PartPool::Reader::TryTake() {
  std::unique_lock lock(pool_->mutex_);
  const size_t share = std::max<size_t>(1, (pool_->parts_ - 1) / pool_->readers_);
  if (pool_->free_ <= 1 || *taken_ >= share) {
    return nullptr;
  }
  return pool_->NewPart(kPartBytes, taken_, std::move(lock));
}

std::shared_ptr<Part> PartPool::Take(size_t capacity, const std::function<bool()>& stopped) {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kLook, [this] { return free_ > 0; })) {
    if (stopped()) {
      return nullptr;
    }
  }
  return NewPart(capacity, nullptr, std::move(lock));
}

std::shared_ptr<Part> PartPool::NewPart(size_t capacity, const std::shared_ptr<size_t>& taken,
                                        std::unique_lock<std::mutex> lock) {
  --free_;
  if (taken != nullptr) {
    ++*taken;
  }
  std::shared_ptr<PartMemory> memory;
  if (capacity == kPartBytes && !kept_.empty()) {
    memory = std::move(kept_.back());
    kept_.pop_back();
  }
  lock.unlock();
  if (memory == nullptr) {
    memory = std::make_shared<PartMemory>(capacity);
  }
  return {new Part(std::move(memory)), [pool = shared_from_this(), taken](Part* part) {
            pool->Return(*part, taken.get());
            delete part;
          }};
}

void PartPool::Return(const Part& part, size_t* taken) {
  {
    const std::lock_guard lock(mutex_);
    ++free_;
    if (taken != nullptr) {
      --*taken;
    }
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
