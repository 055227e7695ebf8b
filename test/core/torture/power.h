#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "system_calls.h"
#include "torture/chance.h"

namespace rocksdb_backup::test {

// A disk whose power can be cut. It is a directory, watched call by call, of which two images are kept: what was
// written, which is what is there, and what was synced: of a file what it held at its last fsync, of a directory the
// names it had at its last fsync. (A rename or an exchange is one step, durable when either of its directories was
// synced after it.)
class PowerDisk : private CallWatcher {
 public:
  // What survives of that which was not synced.
  enum class Loss {
    kAll,     // nothing
    kRandom,  // of each file a random part, perhaps with zeros behind it; of all changes of names, any
    kOrdered  // the same for files; of changes of names the first so many, as a journal has them
  };

  explicit PowerDisk(std::string root) : root_(std::move(root)) {}
  ~PowerDisk() override { WatchCalls("", nullptr); }

  // What is there now is taken for durable. From now on, the power goes after so many changes; 0: never.
  void Start(uint64_t cut_after);
  // The power goes now if it has not: whatever is still asked of the disk fails. Call when nobody uses it any more.
  // Then the disk is as it is when the power is back.
  void Restore(Loss loss, Chance& chance);
  bool is_cut() const { return cut_; }
  uint64_t changes() const { return changes_; }

 private:
  using Inode = uint64_t;
  using Names = std::map<std::string, Inode>;
  struct Change {
    struct Name {
      Inode directory;
      std::string name;
      Inode inode;  // 0: it is gone
    };
    std::vector<Name> names;
  };
  struct File {
    bool is_directory = false;
    std::string synced;
    std::string written;  // of what is unlinked, or at the end
  };

  Verdict Before(const Call& call) override;
  void After(const Call& call) override;
  static Inode InodeOf(const std::string& path);
  static std::string Contents(const std::string& path);
  void Learn(const std::string& path);
  void Apply(const Change& change);
  void Synced(Inode inode, const std::string& path);
  void KeepWritten(const std::string& path);
  void Write(Inode directory, const std::string& path, Loss loss, Chance& chance);
  static std::string Surviving(const File& file, Loss loss, Chance& chance);

  const std::string root_;
  std::recursive_mutex mutex_;
  bool cut_ = false;
  uint64_t changes_ = 0;
  uint64_t cut_after_ = 0;
  Inode root_inode_ = 0;
  std::map<Inode, File> files_;
  std::map<Inode, Names> durable_;
  std::vector<Change> pending_;
};

}  // namespace rocksdb_backup::test
