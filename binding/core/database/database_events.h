#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/base/error.h"
#include "rocksdb/listener.h"

namespace rocksdb_backup {

// What a database reports when the work that it does by itself fails, or recovers.
struct DatabaseEvent {
  enum class Kind {
    kError,      // background work failed; after a hard error the database takes no more writes
    kRecovered,  // RocksDB recovered from an error by itself, or was told to resume
  };
  Kind kind = Kind::kError;
  std::string during;  // "flush", "compaction" ...; empty for kRecovered
  Error error;         // for kRecovered: the error that is over
};

// Passes a database's events to its subscribers. It is given to RocksDB when the database is opened.
class DatabaseEvents final : public rocksdb::EventListener {
 public:
  // Called on one of RocksDB's threads, in the order of the events. `Unsubscribe` waits until the call has returned.
  // Must not block, and must not use the database.
  using Subscriber = std::function<void(const DatabaseEvent&)>;

  explicit DatabaseEvents(std::string path) : path_(std::move(path)) {}

  const char* Name() const override { return "rocksdb-backup"; }

  uint64_t Subscribe(Subscriber subscriber);
  void Unsubscribe(uint64_t id);

  // How often RocksDB has recovered from an error so far.
  uint64_t recoveries();
  // Waits until RocksDB has recovered more often than `more_than`. False if that takes too long, or if EndWaits was
  // called.
  bool WaitForRecovery(uint64_t more_than, std::chrono::milliseconds at_most);
  void EndWaits();

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) override;

 private:
  void Tell(const DatabaseEvent& event);

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t recoveries_ = 0;
  bool ended_ = false;
  uint64_t last_id_ = 0;
  std::map<uint64_t, Subscriber> subscribers_;
};

}  // namespace rocksdb_backup
