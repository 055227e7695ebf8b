#pragma once

#include <string>

namespace rocksdb_backup {

// The root of a file system that is none of this machine's, such as that of the objects in a store. RocksDB knows the
// files by their paths there, and users by a name, such as the URL of the store.
class NamedRoot {
 public:
  NamedRoot(std::string root, std::string name);
  ~NamedRoot();
  NamedRoot(const NamedRoot&) = delete;
  NamedRoot& operator=(const NamedRoot&) = delete;

 private:
  const std::string root_;
};

// A text with the names of the roots that are there now in the place of their paths. For everything that users see.
std::string ForUsers(std::string text);

}  // namespace rocksdb_backup
