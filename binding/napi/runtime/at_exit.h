#pragma once

namespace rocksdb_backup {

// Calls `handler` when the process exits, on the thread that called exit(). The static objects of the addon and of
// RocksDB exist then and afterwards, because none of them is ever destroyed.
void AtExit(void (*handler)());

}  // namespace rocksdb_backup
