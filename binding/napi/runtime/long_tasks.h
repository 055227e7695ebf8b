#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace rocksdb_backup {

// The long operations of one env. An operation counts from when it is queued until its completion was posted.
class LongTasks {
 public:
  // `cancel` asks the operation to end soon. It may be called on any thread, at most once, also before the operation
  // has started and after it has ended. It must not block. It may be empty.
  uint64_t Add(std::function<void()> cancel);
  void Remove(uint64_t id);

  // True after CancelAndWait was called: operations that have not started must not start.
  bool ending();

  void CancelAndWait();

  // StopAllLongTasks stops `tasks` too, for as long as that object lives.
  static void Register(const std::shared_ptr<LongTasks>& tasks);

 private:
  std::mutex mutex_;
  std::condition_variable none_left_;
  std::map<uint64_t, std::function<void()>> cancels_;
  uint64_t last_id_ = 0;
  bool ending_ = false;
};

// Calls CancelAndWait for every env of the process.
void StopAllLongTasks();

}  // namespace rocksdb_backup
