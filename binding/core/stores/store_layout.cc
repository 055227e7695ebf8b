#include "core/stores/store_layout.h"

#include "core/base/paths.h"

namespace rocksdb_backup {

std::string KeyOf(const std::string& root, const std::string& path) {
  const std::string clean = CleanPath(path);
  return clean.starts_with(root + "/") ? clean.substr(root.size() + 1) : clean == root ? "" : clean.substr(1);
}

std::string FinalKeyOf(const std::string& key) {
  constexpr char kTemporary[] = ".tmp";
  const size_t name = key.rfind('/') + 1;
  if (key.compare(name, 1, ".") != 0 || !key.ends_with(kTemporary) || key.size() < name + sizeof(kTemporary) + 1) {
    return "";
  }
  return key.substr(0, name) + key.substr(name + 1, key.size() - name - sizeof(kTemporary));
}

}  // namespace rocksdb_backup
