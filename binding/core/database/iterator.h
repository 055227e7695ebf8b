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

// A range of keys in the order of the family's comparator. If there are two lower bounds or two upper bounds, the
// tighter one counts.
struct KeyRange {
  std::optional<std::string> gt, gte, lt, lte;
};

// Reads a range in blocks. It sees the database as it was when the iterator was made, or when its snapshot was made.
//
// A JS thread can itself read what is in memory (NextFromMemory). That is many times faster than asking another thread.
// It needs two RocksDB iterators on the same snapshot: one that never waits for the disk, and one that does. The second
// is made when it is first needed.
class Iterator final : public Database::Child {
 public:
  struct Options {
    KeyRange range;
    bool reverse = false;
    bool keys = true;
    bool values = true;
    // If true, a seek to a key outside the range finds nothing. If false, it finds the nearest key inside the range.
    bool seeks_inside_only = false;
  };

  // If there is a `pin`, `read.snapshot` is that pin. Called on a JS thread.
  static std::shared_ptr<Iterator> New(const std::shared_ptr<Database>& database, const Database::FamilyPtr& family,
                                       rocksdb::ReadOptions read, Snapshot::Pin pin, Options options);
  ~Iterator() override;

  // Returns the next entries as one piece of memory that crosses to JS at once:
  //
  //   uint32 count, uint32 finished, uint32 ends[...], bytes
  //
  // `bytes` holds all keys and values in turn, one after another; ends[i] is the offset at which the i-th of them ends.
  // Stops after `max_entries`, or when `max_bytes` are reached, so there is at least one entry unless the range is
  // finished. `finished` says that there are no more entries. If there is a `target`, the iterator first goes to that
  // key, or to the next key in its direction.
  Error Next(uint32_t max_entries, size_t max_bytes, const std::optional<std::string>& target, std::string* block);

  // The same, from memory only. Sets `answered` to false if memory does not have the answer; then call Next() with the
  // same arguments.
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
  // Collects entries from the position of `at` on, and stops before an entry larger than `max_entry_bytes`. True if the
  // range ends with what was collected.
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
  std::optional<std::string> lower_, upper_;     // the bounds that count
  bool lower_open_ = false, upper_open_ = false;
  rocksdb::Slice lower_slice_, upper_slice_;  // read_ points to these

  // Used only by the thread that is reading.
  std::unique_ptr<rocksdb::Iterator> memory_, disk_;
  rocksdb::Iterator* at_ = nullptr;  // the one of the two that stands at the next entry
  bool positioned_ = false;
  std::string last_key_;  // the last key that was returned: where to go on if at_ is lost
  int misses_ = 0;        // how many seeks in a row memory could not answer
  int skip_ = 0;          // how many further seeks do not try memory
  uint32_t count_ = 0;    // how many entries Collect collected
  std::vector<uint32_t> ends_;
  std::string bytes_;
  bool stopped_at_large_entry_ = false;

  std::mutex mutex_;  // guards the members below
  bool reading_ = false;
  bool ended_ = false;
};

}  // namespace rocksdb_backup
