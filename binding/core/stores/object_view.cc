#include "core/stores/object_view.h"

#include <utility>

#include "core/stores/store_layout.h"

namespace rocksdb_backup {

using rocksdb::IOStatus;

IOStatus ObjectView::Load() {
  const std::lock_guard lock(mutex_);
  if (loaded_) {
    return IOStatus::OK();
  }
  std::map<std::string, Object> objects;
  std::string after;
  do {
    const StoreAnswer page = client_->Do({.kind = StoreRequest::Kind::kList, .after = after});
    if (!page.ok()) {
      const IOStatus status = client_->ToStatus(page, "listing", "");
      // A store has no place that is not there: "not found" of a list means nothing good.
      return status.IsNotFound() ? IOStatus::IOError(status.ToString()) : status;
    }
    for (const StoredObject& object : page.objects) {
      objects[object.key] = {object.size, object.etag, object.modified, {}};
    }
    if (!page.next.empty() && page.next == after) {
      return IOStatus::IOError("listing " + client_->store().name() + ": the store sends the same page again");
    }
    after = page.next;
  } while (!after.empty());
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

std::vector<std::string> ObjectView::NamesIn(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  const std::string prefix = directory.empty() ? "" : directory + "/";
  std::set<std::string> names;
  for (auto object = objects_.lower_bound(prefix); object != objects_.end() && object->first.starts_with(prefix);) {
    const std::string rest = object->first.substr(prefix.size());
    const size_t slash = rest.find('/');
    if (slash == std::string::npos) {
      names.insert(rest);
      ++object;
    } else {
      names.insert(rest.substr(0, slash));
      object = objects_.lower_bound(prefix + rest.substr(0, slash) + "0");  // '0' comes right after '/'
    }
  }
  for (auto made = made_.lower_bound(prefix); made != made_.end() && made->starts_with(prefix); ++made) {
    if (made->size() > prefix.size()) {
      names.insert(made->substr(prefix.size(), made->find('/', prefix.size()) - prefix.size()));
    }
  }
  names.erase("");
  return {names.begin(), names.end()};
}

std::vector<std::pair<std::string, uint64_t>> ObjectView::FilesIn(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  const std::string prefix = directory.empty() ? "" : directory + "/";
  std::vector<std::pair<std::string, uint64_t>> files;
  for (auto object = objects_.lower_bound(prefix); object != objects_.end() && object->first.starts_with(prefix);) {
    const size_t slash = object->first.find('/', prefix.size());
    if (slash == std::string::npos) {
      files.emplace_back(object->first.substr(prefix.size()), object->second.size);
      ++object;
    } else {
      object = objects_.lower_bound(object->first.substr(0, slash) + "0");
    }
  }
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
