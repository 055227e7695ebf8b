#include "core/stores/object_storage.h"

#include <unistd.h>

#include <atomic>
#include <random>
#include <utility>
#include <vector>

#include "core/stores/store_layout.h"

namespace rocksdb_backup {
namespace {

using Kind = StoreRequest::Kind;

// Of 8 MiB each (kPartBytes). The files that are being written and read hold one more each.
constexpr size_t kSlots = 5;

std::string LeaseKey(const std::string& name) { return kLeases + name; }
std::string ReadersPrefix(uint32_t id) { return LeaseKey("reading-" + std::to_string(id) + "-"); }
std::string DeletingKey(uint32_t id) { return LeaseKey("deleting-" + std::to_string(id)); }

std::string NewNonce() {
  static std::atomic<uint64_t> count{0};
  static const uint64_t random = std::random_device{}() * uint64_t{0x100000000} + std::random_device{}();
  return std::to_string(random) + "-" + std::to_string(++count);
}

template <class Base>
class LeaseLock : public Base {
 public:
  explicit LeaseLock(std::shared_ptr<Lease> lease) : lease_(std::move(lease)) {}
  Error StillHeld() const override { return lease_ == nullptr ? Error() : lease_->StillHeld(); }

 protected:
  const std::shared_ptr<Lease> lease_;  // null: this user may not write leases
};

class ObjectReaderLock : public LeaseLock<ReaderLock> {
 public:
  using LeaseLock::LeaseLock;
  Error KeepOtherProgramsOut() override { return Error(); }
};

class ObjectWriterLock : public LeaseLock<WriterLock> {
 public:
  ObjectWriterLock(std::shared_ptr<Lease> lease, std::shared_ptr<ObjectStore> store, const LeaseTimes& times,
                   std::function<bool()> stopped)
      : LeaseLock(std::move(lease)), store_(std::move(store)), times_(times), stopped_(std::move(stopped)) {}

  Error StillHeld() const override {
    Error error = lease_->StillHeld();
    for (const auto& excluded : excluded_) {
      if (error.ok()) {
        error = excluded->StillHeld();
      }
    }
    return error;
  }

  // First the note that the backup goes, then a look for its readers. Readers do it the other way round. So of a reader
  // and a writer that come at the same time, at least one sees the other.
  Error ExcludeReaders(uint32_t backup_id) override {
    const auto in_use = [&](const std::string& holder) {
      return Error("BACKUP_IN_USE",
                   "backup " + std::to_string(backup_id) + " in " + store_->name() + " is being read by " + holder)
          .With("path", store_->name())
          .With("backupId", uint64_t{backup_id})
          .With("holder", holder);
    };
    std::string holder;
    std::unique_ptr<Lease> excluded;
    if (Error error =
            Lease::Take(store_, times_, {.key = DeletingKey(backup_id), .stopped = stopped_}, &excluded, &holder);
        !error.ok()) {
      return error;
    }
    if (excluded == nullptr) {
      return in_use(holder);
    }
    StoreClient client(store_, nullptr, nullptr);
    std::string after;
    do {
      const StoreAnswer page = client.Do({.kind = Kind::kList, .key = ReadersPrefix(backup_id), .after = after});
      if (!page.ok()) {
        return Error(page.error)
            .Reworded("looking for readers of backup " + std::to_string(backup_id) + " in " + store_->name() + ": " +
                      page.error.message())
            .With("path", store_->name());
      }
      for (const StoredObject& reader : page.objects) {
        bool live = true;
        if (Error error = Lease::IsLive(store_, times_, reader.key, stopped_, &live, &holder); !error.ok()) {
          return error;
        }
        if (live) {
          return in_use(holder);
        }
      }
      after = page.next;
    } while (!after.empty());
    excluded_.push_back(std::move(excluded));
    return Error();
  }

 private:
  const std::shared_ptr<ObjectStore> store_;
  const LeaseTimes times_;
  const std::function<bool()> stopped_;
  std::vector<std::unique_ptr<Lease>> excluded_;
};

}  // namespace

ObjectStorage::ObjectStorage(std::shared_ptr<ObjectStore> store, LeaseTimes times, std::string root)
    : root_(std::move(root)),
      store_(std::move(store)),
      times_(times),
      slots_(std::make_shared<PartSlots>(kSlots)),
      pending_(std::make_shared<PendingFiles>()) {}

ObjectStorage::ObjectStorage(const ObjectStorage& whole, std::shared_ptr<Operation> operation)
    : root_(whole.root_),
      store_(whole.store_),
      times_(whole.times_),
      slots_(whole.slots_),
      pending_(whole.pending_),
      operation_(std::move(operation)),
      client_(std::make_shared<StoreClient>(store_, slots_, operation_)),
      files_(std::make_shared<ObjectFileSystem>(client_, pending_, root_)) {}

std::shared_ptr<StoreClient> ObjectStorage::NewClient() const {
  return client_ != nullptr ? client_ : std::make_shared<StoreClient>(store_, slots_, nullptr);
}

std::function<bool()> ObjectStorage::WhenStopped() const {
  return [operation = operation_] { return operation != nullptr && operation->ended(); };
}

std::shared_ptr<ObjectFileSystem> ObjectStorage::object_files() const {
  return files_ != nullptr ? files_ : std::make_shared<ObjectFileSystem>(NewClient(), pending_, root_);
}

std::shared_ptr<Storage> ObjectStorage::ForOperation(std::shared_ptr<Operation> operation) {
  return std::shared_ptr<Storage>(new ObjectStorage(*this, std::move(operation)));
}

// RocksDB keeps nothing of an error but its text.
Error ObjectStorage::Explain(Error error) const {
  const Error failure = client_ == nullptr ? Error() : client_->failure();
  if (failure.ok() || !error.code().starts_with("ROCKSDB_")) {
    return error;
  }
  return Error(failure).Reworded(error.message());
}

Error ObjectStorage::MakeReady() {
  const std::string text =
      "A repository of backups of RocksDB, made by rocksdb-backup. Do not delete this object.\nversion 1\n";
  const auto client = NewClient();
  const StoreAnswer put = client->Do({.kind = Kind::kPut,
                                      .key = kRepositoryMark,
                                      .bytes = std::make_shared<const std::string>(text),
                                      .if_absent = true});
  if (put.ok() || put.failure == StoreFailure::kConditionFailed) {
    return Error();
  }
  return Error(put.error)
      .Reworded("cannot make a repository in " + name() + ": " + put.error.message())
      .With("path", name());
}

Error ObjectStorage::LockWriter(std::unique_ptr<WriterLock>* lock) {
  std::unique_ptr<Lease> lease;
  std::string holder;
  const Lease::Request request{
      .key = LeaseKey("writer"), .if_unknown = Lease::IfUnknown::kWait, .stopped = WhenStopped()};
  if (Error error = Lease::Take(store_, times_, request, &lease, &holder); !error.ok()) {
    return error;
  }
  if (lease == nullptr) {
    return Error("BACKUP_LOCKED", "another process creates or deletes backups in " + name() + ": " + holder)
        .With("path", name())
        .With("holder", holder);
  }
  const std::shared_ptr<Lease> shared = std::move(lease);
  if (client_ != nullptr) {
    // The end of a lease waits for a request. So whoever answers requests must never be the last who has it.
    client_->SetFence([weak = std::weak_ptr(shared)] {
      const auto held = weak.lock();
      return held != nullptr ? held->StillHeld() : Error("LOCK_LOST", "the lock was released");
    });
  }
  *lock = std::make_unique<ObjectWriterLock>(shared, store_, times_, WhenStopped());
  return Error();
}

Error ObjectStorage::LockReader(uint32_t backup_id, Access access, std::unique_ptr<ReaderLock>* lock) {
  std::unique_ptr<Lease> lease;
  std::string holder;
  const Lease::Request request{.key = ReadersPrefix(backup_id) + NewNonce(), .stopped = WhenStopped()};
  Error error = Lease::Take(store_, times_, request, &lease, &holder);
  if (error.code() == "STORE_DENIED" && access == Access::kRead) {
    *lock = std::make_unique<ObjectReaderLock>(nullptr);
    return Error();
  }
  if (!error.ok()) {
    return error;
  }
  bool deleting = false;
  if (error = Lease::IsLive(store_, times_, DeletingKey(backup_id), request.stopped, &deleting, &holder); !error.ok()) {
    return error;
  }
  if (deleting) {
    return Error("BACKUP_IN_USE",
                 "backup " + std::to_string(backup_id) + " in " + name() + " is being deleted by " + holder)
        .With("path", name())
        .With("backupId", uint64_t{backup_id})
        .With("holder", holder);
  }
  *lock = std::make_unique<ObjectReaderLock>(std::move(lease));
  return Error();
}

Error ObjectStorage::LockState(std::unique_ptr<StorageLock>* lock) {
  std::unique_ptr<Lease> lease;
  std::string holder;
  if (Error error = Lease::Take(store_, times_, {.key = LeaseKey("state"), .stopped = WhenStopped()}, &lease, &holder);
      !error.ok()) {
    return error;
  }
  if (lease == nullptr) {
    return Error("STATE_LOCKED", "what is remembered about the backups in " + name() + " is being changed by " + holder)
        .With("path", name())
        .With("holder", holder);
  }
  *lock = std::make_unique<LeaseLock<StorageLock>>(std::move(lease));
  return Error();
}

Error ObjectStorage::ReadSmall(const std::string& file, std::optional<SmallFile>* read) const {
  StoreAnswer answer = NewClient()->Do({.kind = Kind::kGet, .key = file});
  if (answer.failure == StoreFailure::kNotFound) {
    *read = std::nullopt;
    return Error();
  }
  if (!answer.ok()) {
    const std::string path = name() + "/" + file;
    return Error("STATE_UNREADABLE", "reading " + path + ": " + answer.error.message()).With("path", path);
  }
  *read = SmallFile{std::move(answer.bytes), std::move(answer.etag)};
  return Error();
}

Error ObjectStorage::ReplaceSmall(const std::string& file, const std::optional<std::string>& version,
                                  const std::string& text, std::string* new_version) {
  const bool any = version == kAnyVersion;
  StoreAnswer put = NewClient()->Do({.kind = Kind::kPut,
                                     .key = file,
                                     .bytes = std::make_shared<const std::string>(text),
                                     .if_absent = !version,
                                     .if_match = version && !any ? *version : ""});
  const std::string path = name() + "/" + file;
  if (put.failure == StoreFailure::kConditionFailed || put.failure == StoreFailure::kNotFound) {
    return Error("STATE_CHANGED", path + " was changed by another process in the meantime").With("path", path);
  }
  if (!put.ok()) {
    // If the answer was lost, it may have been written.
    return Error(put.failure == StoreFailure::kBusy ? "STATE_NOT_DURABLE" : "STATE_UNWRITABLE",
                 "writing " + path + ": " + put.error.message())
        .With("path", path);
  }
  *new_version = std::move(put.etag);
  return Error();
}

}  // namespace rocksdb_backup
