#pragma once

namespace rocksdb_backup {

// Keeps the addon in memory until the process ends. Node unloads an addon with the last Worker that used it, but
// threads of ours and of RocksDB may still be running its code.
void PinLibrary();

}  // namespace rocksdb_backup
