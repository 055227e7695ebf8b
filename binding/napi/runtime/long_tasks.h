#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace rocksdb_backup {

// The long operations that one env has under way, from when they are queued until their completion was posted.
class LongTasks {
 public:
  // `cancel` asks the operation to end soon; it may be called from any thread, at most once, also before the operation
  // started and after it ended, and must not block. May be empty.
  uint64_t Add(std::function<void()> cancel);
  void Remove(uint64_t id);

  // True from when CancelAndWait was called: what did not start yet must not.
  bool ending();

  void CancelAndWait();

  // Makes `tasks` part of what StopAllLongTasks stops, for as long as it lives.
  static void Register(const std::shared_ptr<LongTasks>& tasks);

 private:
  std::mutex mutex_;
  std::condition_variable none_left_;
  std::map<uint64_t, std::function<void()>> cancels_;
  uint64_t last_id_ = 0;
  bool ending_ = false;
};

// CancelAndWait for every env of the process.
void StopAllLongTasks();

}  // namespace rocksdb_backup
