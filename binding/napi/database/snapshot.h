#pragma once

#include <memory>

#include "core/database/snapshot.h"
#include "napi/runtime/wrap.h"

namespace rocksdb_backup {

// The JS class Snapshot.
class SnapshotHandle final : public Wrapped {
 public:
  static void Define(Napi::Env env, Napi::Object exports);

  explicit SnapshotHandle(std::shared_ptr<Snapshot> snapshot)
      : Wrapped(TypeId<SnapshotHandle>::id()), snapshot_(std::move(snapshot)) {}

  const std::shared_ptr<Snapshot>& snapshot() const { return snapshot_; }

 private:
  void release(const Args& args);
  Napi::Value sequenceNumber(const Args& args);

  const std::shared_ptr<Snapshot> snapshot_;
};

}  // namespace rocksdb_backup
