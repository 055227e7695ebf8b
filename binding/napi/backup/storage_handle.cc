#include "napi/backup/storage_handle.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/background.h"
#include "core/base/paths.h"
#include "core/storage/local_storage.h"
#include "napi/runtime/wrap.h"
#include "napi/values/values.h"

namespace rocksdb_backup {
namespace {

class StateLockHandle : public Wrapped {
 public:
  explicit StateLockHandle(std::shared_ptr<StorageLock> lock)
      : Wrapped(TypeId<StateLockHandle>::id()), lock_(std::move(lock)) {}
  ~StateLockHandle() override {
    if (lock_ != nullptr) {
      RunInBackground([lock = std::move(lock_)]() mutable { lock.reset(); });
    }
  }

  // In a store, this is a request.
  Napi::Value Release(const Args& args) {
    return Async(args.Env(), Lane::kLong, Leases(), [lock = std::exchange(lock_, nullptr)]() mutable {
      lock.reset();
      return Error();
    });
  }
  // Throws LOCK_LOST if others may have taken the lock in the meantime.
  void AssertHeld(const Args& args) {
    const Error released("LOCK_LOST", "the lock was released before");
    if (const Error error = lock_ != nullptr ? lock_->StillHeld() : released; !error.ok()) {
      Throw(args.Env(), error);
    }
  }

 private:
  std::shared_ptr<StorageLock> lock_;
};

// The lock of a directory of this machine.
class DirectoryLockHandle : public Wrapped {
 public:
  explicit DirectoryLockHandle(std::unique_ptr<StorageLock> lock)
      : Wrapped(TypeId<DirectoryLockHandle>::id()), lock_(std::move(lock)) {}
  void Release(const Args& /*args*/) { lock_.reset(); }

 private:
  std::unique_ptr<StorageLock> lock_;
};

class StorageHandle : public Wrapped {
 public:
  const std::shared_ptr<Storage>& storage() const { return storage_; }

  explicit StorageHandle(std::shared_ptr<Storage> storage)
      : Wrapped(TypeId<StorageHandle>::id()), storage_(std::move(storage)) {}

  Napi::Value Name(const Args& args) { return Napi::String::New(args.Env(), storage_->name()); }
  Napi::Value Identity(const Args& args) { return Napi::String::New(args.Env(), storage_->identity()); }
  Napi::Value LocalDirectory(const Args& args) {
    const std::string& directory = storage_->local_directory();
    return directory.empty() ? args.Env().Undefined() : Napi::String::New(args.Env(), directory).As<Napi::Value>();
  }

  // (file): returns { bytes, version }, or undefined if there is no such file.
  Napi::Value ReadSmall(const Args& args) {
    using Read = std::optional<SmallFile>;
    return Async<Read>(
        args.Env(), Lane::kLong, Leases(),
        [storage = storage_, file = StringArgument(args.Env(), args[0], "file")](Read& read) {
          return storage->ReadSmall(file, &read);
        },
        [](Napi::Env env, Read& read) -> Napi::Value {
          if (!read) {
            return env.Undefined();
          }
          auto result = Napi::Object::New(env);
          result.Set("bytes", ToJs(env, std::move(read->text), Encoding::kBuffer));
          result.Set("version", read->version);
          return result;
        });
  }

  // (file, version, bytes): returns the new version. With undefined as version, the file must not exist yet.
  Napi::Value ReplaceSmall(const Args& args) {
    const Napi::Env env = args.Env();
    std::optional<std::string> version;
    if (!args[1].IsUndefined()) {
      version = StringArgument(env, args[1], "version");
    }
    return Async<std::string>(
        env, Lane::kLong, Leases(),
        [storage = storage_, file = StringArgument(env, args[0], "file"), version = std::move(version),
         text = Bytes(env, args[2], "bytes").Copy()](std::string& new_version) {
          return storage->ReplaceSmall(file, version, text, &new_version);
        },
        [](Napi::Env js, std::string& new_version) -> Napi::Value { return Napi::String::New(js, new_version); });
  }

  // Returns undefined while another holder has the lock.
  Napi::Value TryLockState(const Args& args) {
    using Lock = std::unique_ptr<StorageLock>;
    return Async<Lock>(
        args.Env(), Lane::kLong, Leases(),
        [storage = storage_](Lock& lock) {
          Error error = storage->LockState(&lock);
          return error.code() == "STATE_LOCKED" ? Error() : error;
        },
        [](Napi::Env env, Lock& lock) -> Napi::Value {
          if (lock == nullptr) {
            return env.Undefined();
          }
          return Wrap(env, std::make_unique<StateLockHandle>(std::move(lock)));
        });
  }

 private:
  const std::shared_ptr<Storage> storage_;
};

// (location)
Napi::Value OpenStorage(const Args& args) {
  return WrapStorage(args.Env(), StorageArgument(args.Env(), args[0], "location"));
}

// (path). Returns undefined while another has the lock. Runs on the JS thread: it takes two system calls, which wait
// for nobody.
Napi::Value TryLockDirectory(const Args& args) {
  std::unique_ptr<StorageLock> lock;
  const Error error = LocalStorage(RealPath(PathArgument(args.Env(), args[0], "path"))).LockState(&lock);
  if (error.code() == "STATE_LOCKED") {
    return args.Env().Undefined();
  }
  if (!error.ok()) {
    Throw(args.Env(), error);
  }
  return Wrap(args.Env(), std::make_unique<DirectoryLockHandle>(std::move(lock)));
}

const char* WordFor(RepositoryUse::What what) {
  switch (what) {
    case RepositoryUse::What::kWriting:
      return "writing";
    case RepositoryUse::What::kReading:
      return "reading";
    case RepositoryUse::What::kDeleting:
      return "deleting";
    case RepositoryUse::What::kState:
      return "state";
  }
  return "";
}

// (path, backupIds). Runs on the JS thread: a system call for each backup, which waits for nobody.
Napi::Value UsesOfDirectory(const Args& args) {
  const Napi::Env env = args.Env();
  std::vector<uint32_t> ids;
  const auto given = args[1].As<Napi::Array>();
  for (uint32_t i = 0; i < given.Length(); ++i) {
    ids.push_back(given.Get(i).As<Napi::Number>().Uint32Value());
  }
  const auto uses = LocalStorage(RealPath(PathArgument(env, args[0], "path"))).UsesOf(ids);
  auto result = Napi::Array::New(env, uses.size());
  for (uint32_t i = 0; i < uses.size(); ++i) {
    auto use = Napi::Object::New(env);
    use.Set("what", WordFor(uses[i].what));
    if (uses[i].backup_id != 0) {
      use.Set("backupId", uses[i].backup_id);
    }
    if (!uses[i].holder.empty()) {
      use.Set("holder", uses[i].holder);
    }
    result.Set(i, use);
  }
  return result;
}

}  // namespace

std::shared_ptr<Storage> StorageArgument(Napi::Env env, Napi::Value value, std::string_view name) {
  if (auto* const handle = Unwrap<StorageHandle>(env, value)) {
    return handle->storage();
  }
  return std::make_shared<LocalStorage>(RealPath(PathArgument(env, value, name)));
}

Napi::Value WrapStorage(Napi::Env env, std::shared_ptr<Storage> storage) {
  return Wrap(env, std::make_unique<StorageHandle>(std::move(storage)));
}

void RegisterStorage(Napi::Env env, Napi::Object exports) {
  using S = StorageHandle;
  DefineClass<S>(env, "NativeStorage",
                 {
                     Getter<&S::Name>("name"),
                     Getter<&S::Identity>("identity"),
                     Getter<&S::LocalDirectory>("localDirectory"),
                     AsyncMethod<&S::ReadSmall>("readSmall"),
                     AsyncMethod<&S::ReplaceSmall>("replaceSmall"),
                     AsyncMethod<&S::TryLockState>("tryLockState"),
                 });
  DefineClass<StateLockHandle>(
      env, "NativeStateLock",
      {AsyncMethod<&StateLockHandle::Release>("release"), Method<&StateLockHandle::AssertHeld>("assertHeld")});
  DefineClass<DirectoryLockHandle>(env, "NativeDirectoryLock", {Method<&DirectoryLockHandle::Release>("release")});
  exports.Set("openStorage", MakeFunction<&OpenStorage>(env, "openStorage"));
  exports.Set("usesOfDirectory", MakeFunction<&UsesOfDirectory>(env, "usesOfDirectory"));
  exports.Set("tryLockDirectory", MakeFunction<&TryLockDirectory>(env, "tryLockDirectory"));
}

}  // namespace rocksdb_backup
