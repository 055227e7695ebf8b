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

// What a database tells of the work that it does by itself, when that fails.
struct DatabaseEvent {
  enum class Kind {
    kError,      // background work failed; with a hard error the database takes no writes any more
    kRecovered,  // RocksDB got over an error by itself, or was told to resume
  };
  Kind kind = Kind::kError;
  std::string during;  // "flush", "compaction" ...; empty for kRecovered
  Error error;         // for kRecovered, the one that is over
};

// Hands a database's events to those who subscribed. Given to RocksDB when the database is opened.
class DatabaseEvents final : public rocksdb::EventListener {
 public:
  // Called on a thread of RocksDB's, in the order of the events, while `Unsubscribe` waits. Must not block, nor use the
  // database.
  using Subscriber = std::function<void(const DatabaseEvent&)>;

  explicit DatabaseEvents(std::string path) : path_(std::move(path)) {}

  const char* Name() const override { return "rocksdb-backup"; }

  uint64_t Subscribe(Subscriber subscriber);
  void Unsubscribe(uint64_t id);

  // How often RocksDB got over an error so far.
  uint64_t recoveries();
  // Waits until it did so more often than this. False if it takes too long, or EndWaits was called.
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
