#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "core/base/paths.h"
#include "core/storage/storage.h"
#include "fault_fs.h"
#include "rocksdb/env.h"

namespace rocksdb_backup::test {

// A repository in memory. It keeps the contract of core/storage/storage.h. A test can make it break the contract, like
// a faulty storage. faults().SetHook() and FailNth() make accesses to files fail or hang.
class MemoryStorage : public Storage {
 public:
  explicit MemoryStorage(std::string name = "memory://backups", std::string root = "/backups")
      : name_(std::move(name)),
        root_(std::move(root)),
        env_(rocksdb::NewMemEnv(rocksdb::Env::Default())),
        fs_(std::make_shared<FaultFileSystem>(env_->GetFileSystem())) {}

  const std::string& name() const override { return name_; }
  const std::string& root() const override { return root_; }
  const std::string& local_directory() const override { return nowhere_; }
  std::shared_ptr<rocksdb::FileSystem> files() const override { return fs_; }

  Error MakeReady() override {
    if (Error error = Happen("make ready"); !error.ok()) {
      return error;
    }
    for (const std::string& path : {root_, root_ + "/meta"}) {
      if (const rocksdb::IOStatus status = fs_->CreateDirIfMissing(path, {}, nullptr); !status.ok()) {
        return Error::From(status, "making " + path);
      }
    }
    return Error();
  }
  std::optional<uint64_t> FreeSpace() const override { return free_space; }
  Error CheckSource(const std::string& /*database_dir*/) const override { return Error(); }
  Error CheckTarget(const std::string& /*database_dir*/) const override { return Error(); }

  Error LockWriter(std::unique_ptr<WriterLock>* lock) override {
    if (Error error = Happen("lock"); !error.ok()) {
      return error;
    }
    auto taken = std::make_unique<Writer>(locks_, name_);
    if (!taken->Take("writer", true)) {
      return Error("BACKUP_LOCKED", name_ + " is being changed.").With("path", name_);
    }
    *lock = std::move(taken);
    return Error();
  }
  Error LockReader(uint32_t backup_id, Access /*access*/, std::unique_ptr<ReaderLock>* lock) override {
    if (Error error = Happen("lock"); !error.ok()) {
      return error;
    }
    auto taken = std::make_unique<Reader>(locks_);
    if (!taken->Take(BackupName(backup_id), false)) {
      return Error("BACKUP_IN_USE", "backup " + std::to_string(backup_id) + " in " + name_ + " is being deleted.");
    }
    *lock = std::move(taken);
    return Error();
  }
  Error LockState(std::unique_ptr<StorageLock>* lock) override {
    if (Error error = Happen("lock"); !error.ok()) {
      return error;
    }
    auto taken = std::make_unique<Held<StorageLock>>(locks_);
    if (!taken->Take("state", true)) {
      return Error("STATE_LOCKED", "what is remembered about the backups in " + name_ + " is being changed.");
    }
    *lock = std::move(taken);
    return Error();
  }

  std::shared_ptr<ArchiveFiles> archive_files() const override { return NewArchiveFiles(fs_, root_); }
  Error LockTimeline(uint64_t timeline, std::unique_ptr<StorageLock>* lock) override {
    if (Error error = Happen("lock"); !error.ok()) {
      return error;
    }
    auto taken = std::make_unique<Held<StorageLock>>(locks_);
    if (!taken->Take("timeline " + std::to_string(timeline), true)) {
      return Error("ARCHIVE_LOCKED", "another database is archived to the same timeline of " + name_ + ".");
    }
    *lock = std::move(taken);
    return Error();
  }

  Error ReadSmall(const std::string& file, std::optional<SmallFile>* read) const override {
    if (Error error = Happen("read small"); !error.ok()) {
      return error;
    }
    const std::lock_guard lock(mutex_);
    const auto found = small_.find(file);
    *read = found == small_.end() ? std::nullopt : std::optional(found->second);
    return Error();
  }
  Error ReplaceSmall(const std::string& file, const std::optional<std::string>& version, const std::string& text,
                     std::string* new_version) override {
    if (Error error = Happen("replace small"); !error.ok()) {
      return error;
    }
    {
      const std::lock_guard lock(mutex_);
      const auto found = small_.find(file);
      if (version != kAnyVersion && (found == small_.end() ? version.has_value() : found->second.version != version)) {
        return Error("STATE_CHANGED", name_ + "/" + file + " was changed by another process in the meantime.");
      }
      *new_version = std::to_string(++versions_);
      small_[file] = {text, *new_version};
    }
    return Happen("answer of replace small");
  }

  // Every operation on locks and small files calls this first, and fails with the error that it returns.
  using Fault = std::function<Error(const std::string& what)>;
  void SetFault(Fault fault) {
    const std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }
  // Another process considers all current locks stale, and takes them over.
  void LoseLocks() { locks_->Lose(); }
  FaultFileSystem& faults() { return *fs_; }

  std::optional<uint64_t> free_space;

 private:
  class Locks {
   public:
    bool Take(const std::string& name, bool exclusive, uint64_t* ticket) {
      const std::lock_guard lock(mutex_);
      for (const auto& [other, held] : held_) {
        if (held.name == name && (exclusive || held.exclusive)) {
          return false;
        }
      }
      *ticket = ++tickets_;
      held_[*ticket] = {name, exclusive};
      return true;
    }
    void Release(uint64_t ticket) {
      const std::lock_guard lock(mutex_);
      held_.erase(ticket);
    }
    bool Has(uint64_t ticket) {
      const std::lock_guard lock(mutex_);
      return held_.contains(ticket);
    }
    void Lose() {
      const std::lock_guard lock(mutex_);
      held_.clear();
    }

   private:
    struct Entry {
      std::string name;
      bool exclusive;
    };
    std::mutex mutex_;
    uint64_t tickets_ = 0;
    std::map<uint64_t, Entry> held_;
  };

  template <class Base>
  class Held : public Base {
   public:
    explicit Held(std::shared_ptr<Locks> locks) : locks_(std::move(locks)) {}
    ~Held() override {
      for (const uint64_t ticket : tickets_) {
        locks_->Release(ticket);
      }
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    bool Take(const std::string& name, bool exclusive) {
      uint64_t ticket = 0;
      const bool taken = locks_->Take(name, exclusive, &ticket);
      if (taken) {
        tickets_.insert(ticket);
      }
      return taken;
    }
    Error StillHeld() const override {
      for (const uint64_t ticket : tickets_) {
        if (!locks_->Has(ticket)) {
          return Error("LOCK_LOST", "the lock was lost. Others may be at work there by now.");
        }
      }
      return Error();
    }

   private:
    const std::shared_ptr<Locks> locks_;
    std::set<uint64_t> tickets_;
  };

  class Writer : public Held<WriterLock> {
   public:
    Writer(std::shared_ptr<Locks> locks, std::string name) : Held(std::move(locks)), name_(std::move(name)) {}
    Error ExcludeReaders(uint32_t backup_id) override {
      return Take(BackupName(backup_id), true)
                 ? Error()
                 : Error("BACKUP_IN_USE", BackupName(backup_id) + " in " + name_ + " is being read.");
    }

   private:
    const std::string name_;
  };
  class Reader : public Held<ReaderLock> {
   public:
    using Held::Held;
    Error KeepOtherProgramsOut() override { return Error(); }
  };

  static std::string BackupName(uint32_t id) { return "backup " + std::to_string(id); }

  Error Happen(const std::string& what) const {
    Fault fault;
    {
      const std::lock_guard lock(mutex_);
      fault = fault_;
    }
    return fault ? fault(what) : Error();
  }

  const std::string name_;
  const std::string root_;
  const std::string nowhere_;
  const std::unique_ptr<rocksdb::Env> env_;
  const std::shared_ptr<FaultFileSystem> fs_;
  const std::shared_ptr<Locks> locks_ = std::make_shared<Locks>();
  mutable std::mutex mutex_;  // guards all members below
  Fault fault_;
  std::map<std::string, SmallFile> small_;
  uint64_t versions_ = 0;
};

}  // namespace rocksdb_backup::test
