#include "core/storage/local_small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "core/base/checksum.h"
#include "core/base/descriptor.h"
#include "core/base/paths.h"
#include "core/storage/directories.h"

namespace rocksdb_backup {
namespace {

// Far more than any file that is kept beside backups has.
constexpr off_t kMostBytes = off_t{64} << 20;

Descriptor OpenAt(const std::string& path, int flags) {
  return Descriptor(open(path.c_str(), flags | O_CLOEXEC, 0666));
}

std::string SystemText(int number) { return std::generic_category().message(number); }

Error Unreadable(const std::string& path, const std::string& why) {
  return Error("STATE_UNREADABLE", path + " cannot be read: " + why + ".").With("path", path).WithWhy(why);
}

Error Unwritable(const std::string& path, int number) {
  const std::string denial = number == EACCES ? Denial(ParentOf(path), Wanted::kToWrite) : "";
  const std::string doing = path + " cannot be written";
  return (denial.empty() ? Error::System(doing, number).And(".") : Error("", doing + ": " + denial + "."))
      .WithCode("STATE_UNWRITABLE")
      .With("path", path)
      .WithWhy(denial);
}

bool IsNothingThere(int number) { return number == ENOENT || number == ENOTDIR; }

// Goes by the content alone: some file systems change times and inodes of a file that stays the same.
std::string VersionOf(const std::string& text) {
  return std::to_string(text.size()) + "-" + std::to_string(ChecksumOf(text)) + "-" + std::to_string(HashOf(text));
}

// Writes a new file and makes its content last. Does not open what lies there: it may be a link that leads elsewhere,
// or a FIFO.
int WriteNew(const std::string& path, const std::string& text) {
  unlink(path.c_str());
  Descriptor file = OpenAt(path, O_WRONLY | O_CREAT | O_EXCL);
  struct stat written = {};
  if (!file.ok() || !WriteFully(file, text) || fsync(file.get()) != 0 || fstat(file.get(), &written) != 0) {
    return errno;
  }
  if (static_cast<size_t>(written.st_size) != text.size()) {
    return EIO;
  }
  return file.Close() ? 0 : errno;
}

// Some file systems have no fsync for directories. They keep renames in order by themselves.
int SyncNamesIn(const std::string& directory) {
  const Descriptor opened = OpenAt(directory, O_RDONLY | O_DIRECTORY);
  return (opened.ok() && fsync(opened.get()) == 0) || errno == EINVAL || errno == ENOTSUP ? 0 : errno;
}

}  // namespace

// The path may lead to something that is not a plain file: a FIFO would block for ever, and some devices have no end. A
// part of a file never passes for the whole: it is an error if the disk or the network gives fewer bytes than the file
// has.
Error ReadLocalSmallFile(const std::string& path, std::optional<SmallFile>* read) {
  read->reset();
  const Descriptor file = OpenAt(path, O_RDONLY | O_NONBLOCK);
  if (!file.ok()) {
    const int number = errno;
    if (IsNothingThere(number)) {
      // A link to a disk that is not there at the moment is a file that cannot be read.
      struct stat link = {};
      if (lstat(path.c_str(), &link) != 0) {
        return Error();
      }
      // Otherwise it came in this moment.
      return S_ISLNK(link.st_mode) ? Unreadable(path, "it is a link that leads nowhere").Advise("mendLink")
                                   : ReadLocalSmallFile(path, read);
    }
    const std::string denial = number == EACCES ? Denial(path) : "";
    return Unreadable(path, denial.empty() ? SystemText(number) : denial);
  }
  struct stat found = {};
  if (fstat(file.get(), &found) != 0) {
    return Unreadable(path, SystemText(errno));
  }
  if (!S_ISREG(found.st_mode)) {
    return Unreadable(path, S_ISDIR(found.st_mode) ? "it is a directory" : "it is no plain file")
        .Advise("moveAwayNoState");
  }
  if (found.st_size > kMostBytes) {
    return Unreadable(path, "it has " + std::to_string(found.st_size) + " bytes, which is too much");
  }
  std::string text(static_cast<size_t>(found.st_size), '\0');
  const ssize_t got = ReadFully(file, text.data(), text.size());
  if (got < 0) {
    return Unreadable(path, SystemText(errno));
  }
  if (got < found.st_size) {
    return Unreadable(
        path, "only " + std::to_string(got) + " of its " + std::to_string(text.size()) + " bytes could be read");
  }
  std::string version = VersionOf(text);
  *read = SmallFile{std::move(text), std::move(version)};
  return Error();
}

Error ReplaceLocalSmallFile(const std::string& path, const std::optional<std::string>& version, const std::string& text,
                            const DirectoryLock& lock, std::string* new_version) {
  std::optional<SmallFile> current;
  // The file that a link leads to is not ours to replace, and a file in the place of the link would leave the other one
  // outdated.
  struct stat found = {};
  if (lstat(path.c_str(), &found) == 0 && S_ISLNK(found.st_mode)) {
    return Error("STATE_UNWRITABLE", path + " cannot be written: it is a link.").With("path", path).Advise("moveHere");
  }
  const bool any = version == kAnyVersion;
  if (Error error = any ? Error() : ReadLocalSmallFile(path, &current); !error.ok()) {
    return error;
  }
  if (!any && (current ? current->version != version : version.has_value())) {
    return Error("STATE_CHANGED", path + " was changed by another process in the meantime.").With("path", path);
  }
  if (text.size() > static_cast<size_t>(kMostBytes)) {
    return Unwritable(path, EFBIG);
  }
  *new_version = VersionOf(text);
  const std::string temporary = path + ".tmp";
  const auto give_up = [&](Error error) {
    unlink(temporary.c_str());
    return error;
  };
  if (const int number = WriteNew(temporary, text); number != 0) {
    return give_up(Unwritable(path, number));
  }
  if (Error error = lock.StillHeld(); !error.ok()) {
    return give_up(std::move(error));
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return give_up(Unwritable(path, errno));
  }
  if (const int number = SyncNamesIn(ParentOf(path)); number != 0) {
    return Error("STATE_NOT_DURABLE", path +
                                          " was changed, but a power cut may undo that: its directory cannot be "
                                          "synced: " +
                                          SystemText(number) + ".")
        .With("path", path);
  }
  return Error();
}

}  // namespace rocksdb_backup
