#include "core/database/database.h"

#include <algorithm>
#include <condition_variable>
#include <utility>

#include "core/base/paths.h"
#include "core/database/no_wait_fs.h"
#include "core/storage/directories.h"
#include "rocksdb/convenience.h"
#include "rocksdb/utilities/checkpoint.h"

namespace rocksdb_backup {
namespace {

// All open databases, for the end of the process. Never destroyed, because it is used at the end of the process.
struct Databases {
  std::mutex mutex;
  std::condition_variable none_freeing;
  std::set<Database*> databases;
  int freeing = 0;
  bool exiting = false;
};

Databases& AllDatabases() {
  static auto* all = new Databases;
  return *all;
}

}  // namespace

void Database::ShutDownAll() {
  Databases& all = AllDatabases();
  std::unique_lock lock(all.mutex);
  all.exiting = true;
  all.none_freeing.wait(lock, [&all] { return all.freeing == 0; });
  for (Database* database : all.databases) {
    database->Stop();
    if (const auto companion = database->companion()) {
      companion->Abandon();
    }
    rocksdb::CancelAllBackgroundWork(database->db(), true);
  }
}

Database::~Database() {
  // This database was opened, but never got a handle.
  if (db_ != nullptr) {
    (void)Free();
  }
}

std::string Database::wal_dir() const {
  const std::string dir = db_->GetDBOptions().wal_dir;
  return dir.empty() ? path_ : dir;
}

Database::FamilyPtr Database::FamilyById(uint32_t id) const {
  if (id == 0) {
    return default_family_;
  }
  const std::lock_guard lock(families_mutex_);
  auto found = families_.find(id);
  return found == families_.end() ? nullptr : found->second;
}

Database::FamilyPtr Database::FamilyByName(const std::string& name) const {
  const std::lock_guard lock(families_mutex_);
  for (const auto& [id, family] : families_) {
    if (family->handle->GetName() == name) {
      return family;
    }
  }
  return nullptr;
}

std::vector<std::string> Database::FamilyNames() const {
  const std::lock_guard lock(families_mutex_);
  std::vector<std::string> names;
  for (const auto& [id, family] : families_) {
    names.push_back(family->handle->GetName());
  }
  return names;
}

Error Database::CreateFamily(const std::string& name, const FamilyOptions& options, uint32_t* id) {
  rocksdb::ColumnFamilyOptions resolved;
  if (Error error = Resolve(options, cache_, nullptr, &resolved); !error.ok()) {
    return error;
  }
  FamilyChange change{.made = true, .sequence = db_->GetLatestSequenceNumber(), .name = name};
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  const rocksdb::Status status = db_->CreateColumnFamily(resolved, name, &handle);
  if (!status.ok()) {
    return Error::From(status, "create column family \"" + name + "\" in " + path_).With("path", path_);
  }
  *id = handle->GetID();
  change.id = *id;
  TellFamilyChange(change);
  const std::lock_guard lock(families_mutex_);
  families_[*id] = std::make_shared<Family>(db_.get(), handle);
  return Error();
}

Error Database::DropFamily(const std::string& name) {
  const FamilyPtr family = FamilyByName(name);
  if (family == nullptr) {
    return Error("COLUMN_FAMILY_NOT_FOUND", "the database " + path_ + " has no column family \"" + name + "\"")
        .With("path", path_);
  }
  const rocksdb::Status status = db_->DropColumnFamily(family->handle);
  if (!status.ok()) {
    return Error::From(status, "drop column family \"" + name + "\" of " + path_).With("path", path_);
  }
  TellFamilyChange({.sequence = db_->GetLatestSequenceNumber(), .id = family->handle->GetID(), .name = name});
  const std::lock_guard lock(families_mutex_);
  families_.erase(family->handle->GetID());
  return Error();
}

void Database::SetFamilyListener(std::function<void(const FamilyChange&)> listener) {
  const std::lock_guard lock(archiving_mutex_);
  family_listener_ = std::move(listener);
}

bool Database::SetCompanion(std::shared_ptr<Companion> companion) {
  const std::lock_guard lock(archiving_mutex_);
  if (companion_ != nullptr) {
    return false;
  }
  companion_ = std::move(companion);
  return true;
}

std::shared_ptr<Database::Companion> Database::companion() const {
  const std::lock_guard lock(archiving_mutex_);
  return companion_;
}

void Database::TellFamilyChange(const FamilyChange& change) {
  const std::lock_guard lock(archiving_mutex_);
  if (family_listener_) {
    family_listener_(change);
  }
}

Error Database::MarkTimeline(uint64_t timeline) {
  ArchiveMarker marker{.timeline = timeline};
  rocksdb::FileSystem& files = *db_->GetEnv()->GetFileSystem();
  if (Error error = LookAtManifest(files, path_, &marker.manifest); !error.ok()) {
    return error;
  }
  marker.manifest.bytes = 0;
  Error error = WriteArchiveMarker(files, path_, marker);
  if (error.ok()) {
    const std::lock_guard lock(archiving_mutex_);
    timeline_ = timeline;
  }
  return error;
}

Error Database::Write(const rocksdb::WriteOptions& options, rocksdb::WriteBatch* batch) {
  const bool stamped = commit_clock_ != nullptr && batch->Count() > 0;
  if (stamped) {
    if (options.disableWAL) {
      return Error("PITR_NEEDS_WAL", "a write without the log to " + path_ +
                                         ", which is archived: it would be in no archive, so it was not made")
          .With("path", path_);
    }
    batch->SetSavePoint();
    AddStamp(commit_clock_->Now(), batch).PermitUncheckedError();
  }
  const rocksdb::Status status = db_->Write(options, batch);
  if (stamped) {
    batch->RollbackToSavePoint().PermitUncheckedError();
  }
  if (options.disableWAL) {
    ++unlogged_writes_;
  }
  return status.ok() ? Error() : Error::From(status, "write to " + path_).With("path", path_);
}

bool Database::GetNow(rocksdb::ReadOptions options, const Family& family, const rocksdb::Slice& key,
                      rocksdb::PinnableSlice* value, rocksdb::Status* status) const {
  if (reads_without_waiting_) {
    const NoWait no_wait;
    *status = db_->Get(options, family.handle, key, value);
    return !no_wait.missed();
  }
  options.read_tier = rocksdb::kBlockCacheTier;
  *status = db_->Get(options, family.handle, key, value);
  return !status->IsIncomplete();
}

// At most this many bytes of values are read at once while a JS thread waits.
static constexpr uint64_t kMaxBytesNow = uint64_t{256} << 10;

bool Database::MultiGetNow(rocksdb::ReadOptions options, const Family& family, const std::vector<rocksdb::Slice>& keys,
                           std::vector<rocksdb::PinnableSlice>* values, std::vector<rocksdb::Status>* statuses) const {
  if (reads_without_waiting_) {
    const NoWait no_wait;
    options.value_size_soft_limit = kMaxBytesNow;
    db_->MultiGet(options, family.handle, keys.size(), keys.data(), values->data(), statuses->data());
    return !no_wait.missed() &&
           std::none_of(statuses->begin(), statuses->end(), [](const auto& status) { return status.IsAborted(); });
  }
  // MultiGet reads from the disk in every tier.
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!GetNow(options, family, keys[i], &(*values)[i], &(*statuses)[i])) {
      return false;
    }
  }
  return true;
}

namespace {

std::vector<rocksdb::ColumnFamilyHandle*> HandlesOf(const std::vector<Database::FamilyPtr>& families) {
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  handles.reserve(families.size());
  for (const Database::FamilyPtr& each : families) {
    handles.push_back(each->handle);
  }
  return handles;
}

}  // namespace

std::vector<Database::FamilyPtr> Database::AllFamilies() const {
  std::vector<FamilyPtr> families;
  const std::lock_guard lock(families_mutex_);
  for (const auto& [id, each] : families_) {
    families.push_back(each);
  }
  return families;
}

void Database::StartFlush() {
  rocksdb::FlushOptions options;
  options.wait = false;
  const std::vector<FamilyPtr> families = AllFamilies();
  db_->Flush(options, HandlesOf(families)).PermitUncheckedError();
}

Error Database::Flush(const FamilyPtr& family) {
  const rocksdb::FlushOptions options;
  if (family != nullptr) {
    return Error::From(db_->Flush(options, family->handle), "flush " + path_).With("path", path_);
  }
  const std::vector<FamilyPtr> families = AllFamilies();
  // Counted before the flush: a write that comes during the flush may or may not be included.
  const uint64_t unlogged = unlogged_writes_;
  const rocksdb::Status status = db_->Flush(options, HandlesOf(families));
  if (status.ok()) {
    uint64_t flushed = flushed_unlogged_writes_;
    while (flushed < unlogged && !flushed_unlogged_writes_.compare_exchange_weak(flushed, unlogged)) {
    }
  }
  return Error::From(status, "flush " + path_).With("path", path_);
}

Error Database::CompactRange(const FamilyPtr& family, const rocksdb::Slice* begin, const rocksdb::Slice* end,
                             rocksdb::CompactRangeOptions options, const std::shared_ptr<std::atomic<bool>>& canceled) {
  {
    const std::lock_guard lock(compactions_mutex_);
    if (stopping_) {
      return ClosedError();
    }
    compactions_.insert(canceled);
  }
  options.canceled = canceled.get();
  const rocksdb::Status status = db_->CompactRange(options, family->handle, begin, end);
  const std::lock_guard lock(compactions_mutex_);
  compactions_.erase(canceled);
  if (!status.ok() && stopping_) {
    return ClosedError();
  }
  return Error::From(status, "compact " + path_).With("path", path_);
}

Error Database::ApproximateSize(const FamilyPtr& family, const rocksdb::Slice& start, const rocksdb::Slice& end,
                                uint64_t* size) {
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  options.include_files = true;
  const rocksdb::Range range(start, end);
  return Explained(Error::From(db_->GetApproximateSizes(options, family->handle, &range, 1, size), "measure " + path_)
                       .With("path", path_));
}

Error Database::Checkpoint(const std::string& to) {
  const std::string path = RealPath(to);
  if (Error error = CreateDirectories(ParentOf(path)); !error.ok()) {
    return error;
  }
  rocksdb::Checkpoint* created = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &created);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(created);
  if (status.ok()) {
    status = checkpoint->CreateCheckpoint(path);
  }
  return Error::From(status, "checkpoint of " + path_ + " at " + path).With("path", path);
}

Error Database::Content(ContentParts parts, DatabaseContent* content) const {
  // Holding the families keeps them alive while they are examined.
  const std::vector<FamilyPtr> families = AllFamilies();
  return DescribeContent(db_.get(), HandlesOf(families), parts, content);
}

Error Database::Resume() {
  // If space was missing, RocksDB tries by itself every five seconds, and does not allow another try in between. Then
  // we wait for its next try.
  constexpr std::chrono::seconds kOneTry{7};
  const uint64_t recoveries = events_->recoveries();
  const rocksdb::Status status = db_->Resume();
  if (!status.IsBusy()) {
    return Error::From(status, "resume " + path_).With("path", path_);
  }
  if (events_->WaitForRecovery(recoveries, kOneTry)) {
    return Error();
  }
  return stopping_ ? ClosedError()
                   : Error::From(status, "resume " + path_)
                         .With("path", path_)
                         .And(
                             ". RocksDB tries again every few seconds, and continues when the free space is at least "
                             "the size of its write buffers (writeBufferSize).");
}

Error Database::Explained(Error error) const {
  if (error.ok()) {
    return error;
  }
  return gave_up_ ? ClosedError() : reading_.explain ? reading_.explain(std::move(error)) : error;
}

void Database::AddChild(Child* child) {
  const std::lock_guard lock(children_mutex_);
  children_.insert(child);
}

void Database::EndChild(Child* child) {
  // This holds the lock, so that Free cannot go on to delete the database before the child has ended.
  const std::lock_guard lock(children_mutex_);
  child->End();
  children_.erase(child);
}

void Database::Stop() {
  events_->EndWaits();
  // Nothing is given up if nobody reads: then the storage has time for what is to be done at the end.
  if (reading_.give_up && IsBusy()) {
    gave_up_ = true;
    reading_.give_up();
  }
  const std::lock_guard lock(compactions_mutex_);
  stopping_ = true;
  for (const auto& canceled : compactions_) {
    *canceled = true;
  }
}

Error Database::Free() {
  Databases& all = AllDatabases();
  {
    const std::lock_guard lock(all.mutex);
    if (all.exiting) {
      // Static objects may be destroyed already, so everything is left to the operating system.
      default_family_ = nullptr;
      new auto(std::move(families_));
      (void)db_.release();
      return Error();
    }
    all.databases.erase(this);
    ++all.freeing;
  }
  if (const auto companion = this->companion()) {
    companion->End();
    const std::lock_guard lock(archiving_mutex_);
    companion_ = nullptr;
  }
  {
    const std::lock_guard lock(children_mutex_);
    for (Child* child : children_) {
      child->End();
    }
    children_.clear();
  }
  {
    const std::lock_guard lock(families_mutex_);
    families_.clear();
    default_family_ = nullptr;
  }
  const rocksdb::Status status = db_->Close();
  if (timeline_ != 0 && status.ok()) {
    // If this cannot be written, the next opening takes another program to have been here.
    ArchiveMarker marker{.timeline = timeline_};
    rocksdb::FileSystem& files = *db_->GetEnv()->GetFileSystem();
    if (LookAtManifest(files, path_, &marker.manifest).ok()) {
      (void)WriteArchiveMarker(files, path_, marker);
    }
  }
  db_.reset();
  environment_ = {};
  wal_claim_.Release();
  claim_.Release();
  {
    const std::lock_guard lock(all.mutex);
    --all.freeing;
    all.none_freeing.notify_all();
  }
  return Error::From(status, "closing " + path_ + " (it is closed anyway, and can be opened again)")
      .With("path", path_);
}

// Takes over a database that was just opened. Last step of OpenIn, in database_open.cc.
void Database::Opened(std::unique_ptr<rocksdb::DB> db, const std::vector<rocksdb::ColumnFamilyHandle*>& handles) {
  db_ = std::move(db);
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    families_[handle->GetID()] = std::make_shared<Family>(db_.get(), handle);
  }
  default_family_ = families_[0];
  const std::lock_guard lock(AllDatabases().mutex);
  AllDatabases().databases.insert(this);
}

}  // namespace rocksdb_backup
