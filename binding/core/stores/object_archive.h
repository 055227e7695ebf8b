#pragma once

#include <memory>

#include "core/storage/archive_files.h"
#include "core/stores/store_client.h"

namespace rocksdb_backup {

// The files of an archive as objects. Each request goes to the store: nothing is remembered.
std::unique_ptr<ArchiveFiles> NewObjectArchive(std::shared_ptr<StoreClient> client);

}  // namespace rocksdb_backup
