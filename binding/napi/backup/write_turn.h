#pragma once

#include <utility>

#include "core/base/write_queue.h"
#include "napi/runtime/wrap.h"

namespace rocksdb_backup {

// A turn in the line of what writes to a backup directory, in the hands of JS: what comes behind it waits until it is
// released, or forgotten.
class WriteTurnHandle : public Wrapped {
 public:
  explicit WriteTurnHandle(WriteQueue::Turn turn) : Wrapped(TypeId<WriteTurnHandle>::id()), turn_(std::move(turn)) {}

  static void Register(Napi::Env env) {
    DefineClass<WriteTurnHandle>(env, "NativeWriteTurn", {Method<&WriteTurnHandle::Release>("release")});
  }

  void Release(const Args& /*args*/) { turn_.reset(); }
  // Null once it was released.
  const WriteQueue::Turn& turn() const { return turn_; }

 private:
  WriteQueue::Turn turn_;
};

}  // namespace rocksdb_backup
