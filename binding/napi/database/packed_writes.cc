#include "napi/database/packed_writes.h"

#include <cstdint>

#include "napi/database/write_batch.h"
#include "napi/values/options.h"

namespace rocksdb_backup {
namespace {

constexpr size_t kWords = 3;

struct Pack {
  uint32_t count;
  const uint32_t* words;
  const char* bytes;
  size_t used;
};

// The arguments come from lib, so only those are checked that could lead to reads out of bounds.
Pack PackOf(const Args& args) {
  const Napi::Env env = args.Env();
  const auto count = ReadValue<uint32_t>(env, "count", args[0], {});
  const auto used = ReadValue<uint32_t>(env, "used", args[3], {});
  void* words = nullptr;
  void* bytes = nullptr;
  size_t words_length = 0;
  size_t bytes_length = 0;
  napi_typedarray_type type = napi_int8_array;
  if (napi_get_typedarray_info(env, args[1], &type, &words_length, &words, nullptr, nullptr) != napi_ok ||
      type != napi_uint32_array || words_length < size_t{count} * kWords) {
    ThrowWrongType(env, "words", "three words for each write", args[1]);
  }
  if (napi_get_buffer_info(env, args[2], &bytes, &bytes_length) != napi_ok || bytes_length < used) {
    ThrowWrongType(env, "bytes", "the keys and values", args[2]);
  }
  return {count, static_cast<const uint32_t*>(words), static_cast<const char*>(bytes), used};
}

}  // namespace

void AppendPacked(const Args& args, const Database& database, rocksdb::WriteBatch* batch) {
  const Napi::Env env = args.Env();
  const Pack pack = PackOf(args);
  Database::FamilyPtr family;
  uint32_t family_id = 0;
  size_t at = 0;
  batch->SetSavePoint();
  for (uint32_t i = 0; i < pack.count; ++i) {
    const uint32_t* write = pack.words + size_t{i} * kWords;
    const uint32_t id = write[0] / 2;
    const bool is_delete = write[0] % 2 == 1;
    const size_t key_size = write[1];
    const size_t value_size = write[2];
    Error error;
    if (family == nullptr || id != family_id) {
      family = database.FamilyById(id);
      family_id = id;
      error = family == nullptr ? Database::DroppedError() : Error();
    }
    if (error.ok() && key_size + value_size > pack.used - at) {
      error = Error("INVALID_OPTION", "the sizes of packed writes exceed their bytes");
    }
    if (error.ok()) {
      const rocksdb::Slice key(pack.bytes + at, key_size);
      const rocksdb::Slice value(pack.bytes + at + key_size, value_size);
      error = Error::From(is_delete ? batch->Delete(family->handle, key) : batch->Put(family->handle, key, value));
      at += key_size + value_size;
    }
    if (!error.ok()) {
      batch->RollbackToSavePoint().PermitUncheckedError();
      Throw(env, error);
    }
  }
  batch->PopSavePoint().PermitUncheckedError();
}

}  // namespace rocksdb_backup
