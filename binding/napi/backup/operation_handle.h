#pragma once

#include <memory>
#include <utility>

#include "core/base/operation.h"
#include "napi/runtime/js_callback.h"
#include "napi/runtime/wrap.h"

namespace rocksdb_backup {

// What lib holds of a running create, verify or restore. lib can stop it, and is told of its progress. It is made
// before the call and passed to it, so that an AbortSignal has something to stop from the first moment on.
class OperationHandle : public Wrapped {
 public:
  OperationHandle(std::shared_ptr<Operation> operation, JsCallback on_progress)
      : Wrapped(TypeId<OperationHandle>::id()),
        operation_(std::move(operation)),
        on_progress_(std::move(on_progress)) {}

  const std::shared_ptr<Operation>& operation() const { return operation_; }
  const JsCallback& on_progress() const { return on_progress_; }

  Napi::Value Stop(const Args& args) { return Napi::Boolean::New(args.Env(), operation_->RequestStop()); }

 protected:
  void Detach(AddonData& /*addon*/) override { on_progress_.Reset(); }

 private:
  const std::shared_ptr<Operation> operation_;
  JsCallback on_progress_;
};

void RegisterOperation(Napi::Env env, Napi::Object exports);

// The operation that was passed as an argument. Throws if there is none.
OperationHandle& OperationArgument(Napi::Env env, Napi::Value value);

}  // namespace rocksdb_backup
