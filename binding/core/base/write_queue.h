#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "core/base/operation.h"

namespace rocksdb_backup {

// Works that run one at a time on the background threads, in the order in which they came. Those that wait hold no
// thread, of which there are few (core/base/background.h), and leave the queue once their operation is stopped.
class WriteQueue : public std::enable_shared_from_this<WriteQueue> {
 public:
  // The next work begins when nobody has this one's turn any more.
  using Turn = std::shared_ptr<void>;

  // `work` must not throw. Once `operation` is stopped it may run beside others, so it has to look at that first.
  void Run(std::function<void()> work, Operation& operation);
  // The same for a work that may go on after its function has returned, as long as it keeps its turn. Null when the
  // operation is stopped.
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
