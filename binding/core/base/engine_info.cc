#include "core/base/engine_info.h"

#include "rocksdb/convenience.h"

namespace rocksdb_backup {
namespace {

const char* CompressionName(rocksdb::CompressionType type) {
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

}  // namespace

EngineInfo GetEngineInfo() {
  EngineInfo info;
  info.rocksdb =
      std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR) + "." + std::to_string(ROCKSDB_PATCH);
  for (const rocksdb::CompressionType type : rocksdb::GetSupportedCompressions()) {
    if (const char* name = CompressionName(type)) {
      info.compressions.emplace_back(name);
    }
  }
  if (kHasIoBufferSize) {
    info.features.emplace_back("ioBufferSize");
  }
  if (kHasAtomicFlush) {
    info.features.emplace_back("atomicFlush");
  }
  if (kReadsLevelDbTables) {
    info.features.emplace_back("levelDBTables");
  }
  return info;
}

}  // namespace rocksdb_backup
