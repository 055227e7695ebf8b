#include "core/backup/engine_layers.h"

#include "core/backup/parallel_deletes.h"

namespace rocksdb_backup {

EngineLayers MakeLayers(const std::shared_ptr<rocksdb::FileSystem>& files, const std::string& root,
                        const SessionRequest& request) {
  using Count = ObservedFileSystem::Count;
  const bool reads = request.purpose == Purpose::kRead;
  EngineLayers layers;
  // A backup that cannot be read at the moment must not prevent a new one; the files of such a backup are protected.
  const bool tolerant = request.purpose != Purpose::kDelete && request.picture == nullptr;
  layers.tolerant =
      std::make_shared<TolerantFileSystem>(files, root, tolerant ? Tolerance::kOtherBackups : Tolerance::kNone);
  std::shared_ptr<rocksdb::FileSystem> top = layers.tolerant;
  if (!reads) {
    top = layers.protected_fs =
        std::make_shared<ProtectedFileSystem>(WithParallelDeletes(top, request.operation), request.operation, root);
  }
  if (request.picture != nullptr) {
    top = Condensed(top, root, request.picture, request.ids, reads ? Others::kNothing : Others::kAsOne);
  } else {
    top = layers.catalog = std::make_shared<MetaCatalog>(top, root);
  }
  layers.observed = std::make_shared<ObservedFileSystem>(
      top, request.operation, reads ? request.count_backup : Count::kWrites, request.observer);
  return layers;
}

}  // namespace rocksdb_backup
