#include "core/backup/look_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <system_error>
#include <thread>

#include "core/base/descriptor.h"
#include "core/base/paths.h"

namespace rocksdb_backup {
namespace {

constexpr size_t kMostThreads = 8;
constexpr size_t kTasksPerThread = 32;

// Calls `task(i)` for each i below `count` until one call returns false. Uses several threads if that is worth it.
bool ForEach(size_t count, const std::function<bool(size_t)>& task) {
  std::atomic<size_t> next{0};
  std::atomic<bool> good{true};
  const auto work = [&] {
    for (size_t i = next++; i < count && good; i = next++) {
      if (!task(i)) {
        good = false;
      }
    }
  };
  std::vector<std::thread> threads;
  const size_t wanted =
      std::min({kMostThreads, static_cast<size_t>(std::thread::hardware_concurrency()), count / kTasksPerThread});
  try {
    while (threads.size() + 1 < wanted) {
      threads.emplace_back(work);
    }
  } catch (const std::system_error&) {
    // The system has no more threads. The existing ones do the work.
  }
  work();
  for (auto& thread : threads) {
    thread.join();
  }
  return good;
}

class DiskSource : public LookSource {
 public:
  DiskSource(Descriptor directory, NamesByBackup* names) : directory_(std::move(directory)), names_of_(*names) {}

  bool ListMetas(std::vector<std::pair<uint32_t, Stamp>>* metas) override {
    Descriptor directory = OpenDirectory(directory_.get(), "meta");
    return directory.ok() && ForEachName(std::move(directory), [&](int fd, const char* name) {
             const uint32_t id = BackupIdOf(name);
             struct stat status = {};
             if (id == 0) {
               return true;
             }
             if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
               return errno == ENOENT;  // deleted in the meantime
             }
             if (!S_ISREG(status.st_mode)) {
               return false;
             }
             metas->emplace_back(id, StampOf(status));
             return true;
           });
  }

  bool ListPrivate(const std::vector<uint32_t>& ids, std::time_t now, std::vector<std::vector<File>>* files) override {
    const Descriptor directory = OpenDirectory(directory_.get(), "private");
    if (!directory.ok()) {
      return errno == ENOENT && ids.empty();
    }
    files->resize(ids.size());
    std::vector<std::optional<KeptNames>> read(ids.size());
    const bool good =
        ForEach(ids.size(), [&](size_t i) { return ListOne(directory.get(), ids[i], now, &files->at(i), &read[i]); });
    for (size_t i = 0; i < ids.size(); ++i) {
      if (read[i]) {
        names_of_[ids[i]] = std::move(*read[i]);
      }
    }
    return good;
  }

  bool ListShared(const std::string& part, std::vector<File>* files) override {
    return ForEachFile(directory_.get(), part.c_str(), [&](const char* name, const Stamp& stamp) {
      files->push_back({name, stamp});
    });
  }

  bool ReadAll(const std::vector<std::string>& paths, uint64_t max_bytes, const Read& read) override {
    return ForEach(paths.size(), [&](size_t i) {
      std::string text;
      Stamp stamp;
      return ReadWhole(directory_.get(), paths[i], max_bytes, &text, &stamp) && read(i, std::move(text), stamp);
    });
  }

 private:
  // `read` is set if the names were read anew. Several threads do this at once; the kept names do not change meanwhile.
  bool ListOne(int directory, uint32_t id, std::time_t now, std::vector<File>* files,
               std::optional<KeptNames>* read) const {
    const std::string own = std::to_string(id);
    struct stat status = {};
    if (fstatat(directory, own.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT;
    }
    const Stamp stamp = StampOf(status);
    const auto take = [&](const std::string& name) {
      return IfPlainFile(directory, (own + "/" + name).c_str(), [&](const Stamp& file) {
        files->push_back({name, file});
      });
    };
    if (const auto kept = names_of_.find(id);
        kept != names_of_.end() && kept->second.settled && kept->second.stamp == stamp) {
      return std::all_of(kept->second.names.begin(), kept->second.names.end(), take);
    }
    Descriptor opened = OpenDirectory(directory, own.c_str());
    if (!opened.ok()) {
      return errno == ENOENT;
    }
    KeptNames& names = read->emplace(KeptNames{stamp, stamp.IsSettled(now), {}});
    return ForEachName(std::move(opened), [&](int, const char* name) { return take(names.names.emplace_back(name)); });
  }

  const Descriptor directory_;
  NamesByBackup& names_of_;
};

// One list has all files, in the order of their names.
class TaggedSource : public LookSource {
 public:
  explicit TaggedSource(std::shared_ptr<TaggedFiles> files) : files_(std::move(files)) {}

  bool ListMetas(std::vector<std::pair<uint32_t, Stamp>>* metas) override {
    if (!files_->List(&all_).ok()) {
      return false;
    }
    bool found_any = false;
    const bool good = Below("meta/", [&](const std::string& name, const TaggedFile& file) {
      found_any = true;
      const uint32_t id = BackupIdOf(name.substr(0, name.find('/')));
      if (id != 0 && name.find('/') != std::string::npos) {
        return false;
      }
      if (id != 0) {
        metas->emplace_back(id, StampOfFile(file));
      }
      return true;
    });
    return good && found_any;  // without a meta file, the BackupEngine says whether this is a repository
  }

  bool ListPrivate(const std::vector<uint32_t>& ids, std::time_t /*now*/,
                   std::vector<std::vector<File>>* files) override {
    files->resize(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      if (!ListFiles("private/" + std::to_string(ids[i]) + "/", &files->at(i))) {
        return false;
      }
    }
    return true;
  }

  bool ListShared(const std::string& part, std::vector<File>* files) override { return ListFiles(part + "/", files); }

  bool ReadAll(const std::vector<std::string>& paths, uint64_t max_bytes, const Read& read) override {
    std::vector<const TaggedFile*> found;
    for (const auto& path : paths) {
      const auto at = std::lower_bound(all_.begin(), all_.end(), path,
                                       [](const TaggedFile& file, const std::string& key) { return file.path < key; });
      if (at == all_.end() || at->path != path || at->size > max_bytes) {
        return false;
      }
      found.push_back(&*at);
    }
    return files_->ReadAll(
        paths, [&](size_t i, std::string text) { return read(i, std::move(text), StampOfFile(*found[i])); });
  }

 private:
  static Stamp StampOfFile(const TaggedFile& file) {
    Stamp stamp;
    stamp.size = file.size;
    stamp.tag = file.tag;
    return stamp;
  }

  bool Below(const std::string& prefix, const std::function<bool(const std::string&, const TaggedFile&)>& found) const {
    auto at = std::lower_bound(all_.begin(), all_.end(), prefix,
                               [](const TaggedFile& file, const std::string& key) { return file.path < key; });
    for (; at != all_.end() && at->path.starts_with(prefix); ++at) {
      if (!found(at->path.substr(prefix.size()), *at)) {
        return false;
      }
    }
    return true;
  }

  bool ListFiles(const std::string& prefix, std::vector<File>* files) const {
    return Below(prefix, [&](const std::string& name, const TaggedFile& file) {
      if (name.find('/') == std::string::npos) {
        files->push_back({name, StampOfFile(file)});
      }
      return true;
    });
  }

  const std::shared_ptr<TaggedFiles> files_;
  std::vector<TaggedFile> all_;
};

}  // namespace

std::unique_ptr<LookSource> OpenLookSource(const Storage& storage, NamesByBackup* names) {
  if (auto tagged = storage.tagged_files()) {
    return std::make_unique<TaggedSource>(std::move(tagged));
  }
  if (storage.local_directory().empty()) {
    return nullptr;
  }
  Descriptor directory = OpenDirectory(AT_FDCWD, storage.local_directory().c_str(), 0);
  return directory.ok() ? std::make_unique<DiskSource>(std::move(directory), names) : nullptr;
}

}  // namespace rocksdb_backup
