#pragma once

#include <memory>

#include "core/database/database.h"
#include "napi/runtime/wrap.h"
#include "rocksdb/write_batch.h"

namespace rocksdb_backup {

// Adds one operation to a batch.
using BatchOperation = rocksdb::Status (*)(rocksdb::WriteBatch* batch, rocksdb::ColumnFamilyHandle* family,
                                           const rocksdb::Slice& key, const rocksdb::Slice& value);

namespace batch_operation {
rocksdb::Status Put(rocksdb::WriteBatch*, rocksdb::ColumnFamilyHandle*, const rocksdb::Slice&, const rocksdb::Slice&);
rocksdb::Status Merge(rocksdb::WriteBatch*, rocksdb::ColumnFamilyHandle*, const rocksdb::Slice&, const rocksdb::Slice&);
rocksdb::Status Delete(rocksdb::WriteBatch*, rocksdb::ColumnFamilyHandle*, const rocksdb::Slice&,
                       const rocksdb::Slice&);
rocksdb::Status SingleDelete(rocksdb::WriteBatch*, rocksdb::ColumnFamilyHandle*, const rocksdb::Slice&,
                             const rocksdb::Slice&);
rocksdb::Status DeleteRange(rocksdb::WriteBatch*, rocksdb::ColumnFamilyHandle*, const rocksdb::Slice&,
                            const rocksdb::Slice&);
}  // namespace batch_operation

// The column family of `database` whose id is the argument. Throws if it was dropped.
Database::FamilyPtr FamilyOf(Napi::Env env, const Database& database, Napi::Value id);

// Writes `batch` now, on this thread.
void WriteNow(Napi::Env env, const std::shared_ptr<Database>& database, const rocksdb::WriteOptions& options,
              rocksdb::WriteBatch* batch);

// Writes `batch`: now if that needs no waiting, otherwise on the pool. Returns undefined, or a promise of undefined.
Napi::Value WriteSoon(Napi::Env env, const std::shared_ptr<Database>& database, const rocksdb::WriteOptions& options,
                      rocksdb::WriteBatch batch);

// The native half of lib/database/write-batch.ts. Methods take the id of a column family first, like those of
// DatabaseHandle.
class WriteBatchHandle final : public Wrapped {
 public:
  static void Define(Napi::Env env, Napi::Object exports);

  // `open` tells whether the handle that made the batch is still open.
  WriteBatchHandle(std::shared_ptr<Database> database, std::shared_ptr<const bool> open)
      : Wrapped(TypeId<WriteBatchHandle>::id()), database_(std::move(database)), open_(std::move(open)) {}

 private:
  template <BatchOperation kOperation, bool kTwo>
  void Add(const Args& args);
  void append(const Args& args);
  void clear(const Args& args);
  Napi::Value count(const Args& args);
  Napi::Value size(const Args& args);
  Napi::Value write(const Args& args);
  Napi::Value writeSync(const Args& args);

  // The database, if the handle is open. As this runs on the handle's thread, the database then stays open during the
  // call.
  Database& OpenDatabase(Napi::Env env) const;

  const std::shared_ptr<Database> database_;
  const std::shared_ptr<const bool> open_;
  rocksdb::WriteBatch batch_;
};

}  // namespace rocksdb_backup
