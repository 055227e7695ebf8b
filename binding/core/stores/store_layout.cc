#include "core/stores/store_layout.h"

#include <algorithm>
#include <iterator>

#include "core/base/paths.h"

namespace rocksdb_backup {

std::string KeyOf(const std::string& root, const std::string& path) {
  const std::string clean = CleanPath(path);
  return clean.starts_with(root + "/") ? clean.substr(root.size() + 1) : clean == root ? "" : clean.substr(1);
}

std::string NameInDatabase(const std::string& key) {
  const std::string name = NameOf(key);
  const size_t added = key.starts_with("shared") ? name.find('_') : std::string::npos;
  return added == std::string::npos ? name
                                    : name.substr(0, added) + name.substr(std::min(name.size(), name.rfind('.')));
}

bool IsOfRepository(std::string_view key) {
  return key == kRepositoryMark || key.starts_with(kLeases) || key.starts_with(kState) || key.starts_with(kProbe) ||
         key.starts_with("meta/") || key.starts_with(kArchivePrefix) || IsFileOfBackup(std::string(key));
}

bool IsFileOfBackup(const std::string& key) {
  return key.starts_with("private/") ||
         std::any_of(std::begin(kSharedParts), std::end(kSharedParts),
                     [&](const std::string& part) { return key.starts_with(part + "/"); });
}

std::string FinalKeyOf(const std::string& key) {
  const std::string directory = ParentOf(key);
  const std::string name = NameOf(key);
  const bool is_private = directory.starts_with("private/");
  const std::string_view kTemporary = is_private ? ".copy" : ".tmp";
  const bool is_shared =
      std::find(std::begin(kSharedParts), std::end(kSharedParts), directory) != std::end(kSharedParts);
  if ((!is_shared && !is_private) || !name.starts_with('.') || !name.ends_with(kTemporary) ||
      name.size() < kTemporary.size() + 2) {
    return "";
  }
  return directory + "/" + name.substr(1, name.size() - 1 - kTemporary.size());
}

}  // namespace rocksdb_backup
