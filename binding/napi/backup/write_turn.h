#pragma once

#include <utility>

#include "core/base/write_queue.h"
#include "napi/runtime/wrap.h"

namespace rocksdb_backup {

// A turn in the queue of writes to a repository, held by JS. The writes behind it wait until the turn is released or
// garbage collected.
class WriteTurnHandle : public Wrapped {
 public:
  explicit WriteTurnHandle(WriteQueue::Turn turn) : Wrapped(TypeId<WriteTurnHandle>::id()), turn_(std::move(turn)) {}

  static void Register(Napi::Env env) {
    DefineClass<WriteTurnHandle>(env, "NativeWriteTurn", {Method<&WriteTurnHandle::Release>("release")});
  }

  void Release(const Args& /*args*/) { turn_.reset(); }
  // Null after it was released.
  const WriteQueue::Turn& turn() const { return turn_; }

 private:
  WriteQueue::Turn turn_;
};

}  // namespace rocksdb_backup
