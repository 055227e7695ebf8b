#pragma once

namespace rocksdb_backup {

// Keeps the addon in memory until the process ends. Node unloads an addon when the last Worker that used it ends, but
// threads of ours and of RocksDB may still be running the addon's code.
void PinLibrary();

}  // namespace rocksdb_backup
