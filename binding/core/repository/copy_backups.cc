#include "core/repository/copy_backups.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/backup/backup_reading.h"
#include "core/backup/backup_record.h"
#include "core/backup/directory_look.h"
#include "core/backup/meta_file.h"
#include "core/base/checksum.h"
#include "core/base/paths.h"
#include "core/base/stoppable_rate_limiter.h"
#include "core/storage/text_file.h"

namespace rocksdb_backup {
namespace {

using rocksdb::FileOptions;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using State = CopiedBackup::State;

constexpr size_t kReadBytes = size_t{1} << 20;
// Files that are copied, or read, at the same time: an answer of a store takes a while, however small the file is.
constexpr size_t kParallel = 4;
constexpr size_t kMetasAtOnce = 32;

// A file that is not complete. The next copy writes it again, and a clean-up removes it.
std::string TemporaryPath(const std::string& root, const std::string& name) {
  const bool is_private = name.starts_with("private/");
  return root + "/" + ParentOf(name) + "/." + NameOf(name) + (is_private ? ".copy" : ".tmp");
}

bool Has(const std::vector<uint32_t>& ids, uint32_t id) { return std::binary_search(ids.begin(), ids.end(), id); }

std::optional<uint64_t> SizeAt(rocksdb::FileSystem& files, const std::string& path) {
  uint64_t size = 0;
  return files.GetFileSize(path, IOOptions(), &size, nullptr).ok() ? std::optional(size) : std::nullopt;
}

std::string RecordPath(const EngineSettings& settings, uint32_t id) {
  return PrivatePath(settings.root(), id) + "/" + kRecordName;
}

class Copy {
 public:
  Copy(const EngineSettings& from, const EngineSettings* to, const CopyRequest& request,
       std::shared_ptr<Operation> operation, std::vector<CopiedBackup>* backups)
      : from_(from),
        to_(to),
        request_(request),
        operation_(std::move(operation)),
        backups_(*backups),
        source_(from.files()),
        target_(to == nullptr ? nullptr : to->files()) {}

  Error Plan() {
    backups_.clear();
    if (Error error = OpenToRead(from_, &from_session_); !error.ok()) {
      return error;
    }
    if (Error error = Choose(); !error.ok()) {
      return error;
    }
    if (to_ != nullptr) {
      if (Error error = OpenToRead(*to_, &to_session_); !error.ok()) {
        return error;
      }
    }
    // A few metas at a time: an answer of a store takes a while.
    std::vector<uint32_t> differ;
    for (size_t begin = 0; begin < backups_.size() && !Stopped(); begin += kMetasAtOnce) {
      std::vector<Metas> metas(std::min(kMetasAtOnce, backups_.size() - begin));
      InParallel(metas.size(), [&](size_t at) {
        metas[at] = ReadMetas(backups_[begin + at]);
        return true;
      });
      for (size_t at = 0; at < metas.size() && !Stopped(); ++at) {
        if (Error error = PlanOne(metas[at], &backups_[begin + at], &differ); !error.ok()) {
          return error;
        }
      }
    }
    is_there_.clear();
    if (Stopped()) {
      return Error();
    }
    if (!differ.empty()) {
      return Taken(differ);
    }
    return to_ == nullptr ? Error() : CheckDatabases();
  }

  Error Run() {
    if (Error error = Plan(); !error.ok()) {
      return error;
    }
    uint64_t bytes = 0;
    uint32_t files = 0;
    for (const CopiedBackup& backup : backups_) {
      bytes += backup.bytes;
      files += backup.files;
    }
    if (const auto free = to_->storage->FreeSpace(); free && *free < bytes) {
      return Error("NO_SPACE", "the copy would write " + HumanBytes(bytes) + " to " + to_->name() + ", where " +
                                   HumanBytes(*free) + " are free. Nothing was copied.")
          .With("path", to_->name())
          .With("bytesNeeded", bytes)
          .With("bytesFree", *free)
          .Advise("freeSpaceForBackup");
    }
    operation_->Begin(Phase::kCopy, bytes, files);
    for (CopiedBackup& backup : backups_) {
      if (backup.state != State::kCopied) {
        continue;
      }
      if (Error error = CopyOne(&backup); !error.ok() || Stopped()) {
        return error.ok() ? Error("BACKUP_STOPPED", "the copy was stopped") : std::move(error);
      }
    }
    if (!operation_->Commit()) {
      return Error("BACKUP_STOPPED", "the copy was stopped");
    }
    operation_->Finish();
    return Error();
  }

 private:
  bool Stopped() const { return operation_->ended(); }

  void Fail(CopiedBackup* backup, Error error) const {
    backup->state = State::kFailed;
    backup->error = std::move(error);
  }

  // Which backups to copy.
  Error Choose() {
    std::vector<uint32_t> ids = request_.backup_ids;
    if (ids.empty()) {
      ids = from_session_->ids();
      const auto& corrupt = from_session_->corrupt_ids();
      ids.insert(ids.end(), corrupt.begin(), corrupt.end());
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    for (const uint32_t id : ids) {
      CopiedBackup& backup = backups_.emplace_back();
      backup.id = id;
      if (Has(from_session_->corrupt_ids(), id)) {
        Fail(&backup, Unrestorable(from_, id, from_session_->ReasonOf(id)));
      } else if (!Has(from_session_->ids(), id)) {
        return from_session_->NotFound(id);
      }
    }
    return Error();
  }

  // The lists of a backup's files. Another backup in the target may have the id: its list is another then.
  struct Metas {
    std::string ours;
    std::string theirs;
    bool taken = false;
    Error in_source;
    Error in_target;
  };

  Metas ReadMetas(const CopiedBackup& backup) const {
    Metas metas;
    const uint32_t id = backup.id;
    if (backup.state == State::kFailed) {
      return metas;
    }
    if (IOStatus status = ReadFileToString(source_.get(), MetaPath(from_.root(), id), &metas.ours); !status.ok()) {
      metas.in_source = ReadError(from_, id, status);
      return metas;
    }
    metas.taken = to_ != nullptr && (Has(to_session_->ids(), id) || Has(to_session_->corrupt_ids(), id));
    if (metas.taken) {
      if (IOStatus status = ReadFileToString(target_.get(), MetaPath(to_->root(), id), &metas.theirs); !status.ok()) {
        metas.in_target = ReadError(*to_, id, status);
      }
    }
    return metas;
  }

  // What a copy of this backup would do. What is wrong with the source becomes the error of the backup.
  Error PlanOne(Metas& metas, CopiedBackup* backup, std::vector<uint32_t>* differ) {
    if (!metas.in_target.ok()) {
      return std::move(metas.in_target);
    }
    if (!metas.in_source.ok()) {
      return FailOne(backup, std::move(metas.in_source));
    }
    if (backup->state == State::kFailed) {
      return Error();
    }
    const uint32_t id = backup->id;
    if (metas.taken && metas.ours != metas.theirs) {
      if (std::string damage = DamageOfTheirMeta(id); !damage.empty()) {
        Fail(backup, Unrestorable(*to_, id, damage, {MetaName(id)}).Advise("copyAgain"));
        return Error();
      }
      differ->push_back(id);
    } else if (metas.taken) {
      same_.insert(id);
    }
    BackupDescription described;
    if (Error error = Describe(id, metas.ours, &described); !error.ok()) {
      return FailOne(backup, std::move(error));
    }
    backup->timestamp = described.timestamp;
    for (const BackupFile& file : described.files) {
      const auto [seen, is_new] = is_there_.emplace(file.name, false);
      if (is_new) {
        seen->second = target_ != nullptr && SizeAt(*target_, to_->root() + "/" + file.name) == file.size;
      }
      if (seen->second) {
        continue;
      }
      backup->state = State::kCopied;
      if (is_new) {
        ++backup->files;
        backup->bytes += file.size;
      }
    }
    const bool has_record = SizeAt(*source_, RecordPath(from_, id)).has_value();
    if (!same_.contains(id) || !Has(to_session_->ids(), id) ||
        (has_record && !SizeAt(*target_, RecordPath(*to_, id)))) {
      backup->state = State::kCopied;
    }
    return Error();
  }

  // What is wrong with the target's list of a backup's files, if its record tells. Else it is another backup's list.
  std::string DamageOfTheirMeta(uint32_t id) const {
    std::string text;
    const std::string path = RecordPath(*to_, id);
    if (!SizeAt(*target_, path) || !ReadFileToString(target_.get(), path, &text).ok()) {
      return "";
    }
    const std::optional<BackupRecord> record = ParseRecord(id, text);
    return record ? DifferenceInMeta(*to_, id, *record) : "";
  }

  // The files of a backup, without a request for what the copy does not need to know.
  Error Describe(uint32_t id, const std::string& meta, BackupDescription* described) {
    const BackupMeta parsed = ParseMeta(meta);
    if (!parsed.plain) {
      return from_session_->Describe(id, true, described);
    }
    described->id = id;
    described->timestamp = parsed.timestamp;
    for (const auto& entry : parsed.entries) {
      const std::string name(entry.name);
      if (entry.excluded) {
        described->excluded.push_back(name);
      } else {
        described->files.push_back({name, SizeAt(*source_, from_.root() + "/" + name).value_or(0)});
      }
    }
    return Error();
  }

  Error Taken(std::vector<uint32_t>& differ) const {
    const bool one = differ.size() == 1;
    return Error("BACKUP_EXISTS",
                 to_->name() + " has " + (one ? "another backup " : "other backups ") + JoinIds(differ) + " than " +
                     from_.name() +
                     ": the lists of files differ. A copy keeps the ids of backups, so nothing was copied.")
        .With("path", to_->name())
        .With("backupId", uint64_t{differ.front()})
        .Advise("copyElsewhere");
  }

  // As with a new backup: if the target has backups of other databases only, a database needs permission.
  Error CheckDatabases() {
    if (request_.allow_other_database) {
      return Error();
    }
    std::map<std::string, std::vector<uint32_t>> known;
    bool others = false;  // backups that do not come from this source
    for (const uint32_t id : to_session_->ids()) {
      if (const std::string database = to_session_->DatabaseOf(id); !database.empty()) {
        known[database].push_back(id);
        others = others || !same_.contains(id);
      }
    }
    if (!others) {
      return Error();
    }
    for (const CopiedBackup& backup : backups_) {
      if (backup.state == State::kFailed || same_.contains(backup.id)) {
        continue;
      }
      const std::string database = from_session_->DatabaseOf(backup.id);
      if (database.empty() || known.contains(database)) {
        continue;
      }
      std::string told;
      for (const auto& [other, ids] : known) {
        told +=
            (told.empty() ? "" : ", ") + other + " (" + (ids.size() == 1 ? "backup " : "backups ") + JoinIds(ids) + ")";
      }
      return Error("DATABASE_DIFFERS", "nothing was copied: backup " + std::to_string(backup.id) + " in " +
                                           from_.name() + " is of the database " + database + ", and " + to_->name() +
                                           " has only backups of another database, " + told + ".")
          .With("path", to_->name())
          .With("backupId", uint64_t{backup.id})
          .With("databaseId", database)
          .Advise("shareRepository");
    }
    return Error();
  }

  Error ReadError(const EngineSettings& settings, uint32_t id, const IOStatus& status) const {
    return Error::From(status, "reading the list of files of backup " + std::to_string(id) + " in " + settings.name())
        .With("path", settings.name())
        .With("backupId", uint64_t{id});
  }

  Error WriteError(const std::string& name, const IOStatus& status) const {
    const std::string path = to_->name() + "/" + name;
    return Error::From(status, "writing " + path).With("path", path);
  }

  // Returns an error if the target fails. What is wrong with the source becomes the error of the backup.
  Error CopyOne(CopiedBackup* backup) {
    const uint32_t id = backup->id;
    backup->files = 0;
    backup->bytes = 0;
    std::unique_ptr<ReaderLock> lock;
    Error error = from_.storage->LockReader(id, Storage::Access::kRead, &lock);
    std::string meta;
    if (error.ok()) {
      if (IOStatus status = ReadFileToString(source_.get(), MetaPath(from_.root(), id), &meta); !status.ok()) {
        error = ReadError(from_, id, status);
      }
    }
    std::string record_text;
    std::optional<BackupRecord> record;
    const std::string record_path = RecordPath(from_, id);
    if (error.ok() && SizeAt(*source_, record_path)) {
      if (IOStatus status = ReadFileToString(source_.get(), record_path, &record_text); !status.ok()) {
        error = ReadError(from_, id, status);
      }
      record = ParseRecord(id, record_text);
    }
    if (error.ok() && record && (record->meta_size != meta.size() || record->meta_checksum != ChecksumOf(meta))) {
      error = Unrestorable(from_, id, DifferenceInMeta(from_, id, *record), {MetaName(id)});
    }
    BackupDescription described;
    if (error.ok()) {
      error = Describe(id, meta, &described);
    }
    if (error.ok()) {
      error = CheckFiles(from_, described, record);
    }
    if (Stopped()) {
      return Error();
    }
    if (!error.ok()) {
      return FailOne(backup, std::move(error));
    }
    std::vector<RecordedFile> files = KnownFiles(from_, id, record);
    std::set<std::string> directories = {"private", "private/" + std::to_string(id)};
    for (const RecordedFile& file : files) {
      directories.insert(ParentOf(file.name));
    }
    for (const std::string& directory : directories) {
      if (IOStatus status = target_->CreateDirIfMissing(to_->root() + "/" + directory, IOOptions(), nullptr);
          !status.ok()) {
        return WriteError(directory, status);
      }
    }
    if (Error failed = CopyFiles(files, backup); !failed.ok() || Stopped() || backup->state == State::kFailed) {
      return failed;
    }
    if (record) {
      const std::string name = "private/" + std::to_string(id) + "/";
      if (Error failed = WriteSmall(name + kTemporaryRecordName, name + kRecordName, record_text); !failed.ok()) {
        return failed;
      }
    }
    if (to_->engine.sync) {
      directories.insert("");  // the repository itself
      for (const std::string& directory : directories) {
        if (IOStatus status = SyncNames(*target_, to_->root() + (directory.empty() ? "" : "/" + directory));
            !status.ok()) {
          return WriteError(directory, status);
        }
      }
    }
    if (Error lost = lock->StillHeld(); !lost.ok()) {
      return FailOne(backup, std::move(lost));
    }
    if (Stopped()) {
      return Error();
    }
    if (Error failed = WriteSmall("meta/." + std::to_string(id) + ".tmp", MetaName(id), meta); !failed.ok()) {
      return failed;
    }
    if (to_->engine.sync) {
      if (IOStatus status = SyncNames(*target_, MetaDirectory(to_->root())); !status.ok()) {
        return WriteError("meta", status);
      }
    }
    return Error();
  }

  // If the storage of the source itself failed, the other backups would fail, too.
  Error FailOne(CopiedBackup* backup, Error error) const {
    const std::string code = error.code();
    Error explained = from_.storage->Explain(std::move(error));
    if (explained.code() != code) {
      return explained;
    }
    Fail(backup, std::move(explained));
    return Error();
  }

  // Writes a file at once: nobody sees a part of it.
  Error WriteSmall(const std::string& temporary, const std::string& name, const std::string& text) const {
    const std::string path = to_->root() + "/" + name;
    std::string there;
    if (SizeAt(*target_, path) == text.size() && ReadFileToString(target_.get(), path, &there).ok() && there == text) {
      return Error();
    }
    const std::string temporary_path = to_->root() + "/" + temporary;
    IOStatus status = WriteWhole(*target_, temporary_path, text, to_->engine.sync);
    if (status.ok()) {
      status = target_->RenameFile(temporary_path, path, IOOptions(), nullptr);
    }
    if (!status.ok()) {
      target_->DeleteFile(temporary_path, IOOptions(), nullptr).PermitUncheckedError();
      return WriteError(name, status);
    }
    return Error();
  }

  // Calls `work` for each number below `count`, on several threads, until one returns false or the copy is stopped.
  template <class Work>
  void InParallel(size_t count, Work work) const {
    std::atomic<size_t> next{0};
    std::atomic<bool> over{false};
    const auto run = [&] {
      for (size_t at = next++; at < count && !over && !Stopped(); at = next++) {
        if (!work(at)) {
          over = true;
        }
      }
    };
    std::vector<std::thread> threads;
    while (threads.size() + 1 < std::min(kParallel, count)) {
      threads.emplace_back(run);
    }
    run();
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

  Error CopyFiles(const std::vector<RecordedFile>& files, CopiedBackup* backup) {
    std::mutex mutex;
    Error failed;  // of the target
    InParallel(files.size(), [&](size_t at) {
      uint64_t copied = 0;
      Error in_source;
      bool was_copied = false;
      Error in_target = CopyFile(files[at], backup->id, &in_source, &copied, &was_copied);
      const std::lock_guard lock(mutex);
      backup->bytes += copied;
      backup->files += was_copied ? 1 : 0;
      if (!in_target.ok() && failed.ok()) {
        failed = std::move(in_target);
      } else if (!in_source.ok() && backup->error.ok()) {
        Fail(backup, std::move(in_source));
      }
      return failed.ok() && backup->error.ok();
    });
    if (!failed.ok() || backup->state != State::kFailed) {
      return failed;
    }
    return Stopped() ? Error() : FailOne(backup, std::exchange(backup->error, Error()));
  }

  Error CopyFile(const RecordedFile& file, uint32_t id, Error* in_source, uint64_t* copied, bool* was_copied) {
    const std::string path = to_->root() + "/" + file.name;
    const std::string source_path = from_.root() + "/" + file.name;
    const std::optional<uint64_t> size = file.size ? file.size : SizeAt(*source_, source_path);
    const std::optional<uint64_t> there = SizeAt(*target_, path);
    if (there) {
      bool known = same_.contains(id) || file.name.starts_with("shared_checksum/");
      if (Error error = CheckTaken(file, there == size, id, &known); !error.ok()) {
        *in_source = std::move(error);
        return Error();
      }
      if (there == size && (known || HasChecksum(path, file))) {
        return Error();
      }
      if (there == size) {
        operation_->AdjustTotals(static_cast<int64_t>(*size), 1);  // the plan did not expect it
      }
    }
    if (const std::string known = KnownDamage(file.name); !known.empty()) {
      *in_source = Unrestorable(from_, id, known, {file.name});
      return Error();
    }
    std::unique_ptr<rocksdb::FSSequentialFile> source;
    if (IOStatus status = source_->NewSequentialFile(source_path, FileOptions(), &source, nullptr); !status.ok()) {
      *in_source = Unrestorable(from_, id, Worded(status), {file.name});
      return Error();
    }
    if (size) {
      to_->storage->ExpectFile(file.name, *size);
    }
    const std::string temporary = TemporaryPath(to_->root(), file.name);
    std::unique_ptr<rocksdb::FSWritableFile> target;
    if (IOStatus status = target_->NewWritableFile(temporary, FileOptions(), &target, nullptr); !status.ok()) {
      return WriteError(file.name, status);
    }
    const auto drop = [&] {
      target.reset();  // what was not closed is given up
      target_->DeleteFile(temporary, IOOptions(), nullptr).PermitUncheckedError();
    };
    const auto buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
    const auto limiter =
        to_->backup_limiter ? std::make_unique<StoppableRateLimiter>(to_->backup_limiter, operation_) : nullptr;
    Checksum checksum;
    uint64_t read = 0;
    for (;;) {
      if (Stopped()) {
        drop();
        return Error();
      }
      rocksdb::Slice piece;
      if (IOStatus status = source->Read(kReadBytes, IOOptions(), &piece, buffer.get(), nullptr); !status.ok()) {
        *in_source = Unrestorable(from_, id, Worded(status), {file.name});
        drop();
        return Error();
      }
      if (piece.empty()) {
        break;
      }
      if (limiter != nullptr) {
        for (size_t left = piece.size(); left > 0;) {
          const auto part = std::min<size_t>(left, static_cast<size_t>(limiter->GetSingleBurstBytes()));
          limiter->Request(static_cast<int64_t>(part), rocksdb::Env::IO_LOW, nullptr,
                           rocksdb::RateLimiter::OpType::kWrite);
          left -= part;
        }
      }
      read += piece.size();
      checksum.Add({piece.data(), piece.size()});
      if (IOStatus status = target->Append(piece, IOOptions(), nullptr); !status.ok()) {
        drop();
        return Stopped() ? Error() : WriteError(file.name, status);
      }
      operation_->AddBytes(file.name, piece.size());
    }
    const uint32_t value = checksum.Value();
    if ((size && read != *size) || (file.checksum && value != *file.checksum)) {
      drop();
      const std::string why = from_.name() + "/" + file.name +
                              (size && read != *size ? " has " + std::to_string(read) + " bytes and was written with " +
                                                           std::to_string(*size)
                                                     : " has the checksum " + std::to_string(value) +
                                                           " and was written with " + std::to_string(*file.checksum));
      *in_source = Unrestorable(from_, id, why, {file.name});
      const std::lock_guard lock(mutex_);
      damaged_[file.name] = why;
      return Error();
    }
    IOStatus status = to_->engine.sync ? target->Sync(IOOptions(), nullptr) : IOStatus::OK();
    if (status.ok()) {
      status = target->Close(IOOptions(), nullptr);
    }
    if (status.ok()) {
      status = target_->RenameFile(temporary, path, IOOptions(), nullptr);
    }
    if (!status.ok()) {
      drop();
      return Stopped() ? Error() : WriteError(file.name, status);
    }
    *copied = read;
    *was_copied = true;
    operation_->AddFile(file.name);
    return Error();
  }

  // A file that several backups have is read once, also if it is damaged.
  std::string KnownDamage(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = damaged_.find(name);
    return found == damaged_.end() ? "" : found->second;
  }

  // Names in `shared_checksum` tell the contents. A file with another name that no backup has may be left from a backup
  // that had the same id, or from another database: then its size proves nothing.
  bool HasChecksum(const std::string& path, const RecordedFile& file) const {
    std::unique_ptr<rocksdb::FSSequentialFile> opened;
    if (!file.checksum || !target_->NewSequentialFile(path, FileOptions(), &opened, nullptr).ok()) {
      return false;
    }
    const auto buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
    Checksum checksum;
    rocksdb::Slice piece;
    do {
      if (Stopped() || !opened->Read(kReadBytes, IOOptions(), &piece, buffer.get(), nullptr).ok()) {
        return false;
      }
      checksum.Add({piece.data(), piece.size()});
    } while (!piece.empty());
    return checksum.Value() == *file.checksum;
  }

  // The target has a file with this name. Names in `shared` are those of the database, so another database may have
  // made it; and a file that some backup has must not be replaced by another. `known`: a backup has the same file.
  Error CheckTaken(const RecordedFile& file, bool same_size, uint32_t id, bool* known) {
    if ((same_size && !file.name.starts_with("shared/")) || !file.checksum) {
      return Error();
    }
    const std::lock_guard lock(mutex_);
    if (!listed_) {
      listed_ = true;
      for (const uint32_t theirs : to_session_->ids()) {
        std::string meta;
        if (IOStatus status = ReadFileToString(target_.get(), MetaPath(to_->root(), theirs), &meta); !status.ok()) {
          return ReadError(*to_, theirs, status);
        }
        for (const auto& entry : ParseMeta(meta).entries) {
          if (entry.checksum) {
            in_target_.emplace(entry.name, *entry.checksum);
          }
        }
      }
    }
    const auto found = in_target_.find(file.name);
    if (found == in_target_.end() || found->second == *file.checksum) {
      *known = found != in_target_.end();
      return Error();
    }
    return Error("BACKUP_EXISTS", "backup " + std::to_string(id) + " in " + from_.name() + " was not copied: " +
                                      to_->name() + " has another file with the name " + file.name + ".")
        .With("path", to_->name())
        .With("backupId", uint64_t{id})
        .Advise("copyElsewhere");
  }

  const EngineSettings& from_;
  const EngineSettings* const to_;
  const CopyRequest& request_;
  const std::shared_ptr<Operation> operation_;
  std::vector<CopiedBackup>& backups_;
  const std::shared_ptr<rocksdb::FileSystem> source_;
  const std::shared_ptr<rocksdb::FileSystem> target_;  // null: there is no repository yet
  std::shared_ptr<BackupEngineSession> from_session_;
  std::shared_ptr<BackupEngineSession> to_session_;
  std::unordered_map<std::string, bool> is_there_;  // in the target; a file that many backups share is looked at once
  std::set<uint32_t> same_;                         // the target has the same meta file

  std::mutex mutex_;                            // guards all members below
  std::map<std::string, std::string> damaged_;  // files of the source, and what is wrong with them
  bool listed_ = false;
  std::map<std::string, uint32_t, std::less<>> in_target_;  // the checksums in the target's meta files
};

}  // namespace

Error PlanCopy(const EngineSettings& from, const EngineSettings* to, const CopyRequest& request,
               const std::shared_ptr<Operation>& operation, std::vector<CopiedBackup>* backups) {
  return Guarded(from.name(), [&] { return Copy(from, to, request, operation, backups).Plan(); });
}

Error CopyBackups(const EngineSettings& from, const EngineSettings& to, const CopyRequest& request,
                  const std::shared_ptr<Operation>& operation, std::vector<CopiedBackup>* backups) {
  return Guarded(from.name(), [&] { return Copy(from, &to, request, operation, backups).Run(); });
}

}  // namespace rocksdb_backup
