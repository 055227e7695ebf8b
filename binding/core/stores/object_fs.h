#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/storage/storage.h"
#include "core/stores/expected_sizes.h"
#include "core/stores/object_blocks.h"
#include "core/stores/object_files.h"
#include "core/stores/object_view.h"
#include "core/stores/pending_deletes.h"
#include "core/stores/pending_files.h"
#include "core/stores/store_client.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// The files of a repository in an object store, as one operation sees and changes them (core/stores/object_view.h).
//
// Stores cannot rename. The BackupEngine writes a file under a temporary name, and renames it when it is complete. So:
//
// - A data file is written under its final key from the beginning, if nothing has that key. Only this operation knows
// it
//   by its temporary name, until the rename. If the operation dies before, an object is left that no backup names.
// - A meta file and a record (`.tmp` in `meta` or `private`) stay in memory until the rename, which puts them, on the
//   condition that nothing has that key. That is the moment in which a backup begins to exist. Of two writers, one
//   fails.
class ObjectFileSystem : public rocksdb::FileSystem, public TaggedFiles {
 public:
  // With kMany, files are deleted many at a time, except meta files, and whoever has made this calls FlushDeletes() at
  // the end.
  enum class Deletes { kOne, kMany };
  // The repository is at `root` in it.
  // `blocks` are those of a database that is opened in place, so that its small files are kept, too; null otherwise.
  ObjectFileSystem(std::shared_ptr<StoreClient> client, std::shared_ptr<PendingFiles> pending, std::string root,
                   Deletes deletes, std::shared_ptr<ObjectBlocks> blocks = nullptr);

  static const char* kClassName() { return "ObjectFileSystem"; }
  const char* Name() const override { return kClassName(); }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus FileExists(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& path, const rocksdb::IOOptions& options,
                                std::vector<std::string>* children, rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildrenFileAttributes(const std::string& path, const rocksdb::IOOptions& options,
                                              std::vector<rocksdb::FileAttributes>* children,
                                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileSize(const std::string& path, const rocksdb::IOOptions& options, uint64_t* size,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFileModificationTime(const std::string& path, const rocksdb::IOOptions& options, uint64_t* time,
                                            rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus IsDirectory(const std::string& path, const rocksdb::IOOptions& options, bool* is_directory,
                                rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetAbsolutePath(const std::string& path, const rocksdb::IOOptions& options, std::string* absolute,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LockFile(const std::string& path, const rocksdb::IOOptions& options, rocksdb::FileLock** lock,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus UnlockFile(rocksdb::FileLock* lock, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetTestDirectory(const rocksdb::IOOptions& options, std::string* path,
                                     rocksdb::IODebugContext* debug) override;

  // Deletes the files that wait for it. So does the next write. What the store refuses to delete stays, and is seen
  // again.
  rocksdb::IOStatus FlushDeletes();
  // See Storage.
  void ExpectFile(const std::string& name, uint64_t size) { expected_.Expect(name, size, client_->store().limits()); }
  std::vector<std::string> RefusedDeletes() { return deletes_.refused(); }
  // When the file was written, in milliseconds since 1970, by the store's clock. 0: this operation has written it.
  // nullopt: it is not there.
  std::optional<int64_t> WrittenAt(const std::string& path);

  rocksdb::IOStatus List(std::vector<TaggedFile>* files) override;
  bool ReadAll(const std::vector<std::string>& paths,
               const std::function<bool(size_t i, std::string text)>& read) override;

 private:
  rocksdb::IOStatus NotFound(const std::string& key) const;
  rocksdb::IOStatus NamingDirectory(const std::string& key, rocksdb::IOStatus status) const;
  std::unique_ptr<rocksdb::FSRandomAccessFile> NewRandomAccessFile(const ObjectView::Object& object);
  // A listed object, with the key under which its bytes are in `stored_as`. NotFound if there is none.
  rocksdb::IOStatus Find(const std::string& path, std::string* key, ObjectView::Object* object);
  rocksdb::IOStatus PutPending(const std::string& from, const std::string& to, std::shared_ptr<const std::string> text);
  rocksdb::IOStatus CopyObject(const std::string& from, const std::string& to);

  const std::string root_;
  const std::shared_ptr<StoreClient> client_;
  const std::shared_ptr<PendingFiles> pending_;
  const std::shared_ptr<ObjectView> view_;
  const Deletes how_to_delete_;
  PendingDeletes deletes_;
  ExpectedSizes expected_;
  const bool opened_in_place_;
  const std::shared_ptr<ObjectBlocks> blocks_;
};

}  // namespace rocksdb_backup
