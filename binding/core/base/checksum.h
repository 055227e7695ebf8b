#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "rocksdb/file_checksum.h"

namespace rocksdb_backup {

// A CRC32C checksum, in the form in which RocksDB's meta files hold it.
class Checksum {
 public:
  Checksum() : generator_(rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator({})) {}
  void Add(std::string_view bytes) { generator_->Update(bytes.data(), bytes.size()); }
  // The checksum of everything that was added. Call it once, at the end.
  uint32_t Value() {
    generator_->Finalize();
    uint32_t value = 0;
    for (const char byte : generator_->GetChecksum()) {
      value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
  }

 private:
  const std::unique_ptr<rocksdb::FileChecksumGenerator> generator_;
};

// FNV-1a. Tells texts apart that nobody has made to have the same hash.
inline uint64_t HashOf(std::string_view text) {
  uint64_t hash = 14695981039346656037U;
  for (const char byte : text) {
    hash = (hash ^ static_cast<uint8_t>(byte)) * 1099511628211U;
  }
  return hash;
}

inline uint32_t ChecksumOf(std::string_view text) {
  Checksum checksum;
  checksum.Add(text);
  return checksum.Value();
}

}  // namespace rocksdb_backup
