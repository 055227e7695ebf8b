#include "napi/backup/operation_handle.h"

#include <limits>

namespace rocksdb_backup {
namespace {

const char* PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kFlush:
      return "flush";
    case Phase::kCopy:
      return "copy";
    case Phase::kCommit:
      return "commit";
    case Phase::kVerify:
      return "verify";
    case Phase::kRestore:
      return "restore";
  }
  return "";
}

Napi::Object ProgressToJs(Napi::Env env, const Progress& progress) {
  auto object = Napi::Object::New(env);
  object.Set("phase", PhaseName(progress.phase));
  object.Set("bytesDone", static_cast<double>(progress.bytes_done));
  object.Set("bytesTotal", static_cast<double>(progress.bytes_total));
  object.Set("filesDone", progress.files_done);
  object.Set("filesTotal", progress.files_total);
  object.Set("file", progress.file);
  object.Set("bytesPerSecond", progress.bytes_per_second);
  object.Set("secondsLeft",
             progress.seconds_left < 0 ? std::numeric_limits<double>::infinity() : progress.seconds_left);
  return object;
}

Napi::Value NewOperation(const Args& args) {
  if (!args[0].IsFunction()) {
    return Wrap(args.Env(), std::make_unique<OperationHandle>(std::make_shared<Operation>(), JsCallback()));
  }
  JsCallback on_progress(args[0].As<Napi::Function>());
  auto operation = std::make_shared<Operation>([call = on_progress.caller()](const Progress& progress) {
    call([progress](Napi::Env env, const Napi::Function& function) { function.Call({ProgressToJs(env, progress)}); });
  });
  return Wrap(args.Env(), std::make_unique<OperationHandle>(std::move(operation), std::move(on_progress)));
}

}  // namespace

void RegisterOperation(Napi::Env env, Napi::Object exports) {
  DefineClass<OperationHandle>(env, "NativeOperation", {Method<&OperationHandle::Stop>("stop")});
  exports.Set("newOperation", MakeFunction<&NewOperation>(env, "newOperation"));
}

OperationHandle& OperationArgument(Napi::Env env, Napi::Value value) {
  auto* handle = Unwrap<OperationHandle>(env, value);
  if (handle == nullptr) {
    ThrowWrongType(env, "operation", "an operation made by newOperation()", value);
  }
  return *handle;
}

}  // namespace rocksdb_backup
