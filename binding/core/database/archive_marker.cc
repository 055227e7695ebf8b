#include "core/database/archive_marker.h"

#include <memory>
#include <string_view>
#include <utility>

#include "core/base/text.h"

namespace rocksdb_backup {
namespace {

constexpr std::string_view kFirstLine = "rocksdb-backup archive 1";

bool ParseMarker(std::string_view text, ArchiveMarker* marker) {
  return TakeUntil('\n', &text) == kFirstLine && ToNumber(TakeUntil('\n', &text), &marker->timeline) &&
         !(marker->manifest.name = TakeUntil('\n', &text)).empty() &&
         ToNumber(TakeUntil('\n', &text), &marker->manifest.bytes) && text == "end\n";
}

}  // namespace

Error LookAtManifest(rocksdb::FileSystem& files, const std::string& directory, ManifestState* state) {
  *state = {};
  std::string current;
  rocksdb::IOStatus status = ReadFileToString(&files, directory + "/CURRENT", &current);
  if (status.IsNotFound() || status.IsPathNotFound()) {
    return Error();
  }
  if (status.ok()) {
    state->name = current.substr(0, current.find('\n'));
    status = files.GetFileSize(directory + "/" + state->name, {}, &state->bytes, nullptr);
  }
  return Error::From(status, "looking at the MANIFEST of " + directory).With("path", directory);
}

Error ReadArchiveMarker(rocksdb::FileSystem& files, const std::string& directory,
                        std::optional<ArchiveMarker>* marker) {
  marker->reset();
  const std::string path = directory + "/" + kArchiveMarkerName;
  std::string text;
  const rocksdb::IOStatus status = ReadFileToString(&files, path, &text);
  if (status.IsNotFound() || status.IsPathNotFound()) {
    return Error();
  }
  if (!status.ok()) {
    return Error::From(status, "reading " + path).With("path", path);
  }
  ArchiveMarker parsed;
  if (ParseMarker(text, &parsed)) {
    *marker = std::move(parsed);
  }
  return Error();
}

Error WriteArchiveMarker(rocksdb::FileSystem& files, const std::string& directory, const ArchiveMarker& marker) {
  const std::string path = directory + "/" + kArchiveMarkerName;
  const std::string text = std::string(kFirstLine) + "\n" + std::to_string(marker.timeline) + "\n" +
                           marker.manifest.name + "\n" + std::to_string(marker.manifest.bytes) + "\nend\n";
  const std::string temporary = path + ".tmp";
  rocksdb::IOStatus status = WriteStringToFile(&files, text, temporary, true);
  if (status.ok()) {
    status = files.RenameFile(temporary, path, {}, nullptr);
  }
  std::unique_ptr<rocksdb::FSDirectory> opened;
  if (status.ok()) {
    status = files.NewDirectory(directory, {}, &opened, nullptr);
  }
  if (status.ok()) {
    status = opened->Fsync({}, nullptr);
  }
  return Error::From(status, "writing " + path).With("path", path);
}

bool IsUntouched(const ArchiveMarker& marker, const ManifestState& manifest) {
  return marker.manifest.name == manifest.name &&
         (marker.manifest.bytes == 0 || marker.manifest.bytes == manifest.bytes);
}

}  // namespace rocksdb_backup
