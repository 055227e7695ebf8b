#pragma once

namespace rocksdb_backup {

// Calls `handler` when the process exits, on the thread that called exit(). The addon's static objects, RocksDB's
// included, are there then and afterwards: none of them is ever destroyed.
void AtExit(void (*handler)());

}  // namespace rocksdb_backup
