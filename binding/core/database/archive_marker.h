#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/error.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {

// The MANIFEST that CURRENT names. Every program that opens a database to write makes a new one or adds to it.
struct ManifestState {
  std::string name;
  uint64_t bytes = 0;
  bool operator==(const ManifestState&) const = default;
};
// Empty if there is no database.
Error LookAtManifest(rocksdb::FileSystem& files, const std::string& directory, ManifestState* state);

// What an archived database notes in its directory: which timeline it writes, and its MANIFEST. No backup has this file
// and no restore brings it, so a restored database does not go on with the timeline of the one it comes from.
struct ArchiveMarker {
  uint64_t timeline = 0;
  ManifestState manifest = {};  // bytes is 0 while the database is open, and after a crash
};

inline constexpr char kArchiveMarkerName[] = "rocksdb-backup.archive";

// nullopt if there is none, or it cannot be understood: then a new timeline begins.
Error ReadArchiveMarker(rocksdb::FileSystem& files, const std::string& directory, std::optional<ArchiveMarker>* marker);
Error WriteArchiveMarker(rocksdb::FileSystem& files, const std::string& directory, const ArchiveMarker& marker);

// Whether nobody else has opened the database to write since the marker was written.
bool IsUntouched(const ArchiveMarker& marker, const ManifestState& manifest);

}  // namespace rocksdb_backup
