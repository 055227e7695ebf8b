#pragma once

// Operations of tests on files by their paths. They work for files on the disk and, with TEST_STORAGE, for files of a
// repository in memory. The names are those of std::filesystem.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/paths.h"
#include "memory_storage.h"

namespace rocksdb_backup::test::files {

// The repositories that are in memory, by their paths.
inline std::map<std::string, std::shared_ptr<Storage>>& InMemory() {
  static auto* const storages = new std::map<std::string, std::shared_ptr<Storage>>;
  return *storages;
}

// The file system of the repository in memory that has this path. Null: the path is on the disk.
inline std::shared_ptr<rocksdb::FileSystem> MemoryAt(const std::string& path) {
  const std::string clean = CleanPath(path);
  for (const auto& [root, storage] : InMemory()) {
    if (clean == root || IsInside(clean, root)) {
      return storage->files();
    }
  }
  return nullptr;
}

// The file system of the disk, or of a repository in memory if the path belongs to one.
class Routes : public rocksdb::FileSystemWrapper {
 public:
  Routes() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  static const char* kClassName() { return "Routes"; }
  const char* Name() const override { return kClassName(); }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override {
    return At(path)->NewSequentialFile(path, options, file, debug);
  }
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override {
    return At(path)->NewRandomAccessFile(path, options, file, debug);
  }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    return At(path)->NewWritableFile(path, options, file, debug);
  }
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override {
    return At(path)->NewDirectory(path, options, directory, debug);
  }
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    return At(path)->FileExists(path, options, debug);
  }
  rocksdb::IOStatus GetFileSize(const std::string& path, const rocksdb::IOOptions& options, uint64_t* size,
                                rocksdb::IODebugContext* debug) override {
    return At(path)->GetFileSize(path, options, size, debug);
  }
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* names, rocksdb::IODebugContext* debug) override {
    return At(path)->GetChildren(path, options, names, debug);
  }
  rocksdb::IOStatus GetChildrenFileAttributes(const std::string& path, const rocksdb::IOOptions& options,
                                              std::vector<rocksdb::FileAttributes>* files,
                                              rocksdb::IODebugContext* debug) override {
    return At(path)->GetChildrenFileAttributes(path, options, files, debug);
  }
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override {
    return At(path)->CreateDir(path, options, debug);
  }
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override {
    return At(path)->CreateDirIfMissing(path, options, debug);
  }
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    return At(path)->DeleteFile(path, options, debug);
  }
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override {
    return At(path)->DeleteDir(path, options, debug);
  }
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    return At(from)->RenameFile(from, to, options, debug);
  }

 private:
  static std::shared_ptr<rocksdb::FileSystem> At(const std::string& path) {
    auto memory = MemoryAt(path);
    return memory != nullptr ? memory : rocksdb::FileSystem::Default();
  }
};

inline void Check(const rocksdb::IOStatus& status, const std::string& path) {
  if (!status.ok()) {
    throw std::runtime_error(path + ": " + status.ToString());
  }
}

inline std::set<std::string> NamesIn(const std::string& directory) {
  std::set<std::string> names;
  if (const auto memory = MemoryAt(directory)) {
    std::vector<std::string> children;
    memory->GetChildren(CleanPath(directory), {}, &children, nullptr).PermitUncheckedError();
    names.insert(children.begin(), children.end());
    return names;
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.insert(entry.path().filename().string());
  }
  for (const auto& [root, storage] : InMemory()) {
    if (ParentOf(root) == CleanPath(directory)) {
      names.insert(NameOf(root));
    }
  }
  return names;
}

inline bool is_directory(const std::string& path) {
  return MemoryAt(path) != nullptr ? !NamesIn(path).empty() : std::filesystem::is_directory(path);
}

inline bool exists(const std::string& path) {
  const auto memory = MemoryAt(path);
  return memory != nullptr ? memory->FileExists(CleanPath(path), {}, nullptr).ok() || !NamesIn(path).empty()
                           : std::filesystem::exists(path);
}

inline bool is_regular_file(const std::string& path) { return exists(path) && !is_directory(path); }

inline void AddBelow(const std::string& directory, const std::string& prefix, std::set<std::string>* found) {
  for (const std::string& name : NamesIn(directory)) {
    found->insert(prefix + name);
    if (is_directory(directory + "/" + name)) {
      AddBelow(directory + "/" + name, prefix + name + "/", found);
    }
  }
}

inline std::string Read(const std::string& path) {
  const auto memory = MemoryAt(path);
  if (memory == nullptr) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  uint64_t size = 0;
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  rocksdb::Slice read;
  std::string text;
  if (memory->GetFileSize(CleanPath(path), {}, &size, nullptr).ok() &&
      memory->NewSequentialFile(CleanPath(path), rocksdb::FileOptions(), &file, nullptr).ok()) {
    text.resize(size);
    Check(file->Read(size, {}, &read, text.data(), nullptr), path);
    text = read.ToString();
  }
  return text;
}

inline void Write(const std::string& path, const std::string& text) {
  const auto memory = MemoryAt(path);
  if (memory == nullptr) {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::unique_ptr<rocksdb::FSWritableFile> file;
  Check(memory->NewWritableFile(CleanPath(path), rocksdb::FileOptions(), &file, nullptr), path);
  Check(file->Append(text, {}, nullptr), path);
  Check(file->Close({}, nullptr), path);
}

inline uint64_t file_size(const std::string& path) {
  const auto memory = MemoryAt(path);
  if (memory == nullptr) {
    return std::filesystem::file_size(path);
  }
  uint64_t size = 0;
  Check(memory->GetFileSize(CleanPath(path), {}, &size, nullptr), path);
  return size;
}

inline void resize_file(const std::string& path, uint64_t size) {
  std::string text = Read(path);
  text.resize(size);
  if (MemoryAt(path) == nullptr) {
    std::filesystem::resize_file(path, size);
  } else {
    Write(path, text);
  }
}

inline void create_directories(const std::string& path) {
  const auto memory = MemoryAt(path);
  if (memory == nullptr) {
    std::filesystem::create_directories(path);
  } else {
    Check(memory->CreateDirIfMissing(CleanPath(path), {}, nullptr), path);
  }
}
inline void create_directory(const std::string& path) { create_directories(path); }

inline void remove_all(const std::string& path) {
  const auto memory = MemoryAt(path);
  if (memory == nullptr) {
    std::filesystem::remove_all(path);
    return;
  }
  for (const std::string& name : NamesIn(path)) {
    remove_all(path + "/" + name);
  }
  if (memory->DeleteDir(CleanPath(path), {}, nullptr).ok()) {
    return;
  }
  memory->DeleteFile(CleanPath(path), {}, nullptr).PermitUncheckedError();
}
inline bool remove(const std::string& path) {
  const bool was_there = exists(path);
  remove_all(path);
  return was_there;
}

inline void copy(const std::string& from, const std::string& to) {
  if (!is_directory(from)) {
    Write(to, Read(from));
    return;
  }
  create_directories(to);
  for (const std::string& name : NamesIn(from)) {
    copy(from + "/" + name, to + "/" + name);
  }
}
inline void copy_file(const std::string& from, const std::string& to) { copy(from, to); }

inline void rename(const std::string& from, const std::string& to) {
  if (MemoryAt(from) == nullptr && MemoryAt(to) == nullptr) {
    std::filesystem::rename(from, to);
    return;
  }
  copy(from, to);
  remove_all(from);
}

}  // namespace rocksdb_backup::test::files
