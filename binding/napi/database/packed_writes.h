#pragma once

#include "core/database/database.h"
#include "napi/runtime/napi_setup.h"
#include "napi/runtime/wrap.h"
#include "rocksdb/write_batch.h"

namespace rocksdb_backup {

// Adds the writes that lib/native/packed-writes.ts collected. The arguments are (count, words, bytes, used). Each write
// is three words: twice the id of its family, plus 1 if it is a delete; the size of its key; the size of its value.
// `bytes` has the keys and values, one after another. If a family was dropped, throws and adds nothing.
void AppendPacked(const Args& args, const Database& database, rocksdb::WriteBatch* batch);

}  // namespace rocksdb_backup
