#include "core/stores/object_storage.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>
#include <vector>

#include "core/stores/object_archive.h"
#include "core/stores/store_layout.h"

namespace rocksdb_backup {
namespace {

using Kind = StoreRequest::Kind;

// Three are read ahead, or are written while one is filled. A fifth made nothing faster.
constexpr size_t kParts = 4;

// Clocks may differ by hours.
constexpr std::chrono::milliseconds kAbandonedAfter = std::chrono::hours(24);

// In milliseconds since 1970.
int64_t Now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string LeaseKey(const std::string& name) { return kLeases + name; }
std::string ReadersPrefix(uint32_t id) { return LeaseKey("reading-" + std::to_string(id) + "-"); }
const std::string kDeletingKey = LeaseKey("deleting");

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
    return error.ok() && deleting_ != nullptr ? deleting_->StillHeld() : error;
  }

  Error ExcludeReaders(uint32_t backup_id) override { return ExcludeReadersOf({backup_id}); }

  // First the note that the backups go, then a look for their readers. Readers do it the other way round. So of a
  // reader and a writer that come at the same time, at least one sees the other.
  Error ExcludeReadersOf(const std::vector<uint32_t>& backup_ids) override {
    if (backup_ids.empty()) {
      return Error();
    }
    std::string note = excluded_;
    for (const uint32_t id : backup_ids) {
      note += (note.empty() ? "" : " ") + std::to_string(id);
    }
    std::string holder;
    Error error = deleting_ != nullptr
                      ? deleting_->SetNote(note)
                      : Lease::Take(store_, times_, {.key = kDeletingKey, .note = note, .stopped = stopped_},
                                    &deleting_, &holder);
    if (!error.ok()) {
      return error;
    }
    if (deleting_ == nullptr) {
      return InUse(backup_ids.front(), holder);
    }
    uint32_t read = 0;
    if (error = FindReader(backup_ids, &read, &holder); error.ok() && read != 0) {
      error = InUse(read, holder);
    }
    if (!error.ok()) {
      // Those that were excluded before stay so.
      if (Error ignored = deleting_->SetNote(excluded_); !ignored.ok()) {
        return ignored;
      }
      return error;
    }
    excluded_ = std::move(note);
    return Error();
  }

 private:
  Error InUse(uint32_t backup_id, const std::string& holder) const {
    return Error("BACKUP_IN_USE",
                 "backup " + std::to_string(backup_id) + " in " + store_->name() + " is being read by " + holder)
        .With("path", store_->name())
        .With("backupId", uint64_t{backup_id})
        .With("holder", holder);
  }

  // One list of all readers, who are few. `read` stays 0 if nobody reads one of the backups.
  Error FindReader(const std::vector<uint32_t>& backup_ids, uint32_t* read, std::string* holder) {
    StoreClient client(store_, nullptr, nullptr);
    Error error;
    const StoreAnswer list = client.List(Kind::kList, LeaseKey("reading-"), [&](const StoredObject& reader) {
      const auto found = std::find_if(backup_ids.begin(), backup_ids.end(),
                                      [&](uint32_t id) { return reader.key.starts_with(ReadersPrefix(id)); });
      if (found == backup_ids.end()) {
        return true;
      }
      bool live = true;
      error =
          Lease::IsLive(store_, times_, {.key = reader.key, .if_unknown = Lease::IfUnknown::kWait, .stopped = stopped_},
                        &live, holder);
      if (error.ok() && live) {
        *read = *found;
      }
      return error.ok() && !live;
    });
    return list.ok() ? error
                     : Error(list.error)
                           .Reworded("looking for readers in " + store_->name() + ": " + list.error.message())
                           .With("path", store_->name());
  }

  const std::shared_ptr<ObjectStore> store_;
  const LeaseTimes times_;
  const std::function<bool()> stopped_;
  std::unique_ptr<Lease> deleting_;  // notes which backups are being deleted
  std::string excluded_;             // that note
};

}  // namespace

ObjectStorage::ObjectStorage(std::shared_ptr<ObjectStore> store, LeaseTimes times, std::string root)
    : root_(std::move(root)),
      named_root_(std::make_shared<NamedRoot>(root_, store->name())),
      store_(std::move(store)),
      times_(times),
      parts_(std::make_shared<PartPool>(kParts)),
      pending_(std::make_shared<PendingFiles>()) {}

ObjectStorage::ObjectStorage(const ObjectStorage& whole, std::shared_ptr<Operation> operation,
                             std::shared_ptr<ObjectBlocks> blocks)
    : root_(whole.root_),
      named_root_(whole.named_root_),
      store_(whole.store_),
      times_(whole.times_),
      parts_(whole.parts_),
      pending_(whole.pending_),
      operation_(std::move(operation)),
      client_(std::make_shared<StoreClient>(store_, parts_, operation_)),
      files_(std::make_shared<ObjectFileSystem>(client_, pending_, root_, ObjectFileSystem::Deletes::kMany,
                                                std::move(blocks))) {}

std::string ObjectStorage::NewRoot() {
  static std::atomic<uint64_t> count{0};
  return std::string(kStoreRoot) + "/" + std::to_string(++count);
}

// The memory of an operation's parts goes with it: between two backups a service needs none.
ObjectStorage::~ObjectStorage() {
  if (operation_ != nullptr) {
    parts_->Trim();
    store_->Trim();
  }
}

std::shared_ptr<StoreClient> ObjectStorage::NewClient() const {
  return client_ != nullptr ? client_ : std::make_shared<StoreClient>(store_, parts_, nullptr);
}

std::function<bool()> ObjectStorage::WhenStopped() const {
  return [operation = operation_] { return operation != nullptr && operation->ended(); };
}

std::shared_ptr<ObjectFileSystem> ObjectStorage::object_files() const {
  return files_ != nullptr
             ? files_
             : std::make_shared<ObjectFileSystem>(NewClient(), pending_, root_, ObjectFileSystem::Deletes::kOne);
}

std::shared_ptr<Storage> ObjectStorage::ForOperation(std::shared_ptr<Operation> operation) {
  return std::shared_ptr<Storage>(new ObjectStorage(*this, std::move(operation)));
}

std::shared_ptr<Storage> ObjectStorage::ForDatabase(std::shared_ptr<DiskCache> cache,
                                                    std::shared_ptr<Operation> reading) {
  return std::shared_ptr<Storage>(
      new ObjectStorage(*this, std::move(reading), std::make_shared<ObjectBlocks>(store_, std::move(cache))));
}

// A store in JavaScript says what it is when its thread first serves it, so this is known after the first answer.
Error ObjectStorage::CheckCacheable() const {
  return store_->lasting_identity().empty()
             ? Error("INVALID_OPTION", "diskCache cannot keep what is read from " + name() +
                                           ", because the store has no identity: another store with the same name "
                                           "could not be told from it")
                   .With("path", name())
             : Error();
}

Error ObjectStorage::Explain(Error error) const {
  if (files_ != nullptr) {
    if (Error left = Error::From(files_->FlushDeletes(), "deleting files in " + name()).With("path", name());
        error.ok()) {
      error = std::move(left);
    }
  }
  const Error failure = client_ == nullptr ? Error() : client_->failure();
  if (failure.ok() || !error.code().starts_with("ROCKSDB_")) {
    return error;
  }
  return Error(failure).Reworded(error.message());
}

// A database that is open for days has many failures. The text of the one that is meant is in the error's.
Error ObjectStorage::ExplainRead(Error error) const {
  Error failure = client_ == nullptr || error.ok() ? Error() : client_->FailureIn(error.message());
  return failure.ok() ? error : failure;
}

void ObjectStorage::ExpectFile(const std::string& name, uint64_t size) {
  if (files_ != nullptr) {
    files_->ExpectFile(name, size);
  }
}

int64_t ObjectStorage::LockedUntil(const std::string& path) {
  if (store_->LockedUntil(1) == 0) {
    return 0;
  }
  const std::optional<int64_t> written = object_files()->WrittenAt(path);
  return written ? store_->LockedUntil(*written == 0 ? Now() : *written) : 0;
}

std::vector<std::string> ObjectStorage::RefusedDeletes() const {
  return files_ != nullptr ? files_->RefusedDeletes() : std::vector<std::string>();
}

// What a killed writer had sent of a large file. Of a paused one, too: that file was for nothing anyway. And the leases
// of readers that were killed on this machine. Those of other machines cannot be told from live ones at once: the
// delete of the backup that they read waits until it can.
Error ObjectStorage::RemoveAbandoned() {
  (void)NewClient()->List(Kind::kList, LeaseKey("reading-"), [&](const StoredObject& reader) {
    bool live = true;
    std::string holder;
    (void)Lease::IsLive(store_, times_, {.key = reader.key}, &live, &holder);
    return true;
  });
  if (!store_->limits().has_uploads) {
    return Error();
  }
  const auto client = NewClient();
  const int64_t now = Now();
  const StoreAnswer list = client->List(Kind::kListUploads, "", [&](const StoredObject& upload) {
    if (now - upload.modified > kAbandonedAfter.count()) {
      (void)client->Do({.kind = Kind::kAbort, .key = upload.key, .upload = upload.etag});
    }
    return true;
  });
  if (list.ok() || list.failure == StoreFailure::kRefused || list.failure == StoreFailure::kDenied) {
    return Error();  // or the store forgets them itself, or this user may not see them
  }
  return Error(list.error)
      .Reworded("looking for abandoned uploads in " + name() + ": " + list.error.message())
      .With("path", name());
}

// A store that takes no notice of conditions would give two writers the same lease. Done once, with the first object of
// a repository.
Error ObjectStorage::CheckConditions(StoreClient& client, const std::string& etag, const std::string& text) {
  const auto bytes = std::make_shared<const std::string>(text + "\n");
  const auto unfit = [&](const std::string& what) {
    // A repository of an only writer may be here. Its mark was written anew, and stays.
    bool used = false;
    const StoreAnswer list = client.List(Kind::kList, "meta/", [&](const StoredObject&) {
      used = true;
      return false;
    });
    if (list.ok() && !used) {
      (void)client.Do({.kind = Kind::kDelete, .keys = {kRepositoryMark}});
    }
    return Error("STORE_REFUSED",
                 name() + " cannot hold a repository: " + what + ", so two writers would not see each other")
        .With("path", name())
        .Advise("singleWriter");
  };
  if (client.Do({.kind = Kind::kPut, .key = kRepositoryMark, .bytes = bytes, .if_absent = true}).ok()) {
    return unfit("the store replaces an object that a put must not replace (If-None-Match)");
  }
  const StoreAnswer changed = client.Do({.kind = Kind::kPut, .key = kRepositoryMark, .bytes = bytes, .if_match = etag});
  if (changed.failure == StoreFailure::kRefused || changed.failure == StoreFailure::kConditionFailed) {
    return unfit("the store cannot replace an object on the condition that it is unchanged (If-Match)");
  }
  if (changed.ok() && changed.etag != etag &&
      client
          .Do({.kind = Kind::kPut,
               .key = kRepositoryMark,
               .bytes = std::make_shared<const std::string>(text),
               .if_match = etag})
          .ok()) {
    return unfit("the store replaces an object that has changed (If-Match)");
  }
  return Error();
}

Error ObjectStorage::MakeReady() {
  const std::string text =
      "A repository of backups of RocksDB, made by rocksdb-backup. Do not delete this object.\nversion 1\n";
  const auto client = NewClient();
  const StoreAnswer put = client->Do({.kind = Kind::kPut,
                                      .key = kRepositoryMark,
                                      .bytes = std::make_shared<const std::string>(text),
                                      .if_absent = true});
  if (put.failure == StoreFailure::kConditionFailed) {
    return Error();
  }
  if (put.ok()) {
    return store_->single_writer() ? Error() : CheckConditions(*client, put.etag, text);
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
    client_->SetLease(shared);
  }
  *lock = std::make_unique<ObjectWriterLock>(shared, store_, times_, WhenStopped());
  return Error();
}

Error ObjectStorage::LockReader(uint32_t backup_id, Access access, std::unique_ptr<ReaderLock>* lock) {
  std::unique_ptr<Lease> lease;
  std::string holder;
  const Lease::Request request{.key = ReadersPrefix(backup_id) + NewUniqueId(), .stopped = WhenStopped()};
  Error error = Lease::Take(store_, times_, request, &lease, &holder);
  if (error.code() == "STORE_DENIED" && access == Access::kRead) {
    *lock = std::make_unique<ObjectReaderLock>(nullptr);
    return Error();
  }
  if (!error.ok()) {
    return error;
  }
  bool deleting = false;
  std::string deleted;
  if (error = Lease::IsLive(store_, times_, {.key = kDeletingKey, .stopped = request.stopped}, &deleting, &holder,
                            &deleted);
      !error.ok()) {
    return error;
  }
  if (deleting && (" " + deleted + " ").find(" " + std::to_string(backup_id) + " ") != std::string::npos) {
    return Error("BACKUP_IN_USE",
                 "backup " + std::to_string(backup_id) + " in " + name() + " is being deleted by " + holder)
        .With("path", name())
        .With("backupId", uint64_t{backup_id})
        .With("holder", holder);
  }
  *lock = std::make_unique<ObjectReaderLock>(std::move(lease));
  return Error();
}

std::shared_ptr<ArchiveFiles> ObjectStorage::archive_files() const { return NewObjectArchive(NewClient()); }

Error ObjectStorage::LockTimeline(uint64_t timeline, std::unique_ptr<StorageLock>* lock) {
  std::unique_ptr<Lease> lease;
  std::string holder;
  const Lease::Request request{.key = LeaseKey("archiving-" + std::to_string(timeline)),
                               .if_unknown = Lease::IfUnknown::kWait,
                               .stopped = WhenStopped()};
  if (Error error = Lease::Take(store_, times_, request, &lease, &holder); !error.ok()) {
    return error;
  }
  if (lease == nullptr) {
    return Error("ARCHIVE_LOCKED",
                 "another database is being archived to the same timeline of " + name() + " by " + holder)
        .With("path", name())
        .With("holder", holder);
  }
  *lock = std::make_unique<LeaseLock<StorageLock>>(std::move(lease));
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
    return Error(answer.error)
        .WithCode("STATE_UNREADABLE")
        .Reworded("reading " + path + ": " + answer.error.message())
        .With("path", path);
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
  if (put.failure == StoreFailure::kConditionFailed && version && !any) {
    const StoreAnswer there = NewClient()->Do({.kind = Kind::kGet, .key = file});
    if (there.ok() && there.etag == *version) {
      return Error("STATE_UNWRITABLE", "writing " + path +
                                           ": the store does not replace it on the condition that it is unchanged "
                                           "(If-Match), although it is")
          .With("path", path)
          .Advise("singleWriter");
    }
  }
  if (put.failure == StoreFailure::kConditionFailed || put.failure == StoreFailure::kNotFound) {
    return Error("STATE_CHANGED", path + " was changed by another process in the meantime").With("path", path);
  }
  if (!put.ok()) {
    // If the answer was lost, it may have been written.
    return Error(put.error)
        .WithCode(put.failure == StoreFailure::kBusy ? "STATE_NOT_DURABLE" : "STATE_UNWRITABLE")
        .Reworded("writing " + path + ": " + put.error.message())
        .With("path", path);
  }
  *new_version = std::move(put.etag);
  return Error();
}

}  // namespace rocksdb_backup
