#include "napi/database/snapshot.h"

namespace rocksdb_backup {

void SnapshotHandle::Define(Napi::Env env, Napi::Object exports) {
  exports["Snapshot"] = DefineClass<SnapshotHandle>(env, "Snapshot",
                                                    {
                                                        Method<&SnapshotHandle::release>("release"),
                                                        Getter<&SnapshotHandle::sequenceNumber>("sequenceNumber"),
                                                    });
}

void SnapshotHandle::release(const Args&) { snapshot_->Close(); }

Napi::Value SnapshotHandle::sequenceNumber(const Args& args) {
  return Napi::BigInt::New(args.Env(), snapshot_->sequence_number());
}

}  // namespace rocksdb_backup
