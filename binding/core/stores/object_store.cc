#include "core/stores/object_store.h"

#include <atomic>
#include <cstring>
#include <random>

namespace rocksdb_backup {
// More than was asked for is kept outside of the memory: the caller sees that the size is wrong.
void SetBytes(const StoreRequest& request, std::string_view bytes, StoreAnswer* answer) {
  if (request.memory == nullptr || bytes.size() > request.memory->capacity()) {
    answer->bytes.assign(bytes);
    return;
  }
  if (bytes.data() != request.memory->data()) {
    memcpy(request.memory->data(), bytes.data(), bytes.size());
  }
  request.memory->SetSize(bytes.size());
}

std::string NewUniqueId() {
  static std::atomic<uint64_t> count{0};
  static const uint64_t random = std::random_device{}() * uint64_t{0x100000000} + std::random_device{}();
  return std::to_string(random) + "-" + std::to_string(++count);
}

Error RequestError(const ObjectStore& store, const StoreAnswer& answer, const std::string& doing,
                   const std::string& key) {
  const std::string path = store.name() + "/" + key;
  return Error(answer.error).Reworded(doing + " " + path + ": " + answer.error.message()).With("path", path);
}

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

StoreAnswer StoreCall::Await(const std::function<std::optional<StoreAnswer>()>& instead) {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kLook, [this] { return done_; });
      if (answer_) {
        return *std::exchange(answer_, std::nullopt);
      }
    }
    if (auto other = instead()) {
      Cancel();
      return std::move(*other);
    }
  }
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
