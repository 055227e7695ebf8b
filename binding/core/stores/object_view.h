#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/stores/store_client.h"
#include "rocksdb/io_status.h"

namespace rocksdb_backup {

// The objects of a repository, as one list of the store has told them, and as this operation has changed them since.
// So no question about what is there costs a request. Directories are what the keys' slashes say, and those that this
// operation made. Objects of a repository that lies below this one, wherever that is, do not belong to it: they are
// left out, and so are neither read nor deleted.
class ObjectView {
 public:
  struct Object {
    uint64_t size = 0;
    std::string etag;
    int64_t modified = 0;
    // Where its bytes are, if not under its own key: a temporary file lies under its final key from the beginning.
    std::string stored_as;
  };

  explicit ObjectView(std::shared_ptr<StoreClient> client) : client_(std::move(client)) {}

  // Lists the store, unless that was done. A list that does not come to its end is an error. RocksDB then asks for the
  // next file at once, and the one after that: for a second, they get the same answer.
  rocksdb::IOStatus Load();
  // The next Load() lists again: an object was not as it was listed, so others are changing the repository.
  void Outdate();

  // After Load(). Keys and directories have no slash at their beginning or end; the root is "".
  bool Find(const std::string& key, Object* object);
  bool IsDirectory(const std::string& directory);
  // The names of files and directories in it.
  std::vector<std::string> NamesIn(const std::string& directory);
  std::vector<std::pair<std::string, uint64_t>> FilesIn(const std::string& directory);
  std::vector<std::pair<std::string, Object>> Below(const std::string& prefix);

  void Put(const std::string& key, Object object);
  void Remove(const std::string& key);
  // From now on, nothing may be deleted: perhaps a backup was made, and nobody knows.
  void KeepObjects() { keeps_objects_ = true; }
  bool keeps_objects() const { return keeps_objects_; }
  void MakeDirectory(const std::string& directory);
  void RemoveDirectory(const std::string& directory);

 private:
  template <class File, class Folder>
  void ForEachIn(const std::string& directory, File file, Folder folder) const;

  const std::shared_ptr<StoreClient> client_;
  std::atomic<bool> keeps_objects_{false};
  std::mutex mutex_;  // guards all members below
  bool loaded_ = false;
  rocksdb::IOStatus failed_;  // why the store could not be listed
  StoreCall::Clock::time_point failed_until_;
  std::map<std::string, Object> objects_;
  std::set<std::string> made_;
};

}  // namespace rocksdb_backup
