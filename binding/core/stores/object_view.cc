#include "core/stores/object_view.h"

#include <iterator>
#include <string_view>
#include <utility>

#include "core/stores/store_layout.h"

namespace rocksdb_backup {

using rocksdb::IOStatus;

namespace {

// Where repositories begin that lie below this one, with a slash at the end.
template <class Objects>
std::vector<std::string> NestedRepositories(const Objects& objects) {
  const std::string end = std::string("/") + kRepositoryMark;
  std::vector<std::string> nested;
  for (const auto& [key, object] : objects) {
    if (key.ends_with(end)) {
      nested.push_back(key.substr(0, key.size() - end.size() + 1));
    }
  }
  return nested;
}

}  // namespace

IOStatus ObjectView::Load() {
  const std::lock_guard lock(mutex_);
  if (loaded_) {
    return IOStatus::OK();
  }
  if (!failed_.ok() && StoreCall::Clock::now() < failed_until_) {
    return failed_;
  }
  std::map<std::string, Object> objects;
  const StoreAnswer list = client_->List(StoreRequest::Kind::kList, "", [&](const StoredObject& object) {
    if (object.key.starts_with(kArchivePrefix)) {
      return false;  // the list need not go on: nothing of a repository is behind its archive
    }
    objects[object.key] = {object.size, object.etag, object.modified, {}};
    return true;
  });
  if (!list.ok()) {
    const IOStatus status = client_->ToStatus(list, "listing", "");
    failed_ = status.IsNotFound() ? IOStatus::IOError(status.ToString()) : status;
    failed_until_ = StoreCall::Clock::now() + std::chrono::seconds(1);
    return failed_;
  }
  for (const std::string& prefix : NestedRepositories(objects)) {
    for (auto object = objects.lower_bound(prefix); object != objects.end() && object->first.starts_with(prefix);) {
      object = IsOfRepository(std::string_view(object->first).substr(prefix.size())) ? objects.erase(object)
                                                                                     : std::next(object);
    }
  }
  // No list knows the temporary names of this operation's files.
  for (auto& [key, object] : objects_) {
    if (!object.stored_as.empty()) {
      objects.erase(object.stored_as);
      objects[key] = std::move(object);
    }
  }
  objects_ = std::move(objects);
  loaded_ = true;
  return IOStatus::OK();
}

void ObjectView::Outdate() {
  const std::lock_guard lock(mutex_);
  loaded_ = false;
}

bool ObjectView::Find(const std::string& key, Object* object) {
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) {
    return false;
  }
  *object = found->second;
  return true;
}

bool ObjectView::IsDirectory(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (directory == "meta" && objects_.contains(kRepositoryMark)) {
    return true;  // perhaps without a backup
  }
  const std::string prefix = directory.empty() ? "" : directory + "/";
  const auto first = objects_.lower_bound(prefix);
  return (first != objects_.end() && first->first.starts_with(prefix)) || made_.contains(directory);
}

// Calls `file(name, object)` for each file in a directory, and `folder(name)` for each directory in it. With mutex_
// held.
template <class File, class Folder>
void ObjectView::ForEachIn(const std::string& directory, File file, Folder folder) const {
  const std::string prefix = directory.empty() ? "" : directory + "/";
  for (auto object = objects_.lower_bound(prefix); object != objects_.end() && object->first.starts_with(prefix);) {
    const size_t slash = object->first.find('/', prefix.size());
    if (slash == std::string::npos) {
      file(object->first.substr(prefix.size()), object->second);
      ++object;
    } else {
      folder(object->first.substr(prefix.size(), slash - prefix.size()));
      object = objects_.lower_bound(object->first.substr(0, slash) + "0");  // '0' comes right after '/'
    }
  }
}

std::vector<std::string> ObjectView::NamesIn(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  std::set<std::string> names;
  const auto add = [&](std::string name) { names.insert(std::move(name)); };
  ForEachIn(
      directory, [&](std::string name, const Object&) { add(std::move(name)); }, add);
  const std::string prefix = directory.empty() ? "" : directory + "/";
  for (auto made = made_.lower_bound(prefix); made != made_.end() && made->starts_with(prefix); ++made) {
    add(made->substr(prefix.size(), made->find('/', prefix.size()) - prefix.size()));
  }
  names.erase("");
  return {names.begin(), names.end()};
}

std::vector<std::pair<std::string, uint64_t>> ObjectView::FilesIn(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, uint64_t>> files;
  ForEachIn(
      directory, [&](std::string name, const Object& object) { files.emplace_back(std::move(name), object.size); },
      [](const std::string&) {});
  return files;
}

std::vector<std::pair<std::string, ObjectView::Object>> ObjectView::Below(const std::string& prefix) {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, Object>> found;
  for (auto object = objects_.lower_bound(prefix); object != objects_.end() && object->first.starts_with(prefix);
       ++object) {
    found.emplace_back(object->first, object->second);
  }
  return found;
}

void ObjectView::Put(const std::string& key, Object object) {
  const std::lock_guard lock(mutex_);
  objects_[key] = std::move(object);
}

void ObjectView::Remove(const std::string& key) {
  const std::lock_guard lock(mutex_);
  objects_.erase(key);
}

void ObjectView::MakeDirectory(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  made_.insert(directory);
}

void ObjectView::RemoveDirectory(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  made_.erase(directory);
}

}  // namespace rocksdb_backup
