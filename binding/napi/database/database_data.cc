// The reads and writes of DatabaseHandle.
//
// A promise costs a trip to another thread and back. That takes many times as long as RocksDB needs for a key in
// memory. So a read is first tried here, without the disk, and a write is done here if it needs no waiting.

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "napi/database/call_options.h"
#include "napi/database/database.h"
#include "napi/database/packed_writes.h"
#include "napi/database/write_batch.h"
#include "napi/runtime/addon_data.h"
#include "napi/values/copy_into.h"
#include "napi/values/values.h"

namespace rocksdb_backup {
namespace {

using rocksdb::PinnableSlice;
using rocksdb::Slice;
using rocksdb::Status;

// Copying a value here, on the JS thread, delays everything else. After a value larger than this, the next reads go to
// the pool.
constexpr size_t kLargeValue = size_t{64} << 10;
constexpr int kReadsAfterLargeValue = 32;
constexpr uint32_t kMaxDirectKeys = 256;

// Values of getMany with up to this many bytes in total cross as one piece of memory, which they then share.
constexpr size_t kMaxPackedBytes = size_t{256} << 10;

Error ReadError(const Status& status, const Database& database) {
  return database.Explained(Error::From(status, "read from " + database.path()).With("path", database.path()));
}

// Converts what a read found. For Buffers, a small value becomes its place in the read pool. NotFound becomes
// undefined. Other errors are thrown.
Napi::Value FoundOrUndefined(Napi::Env env, const Database& database, const Status& status, const PinnableSlice& value,
                             Encoding encoding) {
  if (status.ok()) {
    if (encoding == Encoding::kBuffer) {
      const Napi::Value place = AddonData::Of(env).read_pool.Put(env, value);
      return place.IsEmpty() ? ToJs(env, value, encoding) : place;
    }
    return ToJs(env, value, encoding);
  }
  if (status.IsNotFound()) {
    return env.Undefined();
  }
  Throw(env, ReadError(status, database));
}

// Holds many values in one piece of memory:
//
//   uint32 count, uint32 sizes[count], bytes
//
// A size of 2^32 - 1 stands for a missing key.
class PackedValues {
 public:
  explicit PackedValues(uint32_t count) : bytes_((size_t{1} + count) * sizeof(uint32_t), '\xff') {
    std::memcpy(bytes_.data(), &count, sizeof(count));
  }
  // Must be called in the order of `index`.
  void Add(uint32_t index, const Slice& value) {
    const auto size = static_cast<uint32_t>(value.size());
    std::memcpy(bytes_.data() + (size_t{1} + index) * sizeof(size), &size, sizeof(size));
    bytes_.append(value.data(), value.size());
  }
  size_t size() const { return bytes_.size(); }
  Napi::Value ToJs(Napi::Env env) { return rocksdb_backup::ToJs(env, std::move(bytes_), Encoding::kBuffer); }

 private:
  std::string bytes_;
};

struct Value {
  bool found = false;
  std::string bytes;

  Napi::Value ToJsValue(Napi::Env env, Encoding encoding) {
    return found ? ToJs(env, std::move(bytes), encoding) : env.Undefined();
  }
};

// Calls `each(index, whether it was found, value)` for each key.
template <typename Each>
Error ReadEach(const Database& database, const rocksdb::ReadOptions& options, const Database::FamilyPtr& family,
               const std::vector<std::string>& keys, Each each) {
  std::vector<Slice> slices(keys.begin(), keys.end());
  std::vector<PinnableSlice> found(keys.size());
  std::vector<Status> statuses(keys.size());
  if (options.read_tier == rocksdb::kBlockCacheTier) {
    // In this tier, MultiGet reads the disk anyway, and gives empty values for what it cannot tell.
    for (size_t i = 0; i < keys.size(); ++i) {
      statuses[i] = database.db()->Get(options, family->handle, slices[i], &found[i]);
    }
  } else {
    database.db()->MultiGet(options, family->handle, slices.size(), slices.data(), found.data(), statuses.data());
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!statuses[i].ok() && !statuses[i].IsNotFound()) {
      return ReadError(statuses[i], database);
    }
    each(i, statuses[i].ok(), found[i]);
    found[i].Reset();
  }
  return Error();
}

Error ReadValues(const Database& database, const rocksdb::ReadOptions& options, const Database::FamilyPtr& family,
                 const std::vector<std::string>& keys, std::vector<Value>* values) {
  values->resize(keys.size());
  return ReadEach(database, options, family, keys, [values](size_t i, bool found, const PinnableSlice& value) {
    (*values)[i].found = found;
    if (found) {
      (*values)[i].bytes.assign(value.data(), value.size());
    }
  });
}

// Reads many keys if they can be read without waiting and do not take long. Returns false otherwise.
bool ReadManyNow(Napi::Env env, const Database& database, const Database::Family& family,
                 const std::vector<std::string>& keys, const ReadCall& call, std::vector<PinnableSlice>* found,
                 std::vector<Status>* statuses) {
  if (keys.size() > kMaxDirectKeys) {
    return false;
  }
  const std::vector<Slice> slices(keys.begin(), keys.end());
  found->resize(keys.size());
  statuses->resize(keys.size());
  if (!database.MultiGetNow(call.options, family, slices, found, statuses)) {
    return false;
  }
  for (const Status& status : *statuses) {
    if (!status.ok() && !status.IsNotFound()) {
      Throw(env, ReadError(status, database));
    }
  }
  return true;
}

// All values if they can be read without waiting and do not take long. An empty Value otherwise.
Napi::Value GetManyNow(Napi::Env env, const Database& database, const Database::Family& family,
                       const std::vector<std::string>& keys, const ReadCall& call) {
  std::vector<PinnableSlice> found;
  std::vector<Status> statuses;
  if (!ReadManyNow(env, database, family, keys, call, &found, &statuses)) {
    return {};
  }
  PackedValues values(static_cast<uint32_t>(found.size()));
  for (uint32_t i = 0; i < found.size(); ++i) {
    if (statuses[i].ok()) {
      values.Add(i, found[i]);
    }
    if (values.size() > kMaxPackedBytes) {
      return {};
    }
  }
  return values.ToJs(env);
}

// An array of true and false.
template <typename IsFound>
Napi::Value FoundToJs(Napi::Env env, size_t count, IsFound is_found) {
  auto array = Napi::Array::New(env, count);
  for (uint32_t i = 0; i < count; ++i) {
    const Napi::HandleScope scope(env);
    array.Set(i, Napi::Boolean::New(env, is_found(i)));
  }
  return array;
}

// Makes one piece of memory if the values are small, otherwise an array.
Napi::Value ValuesToJs(Napi::Env env, std::vector<Value>& values, Encoding encoding) {
  size_t size = 0;
  for (const Value& each : values) {
    size += each.bytes.size();
  }
  if (size <= kMaxPackedBytes) {
    PackedValues packed(static_cast<uint32_t>(values.size()));
    for (uint32_t i = 0; i < values.size(); ++i) {
      if (values[i].found) {
        packed.Add(i, values[i].bytes);
      }
    }
    return packed.ToJs(env);
  }
  auto array = Napi::Array::New(env, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) {
    const Napi::HandleScope scope(env);
    array.Set(i, values[i].ToJsValue(env, encoding));
  }
  return array;
}

}  // namespace

// Whether to try the next read here first. Call this once for each read, because it counts the reads after a large
// value.
bool DatabaseHandle::NextReadIsDirect(const ReadCall& call) {
  if (call.options.read_tier != rocksdb::kReadAllTier) {
    return false;
  }
  if (skip_direct_reads_ > 0) {
    --skip_direct_reads_;
    return false;
  }
  return true;
}

// get(family, key, options)
Napi::Value DatabaseHandle::get(const Args& args) {
  const Napi::Env env = args.Env();
  ReadCall call = ReadCallOf(env, args[2]);
  const std::shared_ptr<Database>& database = shared_resource(env);
  CheckSnapshot(env, call, *database);
  Database::FamilyPtr family = FamilyOf(env, *database, args[0]);
  const Bytes key(env, args[1], "key");
  if (NextReadIsDirect(call)) {
    PinnableSlice value;
    Status status;
    if (database->GetNow(call.options, *family, key.slice(), &value, &status)) {
      skip_direct_reads_ = value.size() > kLargeValue ? kReadsAfterLargeValue : 0;
      return FoundOrUndefined(env, *database, status, value, call.encoding);
    }
  }
  const Encoding encoding = call.encoding;
  return Async<Value>(
      env, Lane::kShort, Leases(LeaseOf(env)),
      [database, family = std::move(family), key = key.Copy(), call = std::move(call)](Value& value) {
        const Status status = database->db()->Get(call.options, family->handle, key, &value.bytes);
        value.found = status.ok();
        return status.ok() || status.IsNotFound() ? Error() : ReadError(status, *database);
      },
      [encoding](Napi::Env env, Value& value) { return value.ToJsValue(env, encoding); });
}

// getSync(family, key, options, into?)
Napi::Value DatabaseHandle::getSync(const Args& args) {
  const Napi::Env env = args.Env();
  const ReadCall call = ReadCallOf(env, args[2]);
  Database& database = resource(env);
  CheckSnapshot(env, call, database);
  const Database::FamilyPtr family = FamilyOf(env, database, args[0]);
  const Bytes key(env, args[1], "key");
  PinnableSlice value;
  const Status status = database.db()->Get(call.options, family->handle, key.slice(), &value);
  if (status.ok()) {
    const Napi::Value size = CopyInto(env, args[3], value);
    if (!size.IsEmpty()) {
      return size;
    }
  }
  return FoundOrUndefined(env, database, status, value, call.encoding);
}

// getMany(family, keys, options): returns an array, or PackedValues.
Napi::Value DatabaseHandle::getMany(const Args& args) {
  const Napi::Env env = args.Env();
  ReadCall call = ReadCallOf(env, args[2]);
  std::vector<std::string> keys = CopyKeys(env, args[1], "keys");
  const std::shared_ptr<Database>& database = shared_resource(env);
  CheckSnapshot(env, call, *database);
  Database::FamilyPtr family = FamilyOf(env, *database, args[0]);
  if (NextReadIsDirect(call)) {
    Napi::Value values = GetManyNow(env, *database, *family, keys, call);
    if (!values.IsEmpty()) {
      return values;
    }
  }
  const Encoding encoding = call.encoding;
  return Async<std::vector<Value>>(
      env, Lane::kShort, Leases(LeaseOf(env)),
      [database, family = std::move(family), keys = std::move(keys), call = std::move(call)](
          std::vector<Value>& values) { return ReadValues(*database, call.options, family, keys, &values); },
      [encoding](Napi::Env env, std::vector<Value>& values) { return ValuesToJs(env, values, encoding); });
}

// has(family, key, options)
Napi::Value DatabaseHandle::has(const Args& args) {
  const Napi::Env env = args.Env();
  ReadCall call = ReadCallOf(env, args[2]);
  const std::shared_ptr<Database>& database = shared_resource(env);
  CheckSnapshot(env, call, *database);
  Database::FamilyPtr family = FamilyOf(env, *database, args[0]);
  const Bytes key(env, args[1], "key");
  if (NextReadIsDirect(call)) {
    PinnableSlice value;
    Status status;
    if (database->GetNow(call.options, *family, key.slice(), &value, &status) && (status.ok() || status.IsNotFound())) {
      skip_direct_reads_ = value.size() > kLargeValue ? kReadsAfterLargeValue : 0;
      return Napi::Boolean::New(env, status.ok());
    }
  }
  return Async<bool>(
      env, Lane::kShort, Leases(LeaseOf(env)),
      [database, family = std::move(family), key = key.Copy(), call = std::move(call)](bool& found) {
        PinnableSlice value;
        const Status status = database->db()->Get(call.options, family->handle, key, &value);
        found = status.ok();
        return status.ok() || status.IsNotFound() ? Error() : ReadError(status, *database);
      },
      [](Napi::Env env, bool& found) { return Napi::Boolean::New(env, found); });
}

// hasMany(family, keys, options)
Napi::Value DatabaseHandle::hasMany(const Args& args) {
  const Napi::Env env = args.Env();
  ReadCall call = ReadCallOf(env, args[2]);
  std::vector<std::string> keys = CopyKeys(env, args[1], "keys");
  const std::shared_ptr<Database>& database = shared_resource(env);
  CheckSnapshot(env, call, *database);
  Database::FamilyPtr family = FamilyOf(env, *database, args[0]);
  std::vector<PinnableSlice> values;
  std::vector<Status> statuses;
  if (NextReadIsDirect(call) && ReadManyNow(env, *database, *family, keys, call, &values, &statuses)) {
    return FoundToJs(env, statuses.size(), [&](size_t i) { return statuses[i].ok(); });
  }
  return Async<std::vector<char>>(
      env, Lane::kShort, Leases(LeaseOf(env)),
      [database, family = std::move(family), keys = std::move(keys), call = std::move(call)](std::vector<char>& found) {
        found.resize(keys.size());
        return ReadEach(*database, call.options, family, keys,
                        [&found](size_t i, bool is_found, const PinnableSlice&) { found[i] = is_found ? 1 : 0; });
      },
      [](Napi::Env env, std::vector<char>& found) {
        return FoundToJs(env, found.size(), [&](size_t i) { return found[i] != 0; });
      });
}

// (family, key, options), or (family, key, value, options) if the operation takes two.
template <auto kOperation, bool kTwo, bool kNow>
Napi::Value DatabaseHandle::WriteOne(const Args& args) {
  const Napi::Env env = args.Env();
  const rocksdb::WriteOptions options = WriteOptionsOf(env, args[kTwo ? 3 : 2]);
  const std::shared_ptr<Database>& database = shared_resource(env);
  const Database::FamilyPtr family = FamilyOf(env, *database, args[0]);
  const Bytes key(env, args[1], "key");
  rocksdb::WriteBatch batch;
  if constexpr (kTwo) {
    const Bytes value(env, args[2], "value");
    batch = rocksdb::WriteBatch(key.size() + value.size() + 64);  // with room for what RocksDB adds
    ThrowIfError(env, Error::From(kOperation(&batch, family->handle, key.slice(), value.slice())));
  } else {
    ThrowIfError(env, Error::From(kOperation(&batch, family->handle, key.slice(), {})));
  }
  if constexpr (kNow) {
    WriteNow(env, database, options, &batch);
    return env.Undefined();
  } else {
    return WriteSoon(env, database, options, std::move(batch));
  }
}

// writePacked(count, words, bytes, used): see AppendPacked.
Napi::Value DatabaseHandle::writePacked(const Args& args) {
  const Napi::Env env = args.Env();
  const std::shared_ptr<Database>& database = shared_resource(env);
  rocksdb::WriteBatch batch;
  AppendPacked(args, *database, &batch);
  return WriteSoon(env, database, rocksdb::WriteOptions(), std::move(batch));
}

Napi::Value DatabaseHandle::put(const Args& args) { return WriteOne<batch_operation::Put, true, false>(args); }
Napi::Value DatabaseHandle::putSync(const Args& args) { return WriteOne<batch_operation::Put, true, true>(args); }
Napi::Value DatabaseHandle::del(const Args& args) { return WriteOne<batch_operation::Delete, false, false>(args); }
Napi::Value DatabaseHandle::deleteSync(const Args& args) {
  return WriteOne<batch_operation::Delete, false, true>(args);
}
Napi::Value DatabaseHandle::singleDelete(const Args& args) {
  return WriteOne<batch_operation::SingleDelete, false, false>(args);
}
Napi::Value DatabaseHandle::deleteRange(const Args& args) {
  return WriteOne<batch_operation::DeleteRange, true, false>(args);
}
Napi::Value DatabaseHandle::merge(const Args& args) { return WriteOne<batch_operation::Merge, true, false>(args); }

}  // namespace rocksdb_backup
