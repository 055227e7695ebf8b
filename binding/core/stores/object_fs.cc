#include "core/stores/object_fs.h"

#include <deque>
#include <utility>

#include "core/base/paths.h"
#include "core/storage/text_file.h"
#include "core/stores/object_random_file.h"
#include "core/stores/store_layout.h"

namespace rocksdb_backup {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using Kind = StoreRequest::Kind;

// How many small files are read at the same time.
constexpr size_t kReadsAtOnce = 16;

// What one request reads at most of a file of a database that is opened in place without a cache on a disk. A larger
// file is a log, which is read once.
constexpr uint64_t kMostOfSmallFile = uint64_t{1} << 20;

// How long to ask whether an object was made, after the answer was lost.
constexpr std::chrono::seconds kPatienceToSettle{2};

// What was written is durable when it is there.
class StoreDirectory : public rocksdb::FSDirectory {
 public:
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override { return IOStatus::OK(); }
};

}  // namespace

ObjectFileSystem::ObjectFileSystem(std::shared_ptr<StoreClient> client, std::shared_ptr<PendingFiles> pending,
                                   std::string root, Deletes deletes, std::shared_ptr<ObjectBlocks> blocks)
    : root_(std::move(root)),
      client_(std::move(client)),
      pending_(std::move(pending)),
      view_(std::make_shared<ObjectView>(client_)),
      how_to_delete_(deletes),
      deletes_(client_, [view = view_] { view->Outdate(); }),
      opened_in_place_(blocks != nullptr),
      blocks_(blocks != nullptr ? std::move(blocks)
                                : std::make_shared<ObjectBlocks>(client_->shared_store(), nullptr)) {}

IOStatus ObjectFileSystem::NotFound(const std::string& key) const {
  return IOStatus::NotFound(client_->store().name() + "/" + key, "is not there");
}

// As on a disk: a stranger's object below meta/7/ is no backup, and damage of backup 7 alone.
IOStatus ObjectFileSystem::NamingDirectory(const std::string& key, IOStatus status) const {
  return status.IsNotFound() && view_->IsDirectory(key)
             ? IOStatus::Corruption(client_->store().name() + "/" + key + " is a directory")
             : status;
}

IOStatus ObjectFileSystem::Find(const std::string& path, std::string* key, ObjectView::Object* object) {
  *key = KeyOf(root_, path);
  if (IOStatus status = view_->Load(); !status.ok()) {
    return status;
  }
  if (!view_->Find(*key, object)) {
    return NotFound(*key);
  }
  if (object->stored_as.empty()) {
    object->stored_as = *key;
  }
  return IOStatus::OK();
}

IOStatus ObjectFileSystem::NewSequentialFile(const std::string& path, const FileOptions& /*options*/,
                                             std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                             IODebugContext* /*debug*/) {
  if (auto text = pending_->Find(KeyOf(root_, path))) {
    *file = std::make_unique<TextFile>(*text);
    return IOStatus::OK();
  }
  std::string key;
  ObjectView::Object object;
  if (IOStatus status = Find(path, &key, &object); !status.ok()) {
    return NamingDirectory(key, std::move(status));
  }
  // RocksDB reads CURRENT, the MANIFEST and the OPTIONS file of a database several times.
  if (opened_in_place_ && (blocks_->on_disk() || object.size <= kMostOfSmallFile)) {
    *file = std::make_unique<SequentialThroughBlocks>(NewRandomAccessFile(object), object.size);
    return IOStatus::OK();
  }
  *file = std::make_unique<ObjectSequentialFile>(client_, object.stored_as, object.size, object.etag,
                                                 [view = view_] { view->Outdate(); });
  return IOStatus::OK();
}

IOStatus ObjectFileSystem::NewRandomAccessFile(const std::string& path, const FileOptions& /*options*/,
                                               std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                               IODebugContext* /*debug*/) {
  std::string key;
  ObjectView::Object object;
  if (IOStatus status = Find(path, &key, &object); !status.ok()) {
    return status;
  }
  *file = NewRandomAccessFile(object);
  return IOStatus::OK();
}

std::unique_ptr<rocksdb::FSRandomAccessFile> ObjectFileSystem::NewRandomAccessFile(const ObjectView::Object& object) {
  return std::make_unique<ObjectRandomAccessFile>(
      client_, blocks_, ListedObject{object.stored_as, object.etag, object.size}, [view = view_] { view->Outdate(); });
}

IOStatus ObjectFileSystem::NewWritableFile(const std::string& path, const FileOptions& /*options*/,
                                           std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* /*debug*/) {
  const std::string key = KeyOf(root_, path);
  deletes_.LeaveWhatIsDenied();
  if (IsPending(key)) {
    *file = NewPendingFile(pending_, key);
    return IOStatus::OK();
  }
  // What was deleted a moment ago may be written again. If the store refused to delete it, it is listed again.
  if (IOStatus status = FlushDeletes(); !status.ok()) {
    return status;
  }
  if (IOStatus status = view_->Load(); !status.ok()) {
    return status;
  }
  ObjectView::Object there;
  const std::string final_key = FinalKeyOf(key);
  const std::string stored_as = final_key.empty() || view_->Find(final_key, &there) ? key : final_key;
  const ObjectWritableFile::Settings settings{.only_new = !view_->Find(stored_as, &there),
                                              .expected_size = expected_.Of(final_key.empty() ? key : final_key)};
  *file = std::make_unique<ObjectWritableFile>(client_, stored_as, settings,
                                               [view = view_, key, stored_as](uint64_t size, const std::string& etag) {
                                                 view->Put(key, {size, etag, 0, stored_as == key ? "" : stored_as});
                                               });
  return IOStatus::OK();
}

IOStatus ObjectFileSystem::NewDirectory(const std::string& /*path*/, const IOOptions& /*options*/,
                                        std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext* /*debug*/) {
  *directory = std::make_unique<StoreDirectory>();
  return IOStatus::OK();
}

IOStatus ObjectFileSystem::FileExists(const std::string& path, const IOOptions& /*options*/,
                                      IODebugContext* /*debug*/) {
  std::string key;
  ObjectView::Object object;
  IOStatus status = pending_->Find(KeyOf(root_, path)) != nullptr ? IOStatus::OK() : Find(path, &key, &object);
  return status.IsNotFound() && view_->IsDirectory(key) ? IOStatus::OK() : status;
}

IOStatus ObjectFileSystem::GetChildren(const std::string& path, const IOOptions& /*options*/,
                                       std::vector<std::string>* children, IODebugContext* /*debug*/) {
  children->clear();
  if (IOStatus status = view_->Load(); !status.ok()) {
    return status;
  }
  const std::string directory = KeyOf(root_, path);
  if (!view_->IsDirectory(directory)) {
    return NotFound(directory);
  }
  *children = view_->NamesIn(directory);
  for (auto& name : pending_->NamesIn(directory)) {
    children->push_back(std::move(name));
  }
  return IOStatus::OK();
}

IOStatus ObjectFileSystem::GetChildrenFileAttributes(const std::string& path, const IOOptions& /*options*/,
                                                     std::vector<rocksdb::FileAttributes>* children,
                                                     IODebugContext* /*debug*/) {
  children->clear();
  if (IOStatus status = view_->Load(); !status.ok()) {
    return status;
  }
  const std::string directory = KeyOf(root_, path);
  if (!view_->IsDirectory(directory)) {
    return NotFound(directory);
  }
  for (auto& [name, size] : view_->FilesIn(directory)) {
    children->push_back({std::move(name), size});
  }
  return IOStatus::OK();
}

IOStatus ObjectFileSystem::DeleteFile(const std::string& path, const IOOptions& /*options*/,
                                      IODebugContext* /*debug*/) {
  if (pending_->Remove(KeyOf(root_, path))) {
    return IOStatus::OK();
  }
  std::string key;
  ObjectView::Object object;
  if (IOStatus status = Find(path, &key, &object); !status.ok()) {
    return NamingDirectory(key, std::move(status));
  }
  if (view_->keeps_objects()) {
    return IOStatus::Aborted(client_->store().name() + "/" + key,
                             "stays, because it is not known whether a backup was made that has it");
  }
  const auto forget = [&] {
    view_->Remove(key);
    view_->MakeDirectory(ParentOf(key));  // a directory stays when its last file goes
  };
  // A backup is gone when its meta file is, and before its other files go.
  if (how_to_delete_ == Deletes::kMany && !key.starts_with("meta/")) {
    forget();
    return deletes_.Add(object.stored_as);
  }
  const StoreAnswer deleted = client_->Do({.kind = Kind::kDelete, .keys = {object.stored_as}});
  IOStatus status = client_->ToStatus(deleted, "deleting", key);
  if (status.ok()) {
    forget();
  }
  return status;
}

IOStatus ObjectFileSystem::FlushDeletes() { return deletes_.Flush(); }

std::optional<int64_t> ObjectFileSystem::WrittenAt(const std::string& path) {
  std::string key;
  ObjectView::Object object;
  return Find(path, &key, &object).ok() ? std::optional(object.modified) : std::nullopt;
}

IOStatus ObjectFileSystem::CreateDir(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  if (FileExists(path, options, debug).ok()) {
    return IOStatus::IOError(client_->store().name() + "/" + KeyOf(root_, path), "is there already");
  }
  return CreateDirIfMissing(path, options, debug);
}

IOStatus ObjectFileSystem::CreateDirIfMissing(const std::string& path, const IOOptions& /*options*/,
                                              IODebugContext* /*debug*/) {
  view_->MakeDirectory(KeyOf(root_, path));
  return IOStatus::OK();
}

IOStatus ObjectFileSystem::DeleteDir(const std::string& path, const IOOptions& /*options*/, IODebugContext* /*debug*/) {
  if (IOStatus status = view_->Load(); !status.ok()) {
    return status;
  }
  const std::string directory = KeyOf(root_, path);
  if (!view_->IsDirectory(directory)) {
    return NotFound(directory);
  }
  if (!view_->NamesIn(directory).empty()) {
    return IOStatus::IOError(client_->store().name() + "/" + directory, "is not empty");
  }
  view_->RemoveDirectory(directory);
  return IOStatus::OK();
}

IOStatus ObjectFileSystem::GetFileSize(const std::string& path, const IOOptions& /*options*/, uint64_t* size,
                                       IODebugContext* /*debug*/) {
  if (const auto text = pending_->Find(KeyOf(root_, path))) {
    *size = text->size();
    return IOStatus::OK();
  }
  std::string key;
  ObjectView::Object object;
  IOStatus status = Find(path, &key, &object);
  *size = object.size;
  return status;
}

IOStatus ObjectFileSystem::GetFileModificationTime(const std::string& path, const IOOptions& /*options*/,
                                                   uint64_t* time, IODebugContext* /*debug*/) {
  std::string key;
  ObjectView::Object object;
  IOStatus status = Find(path, &key, &object);
  *time = static_cast<uint64_t>(object.modified / 1000);
  return status;
}

IOStatus ObjectFileSystem::PutPending(const std::string& from, const std::string& to,
                                      std::shared_ptr<const std::string> text) {
  ObjectView::Object there;
  const bool only_new = !view_->Find(to, &there);
  const StoreAnswer put = client_->Do({.kind = Kind::kPut, .key = to, .bytes = text, .if_absent = only_new});
  std::string etag = put.etag;
  switch (put.failure) {
    case StoreFailure::kNone:
      break;
    case StoreFailure::kConditionFailed: {
      StoreAnswer taken = put;
      taken.error = std::move(taken.error).Reworded("another writer made it in the meantime; nothing was changed");
      return client_->ToStatus(taken, "writing", to);
    }
    case StoreFailure::kBusy:
    case StoreFailure::kStopped: {
      // Perhaps it was done, or will be.
      const StoreAnswer there_now = client_->ReadSoon(to, StoreCall::Clock::now() + kPatienceToSettle);
      if (!there_now.ok() || there_now.bytes != *text) {
        view_->KeepObjects();
        IOStatus failed = client_->ToStatus(put, "writing", to);
        return IOStatus::IOError(failed.ToString() + ". It is not known whether it was written, so nothing is deleted");
      }
      etag = there_now.etag;
      break;
    }
    default:
      return client_->ToStatus(put, "writing", to);
  }
  view_->Put(to, {text->size(), etag, 0, {}});
  pending_->Remove(from);
  return IOStatus::OK();
}

// For a file whose final key was taken when it was written.
IOStatus ObjectFileSystem::CopyObject(const std::string& from, const std::string& to) {
  std::unique_ptr<rocksdb::FSSequentialFile> source;
  if (IOStatus status = NewSequentialFile(root_ + "/" + from, FileOptions(), &source, nullptr); !status.ok()) {
    return status;
  }
  const ObjectWritableFile::Settings settings{.expected_size = expected_.Of(to)};
  ObjectWritableFile target(client_, to, settings, [this, &to](uint64_t size, const std::string& etag) {
    view_->Put(to, {size, etag, 0, {}});
  });
  std::string space(size_t{1} << 20, '\0');
  for (;;) {
    rocksdb::Slice piece;
    if (IOStatus status = source->Read(space.size(), IOOptions(), &piece, space.data(), nullptr); !status.ok()) {
      return status;
    }
    if (piece.empty()) {
      break;
    }
    if (IOStatus status = target.Append(piece, IOOptions(), nullptr); !status.ok()) {
      return status;
    }
  }
  if (IOStatus status = target.Close(IOOptions(), nullptr); !status.ok()) {
    return status;
  }
  return DeleteFile(root_ + "/" + from, IOOptions(), nullptr);
}

IOStatus ObjectFileSystem::RenameFile(const std::string& from, const std::string& to, const IOOptions& /*options*/,
                                      IODebugContext* /*debug*/) {
  const std::string to_key = KeyOf(root_, to);
  if (IOStatus status = view_->Load(); !status.ok()) {
    return status;
  }
  if (IOStatus status = FlushDeletes(); !status.ok()) {
    return status;
  }
  if (auto text = pending_->Find(KeyOf(root_, from))) {
    return PutPending(KeyOf(root_, from), to_key, std::move(text));
  }
  std::string from_key;
  ObjectView::Object object;
  if (IOStatus status = Find(from, &from_key, &object); !status.ok()) {
    return status;
  }
  if (object.stored_as != to_key) {
    return CopyObject(from_key, to_key);
  }
  object.stored_as.clear();
  view_->Remove(from_key);
  view_->Put(to_key, std::move(object));
  return IOStatus::OK();
}

IOStatus ObjectFileSystem::List(std::vector<TaggedFile>* files) {
  if (IOStatus status = view_->Load(); !status.ok()) {
    return status;
  }
  files->clear();
  for (auto& [key, object] : view_->Below("")) {
    files->push_back({key, object.size, object.etag});
  }
  return IOStatus::OK();
}

bool ObjectFileSystem::ReadAll(const std::vector<std::string>& paths,
                               const std::function<bool(size_t i, std::string text)>& read) {
  std::deque<std::pair<size_t, std::shared_ptr<StoreCall>>> in_flight;
  bool good = true;
  for (size_t next = 0; good && (next < paths.size() || !in_flight.empty());) {
    while (next < paths.size() && in_flight.size() < kReadsAtOnce) {
      ObjectView::Object object;
      if (!view_->Find(paths[next], &object)) {
        good = false;
        break;
      }
      in_flight.emplace_back(next, client_->Send({.kind = Kind::kGet, .key = paths[next], .if_match = object.etag}));
      ++next;
    }
    if (good) {
      const auto [i, call] = std::move(in_flight.front());
      in_flight.pop_front();
      StoreAnswer answer = client_->Wait(*call, {});
      if (!client_->ToStatus(answer, "reading", paths[i]).ok()) {
        view_->Outdate();
        good = false;
      } else {
        good = read(i, std::move(answer.bytes));
      }
    }
  }
  for (const auto& [i, call] : in_flight) {
    call->Cancel();
  }
  return good;
}

IOStatus ObjectFileSystem::IsDirectory(const std::string& path, const IOOptions& /*options*/, bool* is_directory,
                                       IODebugContext* /*debug*/) {
  std::string key;
  ObjectView::Object object;
  IOStatus status = Find(path, &key, &object);
  *is_directory = status.IsNotFound() && view_->IsDirectory(key);
  return *is_directory ? IOStatus::OK() : status;
}

IOStatus ObjectFileSystem::GetAbsolutePath(const std::string& path, const IOOptions& /*options*/, std::string* absolute,
                                           IODebugContext* /*debug*/) {
  *absolute = path;
  return IOStatus::OK();
}

IOStatus ObjectFileSystem::LockFile(const std::string& path, const IOOptions& /*options*/, rocksdb::FileLock** /*lock*/,
                                    IODebugContext* /*debug*/) {
  return IOStatus::NotSupported("locking " + path);  // see core/stores/lease.h
}

IOStatus ObjectFileSystem::UnlockFile(rocksdb::FileLock* /*lock*/, const IOOptions& /*options*/,
                                      IODebugContext* /*debug*/) {
  return IOStatus::NotSupported();
}

IOStatus ObjectFileSystem::GetTestDirectory(const IOOptions& /*options*/, std::string* /*path*/,
                                            IODebugContext* /*debug*/) {
  return IOStatus::NotSupported();
}

}  // namespace rocksdb_backup
