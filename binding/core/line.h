#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "core/operation.h"

namespace rocksdb_backup {

// Works that run one at a time on the background threads, in the order in which they came. Those that wait hold no
// thread, of which there are few (core/background.h), and leave the line once their operation is stopped.
class Line : public std::enable_shared_from_this<Line> {
 public:
  // `work` must not throw. Once `operation` is stopped it may run beside others, so it has to look at that first.
  void Run(std::function<void()> work, Operation& operation);

 private:
  void Start(std::function<void()> work);
  void Leave(uint64_t place);

  std::mutex mutex_;
  bool busy_ = false;
  uint64_t last_place_ = 0;
  std::map<uint64_t, std::function<void()>> waiting_;
};

}  // namespace rocksdb_backup
