#include "core/engine_info.h"

#include "rocksdb/convenience.h"
#include "rocksdb/version.h"

namespace rocksdb_backup {
namespace {

const char* NameOf(rocksdb::CompressionType type) {
  switch (type) {
    case rocksdb::kNoCompression:
      return "none";
    case rocksdb::kSnappyCompression:
      return "snappy";
    case rocksdb::kZlibCompression:
      return "zlib";
    case rocksdb::kLZ4Compression:
      return "lz4";
    case rocksdb::kLZ4HCCompression:
      return "lz4hc";
    case rocksdb::kZSTD:
      return "zstd";
    default:
      return nullptr;
  }
}

constexpr bool IsAtLeast(int major, int minor) {
  return ROCKSDB_MAJOR > major || (ROCKSDB_MAJOR == major && ROCKSDB_MINOR >= minor);
}

}  // namespace

EngineInfo GetEngineInfo() {
  EngineInfo info;
  info.rocksdb =
      std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR) + "." + std::to_string(ROCKSDB_PATCH);
  for (const rocksdb::CompressionType type : rocksdb::GetSupportedCompressions()) {
    if (const char* name = NameOf(type)) {
      info.compressions.emplace_back(name);
    }
  }
  if (IsAtLeast(9, 11)) {
    info.features.emplace_back("ioBufferSize");
  }
  return info;
}

}  // namespace rocksdb_backup
