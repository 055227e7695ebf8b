#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// A file with its text in memory, for a BackupEngine to read.
class TextFile : public rocksdb::FSSequentialFile {
 public:
  explicit TextFile(std::string text) : text_(std::move(text)) {}

  rocksdb::IOStatus Read(size_t n, const rocksdb::IOOptions& /*options*/, rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* /*debug*/) override {
    const size_t bytes = std::min(n, text_.size() - at_);
    std::memcpy(scratch, text_.data() + at_, bytes);
    at_ += bytes;
    *result = rocksdb::Slice(scratch, bytes);
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Skip(uint64_t n) override {
    at_ += std::min<uint64_t>(n, text_.size() - at_);
    return rocksdb::IOStatus::OK();
  }

 private:
  const std::string text_;
  size_t at_ = 0;
};

inline rocksdb::IOStatus WriteWhole(rocksdb::FileSystem& files, const std::string& path, const std::string& text,
                                    bool sync) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::IOStatus status = files.NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr);
  if (status.ok()) {
    status = file->Append(text, rocksdb::IOOptions(), nullptr);
  }
  if (status.ok() && sync) {
    status = file->Sync(rocksdb::IOOptions(), nullptr);
  }
  return status.ok() ? file->Close(rocksdb::IOOptions(), nullptr) : status;
}

}  // namespace rocksdb_backup
