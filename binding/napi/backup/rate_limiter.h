#pragma once

#include <memory>

#include "napi/runtime/napi_setup.h"
#include "rocksdb/rate_limiter.h"

namespace rocksdb_backup {

// The native part of RateLimiter in lib/backup/rate-limiter.ts, over a limiter that several engines may share.
void RegisterRateLimiter(Napi::Env env, Napi::Object exports);

// Reads an option that is a number of bytes per second (0: no limit) or a RateLimiter.
std::shared_ptr<rocksdb::RateLimiter> ReadRateLimit(Napi::Env env, std::string_view name, Napi::Value value);

}  // namespace rocksdb_backup
