#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/base/paths.h"
#include "torture/power.h"

namespace rocksdb_backup::test {

namespace fs = std::filesystem;

PowerDisk::Inode PowerDisk::InodeOf(const std::string& path) {
  struct stat there = {};
  return lstat(path.c_str(), &there) == 0 ? there.st_ino : 0;
}

std::string PowerDisk::Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// All contents at the beginning count as synced.
void PowerDisk::Learn(const std::string& path) {
  const Inode inode = InodeOf(path);
  File& file = files_[inode];
  file.is_directory = fs::is_directory(path);
  if (!file.is_directory) {
    file.synced = Contents(path);
    return;
  }
  durable_[inode];
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string below = entry.path().string();
    durable_[inode][NameOf(below)] = InodeOf(below);
    Learn(below);
  }
}

void PowerDisk::Start(uint64_t cut_after) {
  WatchCalls("", nullptr);
  files_.clear();
  durable_.clear();
  pending_.clear();
  cut_ = false;
  changes_ = 0;
  cut_after_ = cut_after;
  root_inode_ = InodeOf(root_);
  Learn(root_);
  WatchCalls(root_, this);
}

void PowerDisk::KeepWritten(const std::string& path) {
  const auto found = files_.find(InodeOf(path));
  if (found != files_.end() && !found->second.is_directory) {
    found->second.written = Contents(path);
  }
}

Verdict PowerDisk::Before(const Call& call) {
  const std::lock_guard lock(mutex_);
  const bool changes = (call.kind == CallKind::kOpenWrite && call.creates) || call.kind == CallKind::kWrite ||
                       call.kind == CallKind::kSync || call.kind == CallKind::kRename ||
                       call.kind == CallKind::kDelete || call.kind == CallKind::kMakeDir ||
                       call.kind == CallKind::kLink;
  if (!cut_ && changes && ++changes_ == cut_after_) {
    cut_ = true;
  }
  if (cut_) {
    return {.error = call.kind == CallKind::kClose ? 0 : EIO};
  }
  // The inode cannot be found after the call.
  if (call.kind == CallKind::kDelete) {
    KeepWritten(call.path);
  } else if (call.kind == CallKind::kRename && !call.exchange) {
    KeepWritten(call.other);
  }
  return {};
}

void PowerDisk::After(const Call& call) {
  const std::lock_guard lock(mutex_);
  if (cut_) {
    return;
  }
  const auto name = [](const std::string& path, Inode inode) {
    return Change::Name{InodeOf(ParentOf(path)), NameOf(path), inode};
  };
  switch (call.kind) {
    case CallKind::kOpenWrite:
      if (call.creates) {
        const Inode inode = InodeOf(call.path);
        files_[inode] = {};
        pending_.push_back({{name(call.path, inode)}});
      }
      break;
    case CallKind::kMakeDir: {
      const Inode inode = InodeOf(call.path);
      files_[inode].is_directory = true;
      durable_[inode];
      pending_.push_back({{name(call.path, inode)}});
      break;
    }
    case CallKind::kDelete:
      pending_.push_back({{name(call.path, 0)}});
      break;
    case CallKind::kLink:
      pending_.push_back({{name(call.other, InodeOf(call.other))}});
      break;
    case CallKind::kRename:
      pending_.push_back(
          {{name(call.path, call.exchange ? InodeOf(call.path) : 0), name(call.other, InodeOf(call.other))}});
      break;
    case CallKind::kSync:
      Synced(InodeOf(call.path), call.path);
      break;
    default:
      break;
  }
}

void PowerDisk::Apply(const Change& change) {
  for (const auto& name : change.names) {
    Names& names = durable_[name.directory];
    if (name.inode == 0) {
      names.erase(name.name);
    } else {
      names[name.name] = name.inode;
    }
  }
}

void PowerDisk::Synced(Inode inode, const std::string& path) {
  const auto found = files_.find(inode);
  if (found == files_.end()) {
    return;
  }
  if (!found->second.is_directory) {
    found->second.synced = Contents(path);
    return;
  }
  std::vector<Change> left;
  for (Change& change : pending_) {
    const bool concerns = std::any_of(change.names.begin(), change.names.end(),
                                      [&](const Change::Name& name) { return name.directory == inode; });
    if (concerns) {
      Apply(change);
    } else {
      left.push_back(std::move(change));
    }
  }
  pending_ = std::move(left);
}

std::string PowerDisk::Surviving(const File& file, Loss loss, Chance& chance) {
  if (loss == Loss::kAll || file.written == file.synced || chance.OneIn(3)) {
    return file.synced;
  }
  if (!file.written.starts_with(file.synced)) {
    return chance.OneIn(2) ? file.synced : file.written;
  }
  const size_t added = file.written.size() - file.synced.size();
  const size_t kept = file.synced.size() + chance.Below(added + 1);
  std::string contents = file.written.substr(0, kept);
  if (chance.OneIn(3)) {
    contents.resize(kept + chance.Below(file.written.size() - kept + 1), '\0');
  }
  return contents;
}

void PowerDisk::Write(Inode directory, const std::string& path, Loss loss, Chance& chance) {
  for (const auto& [name, inode] : durable_[directory]) {
    const std::string below = path + "/" + name;
    const File& file = files_[inode];
    if (file.is_directory) {
      fs::create_directory(below);
      Write(inode, below, loss, chance);
    } else {
      std::ofstream(below, std::ios::binary) << Surviving(file, loss, chance);
    }
  }
}

void PowerDisk::Restore(Loss loss, Chance& chance) {
  WatchCalls("", nullptr);
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    if (entry.is_regular_file()) {
      KeepWritten(entry.path().string());
    }
  }
  if (loss == Loss::kOrdered && !pending_.empty()) {
    pending_.resize(chance.Below(pending_.size() + 1));
  }
  const uint64_t one_in = 1 + chance.Below(4);  // 1: all changes are kept
  for (const Change& change : pending_) {
    if (loss == Loss::kOrdered || (loss == Loss::kRandom && (one_in == 1 || !chance.OneIn(one_in)))) {
      Apply(change);
    }
  }
  for (const auto& entry : fs::directory_iterator(root_)) {
    fs::remove_all(entry.path());
  }
  Write(root_inode_, root_, loss, chance);
}

}  // namespace rocksdb_backup::test
