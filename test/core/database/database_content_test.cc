#include "core/database/database_content.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <future>
#include <set>

#include "core/database/database.h"
#include "disk_fixture.h"
#include "rocksdb/convenience.h"
#include "rocksdb/sst_file_writer.h"

namespace rocksdb_backup {
namespace {

class DatabaseContentTest : public test::DiskTest {
 protected:
  DatabaseContentTest() {
    options_.family.family.compression = rocksdb::kNoCompression;
    options_.family.family.disable_auto_compactions = true;
    Open();
  }
  ~DatabaseContentTest() override { Close(); }

  void Open() {
    ASSERT_TRUE(Database::Open(Path("db"), options_, &database_).ok());
    ASSERT_TRUE(database_->AddHandle());
  }

  void Close() {
    std::promise<Error> closed;
    database_->RemoveHandle([&closed](const Error& error) { closed.set_value(error); });
    EXPECT_TRUE(closed.get_future().get().ok());
    database_ = nullptr;
  }

  rocksdb::DB* db() { return database_->db(); }

  void Put(const std::string& key, const std::string& value, bool logged = true) {
    rocksdb::WriteOptions options;
    options.disableWAL = !logged;
    ASSERT_TRUE(db()->Put(options, key, value).ok());
  }

  // Both parts of the content, joined.
  std::string Content() {
    DatabaseContent content;
    const Error error = database_->Content(ContentParts::kAll, &content);
    EXPECT_TRUE(error.ok()) << error.message();
    EXPECT_FALSE(content.tables.empty());
    return content.state + content.tables;
  }

  // A table written outside the database, ready to be ingested.
  std::string ExternalTable(const std::string& key) {
    std::string path = Path("external.sst");
    rocksdb::Options options;
    options.compression = rocksdb::kNoCompression;
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options);
    EXPECT_TRUE(writer.Open(path).ok());
    EXPECT_TRUE(writer.Put(key, "ingested").ok());
    EXPECT_TRUE(writer.Finish().ok());
    return path;
  }

  DatabaseOptions options_;
  std::shared_ptr<Database> database_;
};

TEST_F(DatabaseContentTest, EveryChangeGivesAnotherName) {
  Put("a", "1");
  Put("z", "1");
  ASSERT_TRUE(database_->Flush(nullptr).ok());
  rocksdb::ColumnFamilyHandle* const family = database_->FamilyById(0)->handle;
  const std::vector<std::pair<const char*, std::function<void()>>> changes = {
      {"a write", [&] { Put("b", "2"); }},
      {"a write in no log", [&] { Put("b", "3", false); }},
      {"a delete", [&] { ASSERT_TRUE(db()->Delete({}, "b").ok()); }},
      {"a flush", [&] { ASSERT_TRUE(database_->Flush(nullptr).ok()); }},
      {"a table that is taken in, which takes no number of a write",
       [&] {
         const auto sequence = db()->GetLatestSequenceNumber();
         ASSERT_TRUE(db()->IngestExternalFile({ExternalTable("m")}, rocksdb::IngestExternalFileOptions()).ok());
         EXPECT_EQ(db()->GetLatestSequenceNumber(), sequence);
       }},
      {"files of a range that are deleted, which takes none either",
       [&] {
         const auto sequence = db()->GetLatestSequenceNumber();
         ASSERT_TRUE(db()->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr).ok());
         const std::string before = Content();
         ASSERT_TRUE(rocksdb::DeleteFilesInRange(db(), family, nullptr, nullptr).ok());
         EXPECT_EQ(db()->GetLatestSequenceNumber(), sequence);
         EXPECT_NE(Content(), before);
       }},
      {"options",
       [&] {
         ASSERT_TRUE(db()->SetOptions({{"ttl", "12345"}}).ok());
       }},
      {"options of the database",
       [&] {
         ASSERT_TRUE(db()->SetDBOptions({{"max_background_jobs", "3"}}).ok());
       }},
      {"a family",
       [&] {
         uint32_t id = 0;
         ASSERT_TRUE(database_->CreateFamily("family", options_.family, &id).ok());
       }},
      {"a family that is dropped", [&] { ASSERT_TRUE(database_->DropFamily("family").ok()); }},
      {"a family of that name again",
       [&] {
         uint32_t id = 0;
         ASSERT_TRUE(database_->CreateFamily("family", options_.family, &id).ok());
       }},
  };
  std::vector<std::string> names{Content()};
  EXPECT_EQ(Content(), names.back()) << "a look changes nothing";
  for (const auto& [what, change] : changes) {
    change();
    const std::string name = Content();
    EXPECT_NE(name, names.back()) << what;
    EXPECT_EQ(Content(), name) << what;
    names.push_back(name);
  }
  const size_t dropped = names.size() - 2;
  EXPECT_EQ(names[dropped], names[dropped - 2]) << "without the family it holds what it held before";
  names.erase(names.begin() + static_cast<ptrdiff_t>(dropped));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

TEST_F(DatabaseContentTest, OpeningAgainChangesNothingOnceTheLogIsWrittenOut) {
  Put("a", "1");
  DatabaseContent content;
  ASSERT_TRUE(database_->Content(ContentParts::kState, &content).ok());
  EXPECT_TRUE(content.in_memory);
  EXPECT_TRUE(content.tables.empty()) << "not asked for";
  const std::string in_memory = Content();
  Close();
  Open();
  const std::string name = Content();
  EXPECT_NE(name, in_memory);
  Close();
  Open();
  EXPECT_EQ(Content(), name);
  ASSERT_TRUE(database_->Content(ContentParts::kAll, &content).ok());
  EXPECT_FALSE(content.in_memory);
}

TEST_F(DatabaseContentTest, DataOnlyInMemoryHasAnotherNameInEachSession) {
  // An open reads the log and does not flush it. The numbers and files stay the same, and do not identify the values in
  // memory.
  options_.family.raw["avoid_flush_during_recovery"] = "true";
  Close();
  Open();
  Put("a", "1");
  const std::string name = Content();
  EXPECT_EQ(Content(), name);
  Close();
  Open();
  EXPECT_NE(Content(), name);
}

TEST_F(DatabaseContentTest, TablesOfTheSameNumberAndSizeAreToldApart) {
  Put("k", "first");
  ASSERT_TRUE(database_->Flush(nullptr).ok());
  Close();
  std::filesystem::copy(Path("db"), Path("copy"), std::filesystem::copy_options::recursive);
  std::vector<DatabaseContent> contents(2);
  for (size_t i = 0; i < 2; ++i) {
    Open();
    Put("k", i == 0 ? "one" : "two");
    ASSERT_TRUE(database_->Flush(nullptr).ok());
    ASSERT_TRUE(database_->Content(ContentParts::kAll, &contents[i]).ok());
    Close();
    if (i == 0) {
      std::filesystem::remove_all(Path("db"));
      std::filesystem::copy(Path("copy"), Path("db"), std::filesystem::copy_options::recursive);
    }
  }
  EXPECT_EQ(contents[0].state, contents[1].state) << "numbers, names and sizes are the same";
  EXPECT_NE(contents[0].tables, contents[1].tables);
  Open();
}

}  // namespace
}  // namespace rocksdb_backup
