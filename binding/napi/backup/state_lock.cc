#include "napi/backup/state_lock.h"

#include <memory>
#include <utility>

#include "core/storage/directory_lock.h"
#include "napi/runtime/wrap.h"
#include "napi/values/values.h"

namespace rocksdb_backup {
namespace {

class StateLockHandle : public Wrapped {
 public:
  explicit StateLockHandle(DirectoryLock lock) : Wrapped(TypeId<StateLockHandle>::id()), lock_(std::move(lock)) {}

  void Release(const Args& /*args*/) { lock_.Release(); }
  // Throws LOCK_LOST if others may have taken the lock in the meantime.
  void AssertHeld(const Args& args) {
    if (const Error error = lock_.StillHeld(); !error.ok()) {
      Throw(args.Env(), error);
    }
  }

 private:
  DirectoryLock lock_;
};

// (location). Returns undefined while another has the lock. Runs on the JS thread: it takes two system calls, which
// wait for nobody.
Napi::Value TryLockState(const Args& args) {
  DirectoryLock lock;
  const Error error = DirectoryLock::AcquireState(PathArgument(args.Env(), args[0], "location"), &lock);
  if (error.code() == "STATE_LOCKED") {
    return args.Env().Undefined();
  }
  if (!error.ok()) {
    Throw(args.Env(), error);
  }
  return Wrap(args.Env(), std::make_unique<StateLockHandle>(std::move(lock)));
}

}  // namespace

void RegisterStateLock(Napi::Env env, Napi::Object exports) {
  DefineClass<StateLockHandle>(
      env, "NativeStateLock",
      {Method<&StateLockHandle::Release>("release"), Method<&StateLockHandle::AssertHeld>("assertHeld")});
  exports.Set("tryLockState", MakeFunction<&TryLockState>(env, "tryLockState"));
}

}  // namespace rocksdb_backup
