#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "core/base/operation.h"

namespace rocksdb_backup {

// Runs pieces of work one at a time on the background threads, in the order in which they came. Work that waits holds
// no thread, because there are few threads (core/base/background.h). Work leaves the queue when its operation is
// stopped.
class WriteQueue : public std::enable_shared_from_this<WriteQueue> {
 public:
  // The next work begins when the last copy of this work's Turn is released.
  using Turn = std::shared_ptr<void>;

  // `work` must not throw. If `operation` is stopped, `work` may run beside other work, so it has to check first
  // whether the operation is stopped.
  void Run(std::function<void()> work, Operation& operation);
  // The same for work that may go on after its function has returned: it goes on as long as it keeps its Turn. The Turn
  // is null if the operation was stopped while the work waited.
  void Take(std::function<void(Turn)> work, Operation& operation);

 private:
  using Work = std::function<void(Turn)>;

  void Start(Work work);
  void StartNext();
  void Leave(uint64_t place);

  std::mutex mutex_;
  bool busy_ = false;
  uint64_t last_place_ = 0;
  std::map<uint64_t, Work> waiting_;
};

}  // namespace rocksdb_backup
