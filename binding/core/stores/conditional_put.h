#pragma once

#include <functional>
#include <optional>

#include "core/stores/object_store.h"

namespace rocksdb_backup {

// Asked again and again while a request is on its way. If it returns an answer, that one counts, and nobody waits for
// the store any more.
using Instead = std::function<std::optional<StoreAnswer>()>;

// Sends a request and waits for its answer.
//
// The condition of a put is the store's to keep. A store with single_writer() may have no conditions, or may take them
// and not keep them. There, the object is looked at before each put with a condition, and what is no file of a backup
// is read again afterwards. Puts of one key take turns in this process, so between its threads a condition holds
// exactly. Another process is noticed, except if both put the same object in the same moment. A condition is sent along
// as long as the store does not refuse it.
StoreAnswer Ask(ObjectStore& store, StoreRequest request, const Instead& instead);

}  // namespace rocksdb_backup
