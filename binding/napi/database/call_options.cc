#include "napi/database/call_options.h"

#include <string_view>

#include "napi/database/snapshot.h"

namespace rocksdb_backup {
namespace {

Encoding EncodingOf(Napi::Env env, Napi::Value value) {
  constexpr size_t kSize = 8;
  char name[kSize];
  size_t length = 0;
  napi_get_value_string_utf8(env, value, name, kSize, &length);
  const std::string_view encoding(name, length);
  if (encoding != "utf8" && encoding != "buffer") {
    ThrowWrongType(env, "encoding", "'buffer' or 'utf8'", value);
  }
  return encoding == "utf8" ? Encoding::kUtf8 : Encoding::kBuffer;
}

void ReadSnapshot(Napi::Env env, std::string_view name, Napi::Value value, ReadCall* call) {
  auto* handle = Unwrap<SnapshotHandle>(env, value);
  if (handle == nullptr) {
    ThrowWrongType(env, name, "a snapshot of this database", value);
  }
  call->pin = handle->snapshot()->pin();
  if (call->pin == nullptr) {
    Throw(env, Error("SNAPSHOT_RELEASED", "the snapshot was released, or its database closed"));
  }
  call->options.snapshot = call->pin.get();
  call->snapshot_of = handle->snapshot()->database();
}

}  // namespace

const OptionTable<ReadCall>& ReadTable() {
  using rocksdb::ReadOptions;
  static const OptionTable<ReadOptions> rocksdb_options("read options",
                                                        {
                                                            Field("fillCache", &ReadOptions::fill_cache),
                                                            Field("verifyChecksums", &ReadOptions::verify_checksums),
                                                            Choice("readTier", &ReadOptions::read_tier,
                                                                   {{"all", rocksdb::kReadAllTier},
                                                                    {"blockCache", rocksdb::kBlockCacheTier},
                                                                    {"persisted", rocksdb::kPersistedTier},
                                                                    {"memtable", rocksdb::kMemtableTier}}),
                                                        });
  static const auto* table = new OptionTable<ReadCall>(
      OptionTable<ReadCall>(
          "read options",
          {
              Choice("encoding", &ReadCall::encoding, {{"buffer", Encoding::kBuffer}, {"utf8", Encoding::kUtf8}}),
              Custom<ReadCall>("snapshot", ReadSnapshot),
          })
          .With(rocksdb_options.Within<ReadCall>([](ReadCall* call) { return &call->options; })));
  return *table;
}

void CheckSnapshot(Napi::Env env, const ReadCall& call, const Database& database) {
  if (call.snapshot_of != nullptr && call.snapshot_of != &database) {
    throw Napi::TypeError::New(env, "snapshot must be one of this database, not of another");
  }
}

ReadCall ReadCallOf(Napi::Env env, Napi::Value value) {
  ReadCall call;
  if (value.IsString()) {  // only an encoding instead of options, which is faster
    call.encoding = EncodingOf(env, value);
    return call;
  }
  ReadTable().Read(env, value, &call);
  return call;
}

rocksdb::WriteOptions WriteOptionsOf(Napi::Env env, Napi::Value value) {
  using rocksdb::WriteOptions;
  static const auto* table =
      new OptionTable<WriteOptions>("write options", {
                                                         Field("sync", &WriteOptions::sync),
                                                         Field("disableWAL", &WriteOptions::disableWAL),
                                                         Field("noSlowdown", &WriteOptions::no_slowdown),
                                                         Field("lowPri", &WriteOptions::low_pri),
                                                     });
  WriteOptions options;
  table->Read(env, value, &options);
  return options;
}

}  // namespace rocksdb_backup
