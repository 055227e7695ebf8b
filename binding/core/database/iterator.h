#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/database/database.h"
#include "core/database/snapshot.h"
#include "rocksdb/comparator.h"
#include "rocksdb/iterator.h"

namespace rocksdb_backup {

// A range of keys in the order of the family's comparator. Of two lower or two upper bounds, the tighter counts.
struct KeyRange {
  std::optional<std::string> gt, gte, lt, lte;
};

// Reads a range in blocks. It sees the database as it was when it was made, or as its snapshot did.
//
// A JS thread can read what is in memory itself (NextFromMemory), which is many times faster than asking another
// thread. That takes two of RocksDB's iterators on the same snapshot: one that never waits for the disk, and, made when
// it is needed, one that does.
class Iterator final : public Database::Child {
 public:
  struct Options {
    KeyRange range;
    bool reverse = false;
    bool keys = true;
    bool values = true;
    // A seek to a key outside the range finds nothing, instead of what is nearest to it inside.
    bool seeks_inside_only = false;
  };

  // `read.snapshot` is `pin`, if there is one. Made on a JS thread.
  static std::shared_ptr<Iterator> New(const std::shared_ptr<Database>& database, const Database::FamilyPtr& family,
                                       rocksdb::ReadOptions read, Snapshot::Pin pin, Options options);
  ~Iterator() override;

  // The next entries, as one piece of memory that crosses to JS at once:
  //
  //   uint32 count, uint32 finished, uint32 ends[...], bytes
  //
  // `bytes` are all keys and values, in turn, one after the other; ends[i] is where the i-th of them ends. Stops after
  // `max_entries`, or when `max_bytes` are reached: so at least one entry comes if there is any. `finished` says that
  // there is no more. If there is a `target`, the iterator first goes to it, or to the next key in its direction.
  Error Next(uint32_t max_entries, size_t max_bytes, const std::optional<std::string>& target, std::string* block);

  // The same out of memory. Sets `answered` to false if that is not enough to tell: then Next() takes the same
  // arguments.
  Error NextFromMemory(uint32_t max_entries, size_t max_bytes, const std::optional<std::string>& target,
                       std::string* block, bool* answered);

  void Close() override { database_->EndChild(this); }

 private:
  void End() override;
  Iterator(std::shared_ptr<Database> database, Database::FamilyPtr family, rocksdb::ReadOptions read, Snapshot::Pin pin,
           Options options);

  class Turn;

  void SetBounds();
  std::unique_ptr<rocksdb::Iterator> MakeForMemory() const;
  std::unique_ptr<rocksdb::Iterator> MakeForDisk() const;
  void Position(rocksdb::Iterator& at, const std::optional<std::string>& target) const;
  void Step(rocksdb::Iterator& at) const;
  bool InRange(const rocksdb::Iterator& at) const;
  bool IsOutside(const std::string& key) const;
  // Collects what comes from where `at` is, up to an entry that is larger; tells whether the range ends with it.
  bool Collect(rocksdb::Iterator& at, uint32_t max_entries, size_t max_bytes, size_t max_entry_bytes);
  void PutTogether(bool finished, size_t max_bytes, std::string* block);
  Error ReadError(const rocksdb::Status& status) const;
  void Release();

  const std::shared_ptr<Database> database_;
  Database::FamilyPtr family_;
  rocksdb::ReadOptions read_;
  Snapshot::Pin pin_;
  const Options options_;
  const rocksdb::Comparator* const comparator_;  // one of RocksDB's own, which live for ever
  std::optional<std::string> lower_, upper_;     // the effective bounds
  bool lower_open_ = false, upper_open_ = false;
  rocksdb::Slice lower_slice_, upper_slice_;  // what read_ points to

  // For whoever is reading.
  std::unique_ptr<rocksdb::Iterator> memory_, disk_;
  rocksdb::Iterator* at_ = nullptr;  // the one of them that stands at the next entry
  bool positioned_ = false;
  std::string last_key_;  // of the last entry that was given out: where to go on if at_ is lost
  int misses_ = 0;        // how often in a row memory was not enough
  int skip_ = 0;          // how many seeks do not look there
  uint32_t count_ = 0;    // what Collect collected
  std::vector<uint32_t> ends_;
  std::string bytes_;
  bool stopped_at_large_entry_ = false;

  std::mutex mutex_;  // for what follows
  bool reading_ = false;
  bool ended_ = false;
};

}  // namespace rocksdb_backup
