#include "core/restore/one_backup_fs.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/paths.h"
#include "core/storage/text_file.h"

namespace rocksdb_backup {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSSequentialFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus ReadToEnd(FSSequentialFile& file, std::string* text) {
  constexpr size_t kPiece = 64 << 10;
  std::vector<char> buffer(kPiece);
  for (;;) {
    Slice piece;
    IOStatus status = file.Read(buffer.size(), IOOptions(), &piece, buffer.data(), nullptr);
    if (!status.ok() || piece.empty()) {
      return status;
    }
    text->append(piece.data(), piece.size());
  }
}

}  // namespace

// A meta file has the time, the sequence number, fields, the number of files, and then a line for each file, which
// begins with its name. A file that is marked as excluded is not counted, and is never in `left_out`.
std::string MetaWithout(const std::string& meta, const std::set<std::string>& left_out) {
  std::vector<std::string_view> lines;
  size_t count_line = 0;
  uint64_t removed = 0;
  size_t numbers = 0;  // how many lines of digits only; the third is the number of files
  for (std::string_view rest = meta; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size() - 1) + 1;
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end);
    if (count_line == 0 && isdigit(static_cast<unsigned char>(line.front())) != 0 && ++numbers == 3) {
      count_line = lines.size();
    } else if (count_line != 0 && left_out.contains(std::string(line.substr(0, line.find(' '))))) {
      ++removed;
      continue;
    }
    lines.push_back(line);
  }
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) {
    text += count_line != 0 && i == count_line
                ? std::to_string(strtoull(std::string(lines[i]).c_str(), nullptr, 10) - removed) + "\n"
                : std::string(lines[i]);
  }
  return text;
}

OneBackupFileSystem::OneBackupFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base,
                                         const std::string& backup_dir, uint32_t id, std::set<std::string> left_out)
    : FileSystemWrapper(base),
      meta_(CleanPath(MetaDirectory(backup_dir))),
      name_(std::to_string(id)),
      left_out_(std::move(left_out)) {}

IOStatus OneBackupFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                                std::unique_ptr<FSSequentialFile>* file, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewSequentialFile(path, options, file, debug);
  if (!status.ok() || CleanPath(path) != meta_ + "/" + name_) {
    return status;
  }
  std::string meta;
  status = ReadToEnd(**file, &meta);
  if (status.ok()) {
    *file = std::make_unique<TextFile>(MetaWithout(meta, left_out_));
  }
  return status;
}

IOStatus OneBackupFileSystem::GetChildren(const std::string& path, const IOOptions& options,
                                          std::vector<std::string>* children, IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::GetChildren(path, options, children, debug);
  if (CleanPath(path) == meta_) {
    std::erase_if(*children, [&](const std::string& name) { return name != name_; });
  }
  return status;
}

IOStatus OneBackupFileSystem::GetChildrenFileAttributes(const std::string& path, const IOOptions& options,
                                                        std::vector<rocksdb::FileAttributes>* children,
                                                        IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::GetChildrenFileAttributes(path, options, children, debug);
  if (CleanPath(path) == meta_) {
    std::erase_if(*children, [&](const rocksdb::FileAttributes& file) { return file.name != name_; });
  }
  return status;
}

}  // namespace rocksdb_backup
