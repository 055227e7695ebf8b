#include "core/backup/meta_catalog.h"

#include <algorithm>

#include "backup_fixture.h"
#include "core/backup/backup_engine_session.h"
#include "rocksdb/env.h"

namespace rocksdb_backup::test {
namespace {

class MetaCatalogTest : public BackupTest {
 protected:
  // Opens an engine through a catalog and compares both. Returns how many backups the catalog could read.
  int Compare(BackupRepository& repository) {
    const auto catalog = std::make_shared<MetaCatalog>(rocksdb::FileSystem::Default(), repository.directory());
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(catalog);
    rocksdb::BackupEngineOptions options(repository.directory(), env.get());
    catalog->Begin();
    rocksdb::BackupEngineReadOnly* raw = nullptr;
    EXPECT_TRUE(rocksdb::BackupEngineReadOnly::Open(options, rocksdb::Env::Default(), &raw).ok());
    const std::unique_ptr<rocksdb::BackupEngineReadOnly> engine(raw);
    catalog->End();
    std::vector<rocksdb::BackupInfo> infos;
    engine->GetBackupInfo(&infos);
    int sure = 0;
    for (const auto& info : infos) {
      if (info.backup_id == 0 || !catalog->Confirm(info)) {
        continue;
      }
      ++sure;
      rocksdb::BackupInfo details;
      EXPECT_TRUE(engine->GetBackupInfo(info.backup_id, &details, true).ok());
      const auto* files = catalog->FilesOf(info.backup_id);
      EXPECT_EQ(files->size(), details.file_details.size());
      for (size_t i = 0; i < std::min(files->size(), details.file_details.size()); ++i) {
        EXPECT_EQ(catalog->file((*files)[i]).name, details.file_details[i].relative_filename);
        EXPECT_EQ(catalog->file((*files)[i]).size, details.file_details[i].size);
      }
    }
    return sure;
  }

  std::string Meta(int id) const { return path("backups/meta/" + std::to_string(id)); }
};

TEST_F(MetaCatalogTest, WhatItNotesIsWhatTheEngineReads) {
  for (const int schema : {1, 2}) {
    BackupRepository::Options options = OptionsFor("backups");
    options.settings.engine.schema_version = schema;
    const auto repository = OpenRepository(std::move(options));
    for (const size_t metadata : {0, 10, 7000, 9000, 1 << 20}) {
      Fill(10, 100, "k" + std::to_string(metadata));
      CreateRequest request = Request();
      request.app_metadata = std::string(metadata, '\n');
      BackupDescription created;
      ASSERT_GOOD(repository->Create(request, NewOperation(), &created));
    }
  }
  EXPECT_EQ(Compare(*repositories_.front()), 10);
}

class CountingMetas : public rocksdb::FileSystemWrapper {
 public:
  CountingMetas() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "CountingMetas"; }
  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override {
    if (NameOf(ParentOf(CleanPath(path))) == "meta") {
      ++reads[NameOf(CleanPath(path))];
    }
    return FileSystemWrapper::NewSequentialFile(path, options, file, debug);
  }
  std::map<std::string, int> reads;
};

TEST_F(MetaCatalogTest, ACreateReadsEachOlderMetaOnceAndNotItsOwn) {
  const auto storage = std::make_shared<CountingMetas>();
  const auto repository = OpenRepositoryOn(storage);
  for (int i = 1; i <= 3; ++i) {
    Fill(10, 100, "k" + std::to_string(i));
    storage->reads.clear();
    ASSERT_GOOD(Create(*repository));
    EXPECT_EQ(storage->reads.size(), static_cast<size_t>(i - 1));
    for (const auto& [id, reads] : storage->reads) {
      EXPECT_EQ(reads, 1) << "of meta " << id;
    }
  }
}

TEST_F(MetaCatalogTest, FilesLeftOutAreNotNoted) {
  BackupRepository::Options options = OptionsFor("backups");
  options.settings.engine.schema_version = 2;
  const auto repository = OpenRepository(std::move(options));
  Fill(10, 100, "a");
  Fill(10, 100, "b");
  CreateRequest request = Request();
  request.exclude_files = [](Operation&, const std::vector<std::string>& names, std::vector<bool>* excluded) {
    excluded->assign(names.size(), false);
    excluded->front() = true;
    return Error();
  };
  BackupDescription created;
  ASSERT_GOOD(repository->Create(request, NewOperation(), &created));
  EXPECT_EQ(Compare(*repository), 1);
  BackupDescription described;
  ASSERT_GOOD(repository->Describe(1, true, &described));
  EXPECT_EQ(described.excluded.size(), 1U);
}

TEST_F(MetaCatalogTest, AMetaThatNoEngineWritesIsLeftToTheEngine) {
  const auto repository = OpenRepository();
  Fill(10, 100, "a");
  ASSERT_GOOD(Create(*repository));
  ASSERT_EQ(Compare(*repository), 1);
  std::string meta = ReadFile(Meta(1));
  const size_t at = meta.find("shared_checksum/");
  const std::string name = meta.substr(at, meta.find(' ', at) - at);
  std::filesystem::copy(path("backups/" + name), path("backups/shared_checksum/plain"));
  meta.replace(at, name.size(), "shared_checksum/plain");
  WriteFile(Meta(1), meta);
  EXPECT_EQ(Compare(*repository), 0);
  EXPECT_EQ(CorruptIds(*repository), std::vector<uint32_t>{1});
}

TEST_F(MetaCatalogTest, ANewBackupIsDescribedAsItIsLater) {
  const auto repository = OpenRepository();
  Fill(10, 100, "a");
  BackupDescription first;
  ASSERT_GOOD(Create(*repository, &first));
  Fill(10, 100, "b");
  BackupDescription second;
  ASSERT_GOOD(Create(*repository, &second));
  EXPECT_EQ(Compare(*repository), 2);
  std::vector<BackupDescription> list;
  ASSERT_GOOD(repository->List(false, &list));
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[1].unique_size, second.unique_size);
  EXPECT_LT(list[0].unique_size, first.unique_size);
}

}  // namespace
}  // namespace rocksdb_backup::test
