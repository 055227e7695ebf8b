#pragma once

#include <array>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include "core/base/paths.h"
#include "fault_fs.h"
#include "system_calls.h"

namespace rocksdb_backup::test {

using Fault = FaultFileSystem::Fault;
inline constexpr Fault kFaults[] = {Fault::kIoError,   Fault::kNoSpace,  Fault::kDenied,
                                    Fault::kShortRead, Fault::kEarlyEnd, Fault::kDelay};
inline constexpr const char* kFaultNames[] = {"EIO", "ENOSPC", "EACCES", "short", "early end", "delay"};

struct Fired {
  bool fired = false;
  std::string path;
  std::string other;  // the other end of a rename
};

// Makes the nth operation of a kind fail. One implementation changes system calls, another one a storage.
class Injector {
 public:
  virtual ~Injector() = default;
  virtual int kinds() const = 0;
  virtual const char* KindName(int kind) const = 0;
  // Whether this kind of operation can have this fault.
  virtual bool Takes(int kind, Fault fault) const = 0;
  virtual void Count() = 0;
  virtual int counted(int kind) const = 0;
  virtual void Arm(int kind, int nth, Fault fault) = 0;
  // Also ends the counting.
  virtual Fired Disarm() = 0;
};

// Injects faults into the system calls of the whole process below a directory.
class CallInjector : public Injector, private CallWatcher {
 public:
  explicit CallInjector(std::string below) : below_(std::move(below)) {}
  ~CallInjector() override { WatchCalls("", nullptr); }

  int kinds() const override { return static_cast<int>(CallKind::kKinds); }
  const char* KindName(int kind) const override { return kCallNames[kind]; }
  bool Takes(int kind, Fault fault) const override {
    const auto call = static_cast<CallKind>(kind);
    if (fault == Fault::kShortRead) {
      return call == CallKind::kRead || call == CallKind::kWrite;
    }
    if (fault == Fault::kNoSpace) {
      return call == CallKind::kOpenWrite || call == CallKind::kWrite || call == CallKind::kSync ||
             call == CallKind::kClose || call == CallKind::kRename || call == CallKind::kMakeDir ||
             call == CallKind::kLink;
    }
    if (fault == Fault::kDenied && call == CallKind::kLock) {
      return false;  // the system reports a lock of another holder in this way
    }
    return fault != Fault::kEarlyEnd || call == CallKind::kRead;
  }
  void Count() override {
    counts_ = {};
    Begin(-1, 0, Fault::kIoError);
  }
  int counted(int kind) const override { return counts_[static_cast<size_t>(kind)]; }
  void Arm(int kind, int nth, Fault fault) override { Begin(kind, nth, fault); }
  Fired Disarm() override {
    WatchCalls("", nullptr);
    return fired_;
  }

 private:
  void Begin(int kind, int nth, Fault fault) {
    kind_ = kind;
    left_ = nth;
    fault_ = fault;
    fired_ = {};
    WatchCalls(below_, this);
  }

  Verdict Before(const Call& call) override {
    const std::string name = NameOf(call.path);
    if (name == "LOG" || name.starts_with("LOG.old")) {
      return {};  // the database's own log of events: RocksDB continues if it cannot write it
    }
    {
      const std::lock_guard lock(mutex_);
      ++counts_[static_cast<size_t>(call.kind)];
      if (static_cast<int>(call.kind) != kind_ || --left_ != 0) {
        return {};
      }
      fired_ = {true, call.path, call.other};
    }
    switch (fault_) {
      case Fault::kIoError:
        return {.error = EIO};
      case Fault::kNoSpace:
        return {.error = ENOSPC};
      case Fault::kDenied:
        return {.error = EACCES};
      case Fault::kShortRead:
        return {.half = true};
      case Fault::kEarlyEnd:
        return {.end = true};
      case Fault::kDelay:
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return {};
  }

  const std::string below_;
  std::mutex mutex_;
  std::array<int, static_cast<size_t>(CallKind::kKinds)> counts_{};
  int kind_ = -1;
  int left_ = 0;
  Fault fault_ = Fault::kIoError;
  Fired fired_;
};

// Injects faults into operations on a storage of the test, for the backups or for the database.
class StorageInjector : public Injector {
 public:
  explicit StorageInjector(std::shared_ptr<FaultFileSystem> storage) : storage_(std::move(storage)) {}

  int kinds() const override { return FaultFileSystem::kKinds; }
  const char* KindName(int kind) const override { return FaultFileSystem::kNames[kind]; }
  bool Takes(int kind, Fault fault) const override {
    if (fault == Fault::kNoSpace) {
      return kind == FaultFileSystem::kOpenWrite || kind == FaultFileSystem::kAppend ||
             kind == FaultFileSystem::kSync || kind == FaultFileSystem::kClose || kind == FaultFileSystem::kRename ||
             kind == FaultFileSystem::kMakeDir;
    }
    return kind == FaultFileSystem::kRead || (fault != Fault::kShortRead && fault != Fault::kEarlyEnd);
  }
  void Count() override { storage_->Count(); }
  int counted(int kind) const override { return storage_->count(static_cast<FaultFileSystem::Kind>(kind)); }
  void Arm(int kind, int nth, Fault fault) override {
    storage_->FailNth(static_cast<FaultFileSystem::Kind>(kind), nth, fault);
  }
  Fired Disarm() override {
    storage_->Heal();
    return {storage_->failed(), CleanPath(storage_->failed_path()), ""};
  }

 private:
  const std::shared_ptr<FaultFileSystem> storage_;
};

}  // namespace rocksdb_backup::test
