#include "core/base/named_root.h"

#include <cctype>
#include <map>
#include <mutex>
#include <utility>

namespace rocksdb_backup {
namespace {

struct NamedRoots {
  std::mutex mutex;
  std::multimap<std::string, std::string> names;
};

// Never destroyed, because threads may outlive main().
NamedRoots& TheNamedRoots() {
  static auto* const roots = new NamedRoots;
  return *roots;
}

}  // namespace

NamedRoot::NamedRoot(std::string root, std::string name) : root_(std::move(root)) {
  NamedRoots& roots = TheNamedRoots();
  const std::lock_guard lock(roots.mutex);
  roots.names.emplace(root_, std::move(name));
}

NamedRoot::~NamedRoot() {
  NamedRoots& roots = TheNamedRoots();
  const std::lock_guard lock(roots.mutex);
  roots.names.erase(roots.names.find(root_));
}

std::string ForUsers(std::string text) {
  NamedRoots& roots = TheNamedRoots();
  const std::lock_guard lock(roots.mutex);
  for (const auto& [root, name] : roots.names) {
    for (size_t at = text.find(root); at != std::string::npos; at = text.find(root, at)) {
      const size_t end = at + root.size();
      if (end < text.size() && isalnum(static_cast<unsigned char>(text[end])) != 0) {
        at = end;  // another root that begins like this one
        continue;
      }
      text.replace(at, root.size(), name);
      at += name.size();
    }
  }
  return text;
}

}  // namespace rocksdb_backup
