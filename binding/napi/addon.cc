#include <mutex>

#include "core/base/engine_info.h"
#include "core/database/database.h"
#include "napi/backup/backup_engine.h"
#include "napi/database/database.h"
#include "napi/database/iterator.h"
#include "napi/database/snapshot.h"
#include "napi/database/write_batch.h"
#include "napi/runtime/addon_data.h"
#include "napi/runtime/at_exit.h"
#include "napi/runtime/errors.h"
#include "napi/runtime/pin_library.h"
#include "napi/runtime/wrap.h"
#include "napi/stores/js_store.h"
#include "napi/values/values.h"

namespace rocksdb_backup {
namespace {

// setErrorClass(RocksDBError): the class of the errors that ToJs makes.
void SetErrorClass(const Args& args) {
  if (!args[0].IsFunction()) {
    ThrowWrongType(args.Env(), "errorClass", "a class", args[0]);
  }
  AddonData::Of(args.Env()).error_class = Napi::Persistent(args[0].As<Napi::Function>());
}

// setReadPool(buffer): the memory that small values are copied into.
void SetReadPool(const Args& args) { AddonData::Of(args.Env()).read_pool.Use(args.Env(), args[0]); }

Napi::Value EngineInfoToJs(const Args& args) {
  const Napi::Env env = args.Env();
  const EngineInfo info = GetEngineInfo();
  auto object = Napi::Object::New(env);
  object.Set("rocksdb", Napi::String::New(env, info.rocksdb));
  object.Set("compressions", ToJs(env, info.compressions));
  object.Set("features", ToJs(env, info.features));
  return object;
}

void StopEverything() {
  StopAllLongTasks();
  Database::ShutDownAll();
}

// Runs once for each env: the main thread, and every Worker that loads the addon.
Napi::Object Init(Napi::Env env, Napi::Object exports) {
  PinLibrary();
  static std::once_flag once;
  std::call_once(once, [] { AtExit(StopEverything); });
  AddonData::Create(env);
  exports["setErrorClass"] = MakeFunction<SetErrorClass>(env, "setErrorClass");
  exports["setReadPool"] = MakeFunction<SetReadPool>(env, "setReadPool");
  exports["engineInfo"] = MakeFunction<EngineInfoToJs>(env, "engineInfo");
  DatabaseHandle::Define(env, exports);
  IteratorHandle::Define(env, exports);
  SnapshotHandle::Define(env, exports);
  WriteBatchHandle::Define(env, exports);
  RegisterBackupEngine(env, exports);
  RegisterStores(env, exports);
  return exports;
}

}  // namespace
}  // namespace rocksdb_backup

namespace {
Napi::Object Init(Napi::Env env, Napi::Object exports) { return rocksdb_backup::Init(env, exports); }
}  // namespace

NODE_API_MODULE(rocksdb_backup, Init)
