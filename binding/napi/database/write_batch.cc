#include "napi/database/write_batch.h"

#include <optional>
#include <utility>

#include "napi/database/call_options.h"
#include "napi/database/packed_writes.h"

namespace rocksdb_backup {
namespace {

// The largest write that the JS thread makes itself. Larger writes go to the pool, because copying them takes longer
// than going there.
constexpr size_t kMaxDirectBytes = size_t{64} << 10;

}  // namespace

namespace batch_operation {

using rocksdb::ColumnFamilyHandle;
using rocksdb::Slice;
using rocksdb::Status;
using rocksdb::WriteBatch;

Status Put(WriteBatch* batch, ColumnFamilyHandle* family, const Slice& key, const Slice& value) {
  return batch->Put(family, key, value);
}

Status Merge(WriteBatch* batch, ColumnFamilyHandle* family, const Slice& key, const Slice& operand) {
  return batch->Merge(family, key, operand);
}

Status Delete(WriteBatch* batch, ColumnFamilyHandle* family, const Slice& key, const Slice&) {
  return batch->Delete(family, key);
}

Status SingleDelete(WriteBatch* batch, ColumnFamilyHandle* family, const Slice& key, const Slice&) {
  return batch->SingleDelete(family, key);
}

Status DeleteRange(WriteBatch* batch, ColumnFamilyHandle* family, const Slice& start, const Slice& end) {
  // A batch would accept this, and the tombstone would hide nothing or the wrong keys.
  if (family->GetComparator()->Compare(start, end) > 0) {
    return Status::InvalidArgument("deleteRange: the end comes before the start");
  }
  return batch->DeleteRange(family, start, end);
}

}  // namespace batch_operation

Database::FamilyPtr FamilyOf(Napi::Env env, const Database& database, Napi::Value id) {
  uint32_t number = 0;
  if (napi_get_value_uint32(env, id, &number) != napi_ok) {
    ThrowWrongType(env, "columnFamily", "the id of a column family", id);
  }
  Database::FamilyPtr family = database.FamilyById(number);
  if (family == nullptr) {
    Throw(env, Database::DroppedError());
  }
  return family;
}

void WriteNow(Napi::Env env, const std::shared_ptr<Database>& database, const rocksdb::WriteOptions& options,
              rocksdb::WriteBatch* batch) {
  std::optional<Database::BlockingWrite> blocking;
  if (options.sync) {
    blocking.emplace(database);
  }
  ThrowIfError(env, database->Write(options, batch));
}

Napi::Value WriteSoon(Napi::Env env, const std::shared_ptr<Database>& database, const rocksdb::WriteOptions& options,
                      rocksdb::WriteBatch batch) {
  if (!options.sync && batch.GetDataSize() <= kMaxDirectBytes && !database->HasBlockingWrites()) {
    rocksdb::WriteOptions direct = options;
    direct.no_slowdown = true;
    Error error = database->Write(direct, &batch);
    if (error.code() != "ROCKSDB_INCOMPLETE" || options.no_slowdown) {
      ThrowIfError(env, error);
      return env.Undefined();
    }
  }
  Resource::Lease lease = database->Acquire();
  if (!lease) {
    Throw(env, Database::ClosedError());
  }
  return Async(env, Lane::kShort, Leases(std::move(lease)),
               [database, options, batch = std::move(batch), blocking = Database::BlockingWrite(database)]() mutable {
                 return database->Write(options, &batch);
               });
}

void WriteBatchHandle::Define(Napi::Env env, Napi::Object exports) {
  using namespace batch_operation;
  exports["WriteBatch"] =
      DefineClass<WriteBatchHandle>(env, "WriteBatch",
                                    {
                                        Method<&WriteBatchHandle::Add<Put, true>>("put"),
                                        Method<&WriteBatchHandle::Add<Merge, true>>("merge"),
                                        Method<&WriteBatchHandle::Add<Delete, false>>("delete"),
                                        Method<&WriteBatchHandle::Add<SingleDelete, false>>("singleDelete"),
                                        Method<&WriteBatchHandle::Add<DeleteRange, true>>("deleteRange"),
                                        Method<&WriteBatchHandle::append>("append"),
                                        Method<&WriteBatchHandle::clear>("clear"),
                                        AsyncMethod<&WriteBatchHandle::write>("write"),
                                        Method<&WriteBatchHandle::writeSync>("writeSync"),
                                        Getter<&WriteBatchHandle::count>("count"),
                                        Getter<&WriteBatchHandle::size>("size"),
                                    });
}

Database& WriteBatchHandle::OpenDatabase(Napi::Env env) const {
  if (!*open_) {
    Throw(env, Database::ClosedError());
  }
  return *database_;
}

template <BatchOperation kOperation, bool kTwo>
void WriteBatchHandle::Add(const Args& args) {
  const Napi::Env env = args.Env();
  const Database::FamilyPtr family = FamilyOf(env, OpenDatabase(env), args[0]);
  const Bytes key(env, args[1], "key");
  if constexpr (kTwo) {
    const Bytes value(env, args[2], "value");
    ThrowIfError(env, Error::From(kOperation(&batch_, family->handle, key.slice(), value.slice())));
  } else {
    ThrowIfError(env, Error::From(kOperation(&batch_, family->handle, key.slice(), {})));
  }
}

void WriteBatchHandle::append(const Args& args) { AppendPacked(args, OpenDatabase(args.Env()), &batch_); }

void WriteBatchHandle::clear(const Args&) { batch_.Clear(); }

Napi::Value WriteBatchHandle::count(const Args& args) { return Napi::Number::New(args.Env(), batch_.Count()); }

Napi::Value WriteBatchHandle::size(const Args& args) {
  return Napi::Number::New(args.Env(), static_cast<double>(batch_.GetDataSize()));
}

// Both methods leave the batch empty, whether the write succeeds or not.
Napi::Value WriteBatchHandle::write(const Args& args) {
  const Napi::Env env = args.Env();
  const rocksdb::WriteOptions options = WriteOptionsOf(env, args[0]);
  OpenDatabase(env);
  return WriteSoon(env, database_, options, std::exchange(batch_, rocksdb::WriteBatch()));
}

Napi::Value WriteBatchHandle::writeSync(const Args& args) {
  const Napi::Env env = args.Env();
  const rocksdb::WriteOptions options = WriteOptionsOf(env, args[0]);
  OpenDatabase(env);
  rocksdb::WriteBatch batch = std::exchange(batch_, rocksdb::WriteBatch());
  WriteNow(env, database_, options, &batch);
  return env.Undefined();
}

}  // namespace rocksdb_backup
