#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "system_calls.h"
#include "torture/chance.h"

namespace rocksdb_backup::test {

// A disk whose power can be cut. It is a directory whose system calls are watched. There are two images of it: what was
// written, which is the directory itself, and what was synced. The synced image has each file's bytes and each
// directory's names at its last fsync. (A rename or an exchange is one step. It is durable when one of its two
// directories was synced after it.)
class PowerDisk : private CallWatcher {
 public:
  // What happens to unsynced changes.
  enum class Loss {
    kAll,     // all are lost
    kRandom,  // a random part of each file stays, perhaps with zeros after it; any changes of names stay
    kOrdered  // the same for files; the first changes of names stay, as with a journal
  };

  explicit PowerDisk(std::string root) : root_(std::move(root)) {}
  ~PowerDisk() override { WatchCalls("", nullptr); }

  // All current contents count as durable. From now on, the power fails after `cut_after` changes; 0: never.
  void Start(uint64_t cut_after);
  // The power fails now if it has not failed yet, and all later calls to the disk fail. Call it when nothing uses the
  // disk any more. Afterwards the disk is as it is when the power is back.
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
      Inode inode;  // 0: the name is gone
    };
    std::vector<Name> names;
  };
  struct File {
    bool is_directory = false;
    std::string synced;
    std::string written;  // the written bytes, kept when the file is unlinked or at the end
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
