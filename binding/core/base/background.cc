#include "core/base/background.h"

#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace rocksdb_backup {
namespace {

struct Queue {
  std::mutex mutex;
  std::deque<std::function<void()>> waiting;
  int threads = 0;
};

// Never destroyed: threads may outlive main() when the process exits in the middle of a backup.
Queue& TheQueue() {
  static auto* queue = new Queue;
  return *queue;
}

void Serve() {
  Queue& queue = TheQueue();
  std::unique_lock lock(queue.mutex);
  while (!queue.waiting.empty()) {
    auto work = std::move(queue.waiting.front());
    queue.waiting.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // destroys what it captured now, before the next wait
    lock.lock();
  }
  --queue.threads;
}

}  // namespace

void RunInBackground(std::function<void()> work) {
  Queue& queue = TheQueue();
  {
    const std::lock_guard lock(queue.mutex);
    queue.waiting.push_back(std::move(work));
    if (queue.threads >= kMaxBackgroundThreads) {
      return;
    }
    ++queue.threads;
    try {
      std::thread(Serve).detach();
      return;
    } catch (const std::system_error&) {
      if (queue.threads > 1) {
        --queue.threads;  // another thread takes the work
        return;
      }
    }
  }
  // The system gives us no thread at all. Running the work here, late, is better than never running it.
  Serve();
}

}  // namespace rocksdb_backup
