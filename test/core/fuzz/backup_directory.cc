// Makes a repository in memory from the fuzzer's bytes, and opens, lists, describes, verifies and restores it. With any
// input, nothing crashes, throws or reads past a buffer. A restore writes only into its target. Our own reading of the
// meta files agrees with the engine.
//
// An input is a list of files: "\x01<path>\n<contents>".

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/repository/backup_repository.h"
#include "core/storage/local_storage.h"
#include "must.h"
#include "rocksdb/env.h"

using namespace rocksdb_backup;

namespace {

const std::string kDirectory = "/backups";

// All files are in memory, except those that a restore writes.
std::shared_ptr<rocksdb::FileSystem> NewFiles(std::string_view input, std::unique_ptr<rocksdb::Env>* env) {
  env->reset(rocksdb::NewMemEnv(rocksdb::Env::Default()));
  const auto storage = (*env)->GetFileSystem();
  const rocksdb::IOOptions none;
  for (const char* part : {"", "/meta", "/private", "/shared", "/shared_checksum"}) {
    storage->CreateDirIfMissing(kDirectory + part, none, nullptr).PermitUncheckedError();
  }
  for (size_t at = input.find('\x01'); at != std::string_view::npos;) {
    const size_t next = input.find('\x01', at + 1);
    const std::string_view record = input.substr(at + 1, next == std::string_view::npos ? next : next - at - 1);
    at = next;
    const size_t newline = record.find('\n');
    if (newline == std::string_view::npos || newline == 0) {
      continue;
    }
    const std::string path = kDirectory + "/" + std::string(record.substr(0, newline));
    storage->CreateDirIfMissing(path.substr(0, path.find_last_of('/')), none, nullptr).PermitUncheckedError();
    std::unique_ptr<rocksdb::FSWritableFile> file;
    if (storage->NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr).ok()) {
      const std::string_view contents = record.substr(newline + 1);
      file->Append(rocksdb::Slice(contents.data(), contents.size()), none, nullptr).PermitUncheckedError();
      file->Close(none, nullptr).PermitUncheckedError();
    }
  }
  return storage;
}

// A local storage with its files in memory. Its local directory, where locks would be made, does not exist.
class InMemory : public LocalStorage {
 public:
  explicit InMemory(std::shared_ptr<rocksdb::FileSystem> files)
      : LocalStorage(kDirectory, files), files_(std::move(files)) {}
  const std::string& local_directory() const override { return nowhere_; }
  std::shared_ptr<rocksdb::FileSystem> files() const override { return files_; }

 private:
  const std::shared_ptr<rocksdb::FileSystem> files_;
  const std::string nowhere_;
};

// Compares our descriptions with the engine's. A backup that the engine cannot describe is skipped: one damaged backup
// can make the engine open none, or report healthy backups as damaged.
void CheckAgainstEngine(rocksdb::Env* env, const std::vector<BackupDescription>& ours) {
  rocksdb::BackupEngineOptions options(kDirectory, env);
  options.max_background_operations = 1;
  rocksdb::BackupEngineReadOnly* raw = nullptr;
  if (!rocksdb::BackupEngineReadOnly::Open(options, rocksdb::Env::Default(), &raw).ok()) {
    return;
  }
  const std::unique_ptr<rocksdb::BackupEngineReadOnly> engine(raw);
  for (const auto& backup : ours) {
    rocksdb::BackupInfo info;
    if (!engine->GetBackupInfo(backup.id, &info, true).ok()) {
      continue;
    }
    Must(info.size == backup.size && info.timestamp == backup.timestamp && info.app_metadata == backup.app_metadata,
         "a backup is described as the engine does");
    Must(info.file_details.size() == backup.files.size(), "and has as many files");
    for (size_t i = 0; i < backup.files.size(); ++i) {
      Must(info.file_details[i].relative_filename == backup.files[i].name, "of the same names");
      Must(info.file_details[i].size == backup.files[i].size, "of the same sizes");
    }
  }
}

void Restore(BackupRepository& repository, uint32_t id) {
  namespace fs = std::filesystem;
  static const std::string root = [] {
    std::string pattern = (fs::exists("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/rocksdb-backup-fuzz-XXXXXX");
    Must(mkdtemp(pattern.data()) != nullptr, "a directory can be made");
    return pattern;
  }();
  static const bool cleaned = [] { return std::atexit([] { fs::remove_all(root); }) == 0; }();
  Must(cleaned, "the directory is removed at the end");
  RestoreRequest request;
  request.backup_id = id;
  request.database_dir = root + "/target/database";
  fs::create_directory(root + "/target");
  RestoreResult restored;
  const Error error = repository.Restore(request, std::make_shared<Operation>(), &restored);
  Must(error.ok() == fs::exists(request.database_dir), "a target is there if and only if the restore succeeded");
  size_t entries = 0;
  for (const auto& entry : fs::directory_iterator(root + "/target")) {
    Must(entry.path().filename() == "database", "nothing is left beside the target");
    ++entries;
  }
  for (const auto& entry : fs::directory_iterator(root)) {
    Must(entry.path().filename() == "target", "nothing is written above the target");
  }
  Must(entries <= 1, "one target");
  fs::remove_all(root + "/target");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::unique_ptr<rocksdb::Env> env;
  BackupRepository::Options options;
  options.settings.storage = std::make_shared<InMemory>(NewFiles(input, &env));
  options.read_only = true;  // otherwise a lock file is made on the disk
  std::shared_ptr<BackupRepository> repository;
  if (!BackupRepository::Open(options, &repository).ok()) {
    return 0;
  }
  repository->AddHandle();
  std::vector<BackupDescription> list;
  std::vector<uint32_t> corrupt;
  Must(repository->List(true, &list).ok(), "what opened can be listed");
  Must(repository->CorruptIds(&corrupt).ok(), "and its corrupt backups");
  CheckAgainstEngine(env.get(), list);
  for (const auto& backup : list) {
    const Error quick = repository->Verify(backup.id, false, std::make_shared<Operation>());
    const Error thorough = repository->Verify(backup.id, true, std::make_shared<Operation>());
    Must(quick.ok() || !thorough.ok(), "checksums find what sizes find");
    Restore(*repository, backup.id);
  }
  for (const uint32_t id : corrupt) {
    BackupDescription none;
    Must(repository->Describe(id, true, &none).code() == "BACKUP_CORRUPT", "a corrupt backup is told as such");
    Must(!repository->Verify(id, true, std::make_shared<Operation>()).ok(), "and not verified");
  }
  repository->RemoveHandle({});
  repository->WaitIfClosing();
  return 0;
}
