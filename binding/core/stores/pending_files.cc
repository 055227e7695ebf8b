#include "core/stores/pending_files.h"

#include <utility>

#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class PendingWritableFile : public rocksdb::FSWritableFile {
 public:
  PendingWritableFile(std::shared_ptr<PendingFiles> files, std::string key)
      : files_(std::move(files)), key_(std::move(key)) {}

  using FSWritableFile::Append;
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    text_.append(data.data(), data.size());
    return IOStatus::OK();
  }
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    if (!closed_) {
      closed_ = true;
      files_->Put(key_, std::move(text_));
    }
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions& /*options*/, IODebugContext* /*debug*/) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override { return IOStatus::OK(); }
  uint64_t GetFileSize(const IOOptions& /*options*/, IODebugContext* /*debug*/) override { return text_.size(); }

 private:
  const std::shared_ptr<PendingFiles> files_;
  const std::string key_;
  std::string text_;
  bool closed_ = false;
};

}  // namespace

void PendingFiles::Put(const std::string& key, std::string text) {
  auto kept = std::make_shared<const std::string>(std::move(text));
  const std::lock_guard lock(mutex_);
  files_[key] = std::move(kept);
}

std::shared_ptr<const std::string> PendingFiles::Find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(key);
  return found == files_.end() ? nullptr : found->second;
}

std::vector<std::string> PendingFiles::NamesIn(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [key, text] : files_) {
    if (ParentOf(key) == directory) {
      names.push_back(NameOf(key));
    }
  }
  return names;
}

bool PendingFiles::Remove(const std::string& key) {
  const std::lock_guard lock(mutex_);
  return files_.erase(key) > 0;
}

bool IsPending(const std::string& key) {
  const std::string name = NameOf(key);
  return (key.starts_with("meta/") && IsTemporaryMetaName(name)) ||
         (key.starts_with("private/") && name.starts_with('.') && name.ends_with(".tmp"));
}

std::unique_ptr<rocksdb::FSWritableFile> NewPendingFile(std::shared_ptr<PendingFiles> files, const std::string& key) {
  return std::make_unique<PendingWritableFile>(std::move(files), key);
}

}  // namespace rocksdb_backup
