#include "core/database/no_wait_fs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>

#include "core/database/database.h"
#include "core/database/iterator.h"
#include "disk_fixture.h"
#include "rocksdb/file_system.h"

namespace rocksdb_backup {
namespace {

class NoWaitTest : public test::DiskTest {
 protected:
  void SetUp() override {
    if (NoWaitFileSystem() == nullptr) {
      GTEST_SKIP() << "this system cannot read without waiting";
    }
  }

  // Asks the system to drop the files of a directory from its page cache. The
  // system may ignore that.
  static void Evict(const std::string& directory) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
      if (fd >= 0) {
        fsync(fd);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
      }
    }
  }

  std::shared_ptr<Database> Open(size_t cache_size) {
    options_.family.family.compression = rocksdb::kNoCompression;
    options_.cache_size = cache_size;
    std::shared_ptr<Database> database;
    const Error error = Database::Open(Path("db"), options_, &database);
    EXPECT_TRUE(error.ok()) << error.message();
    EXPECT_TRUE(database->AddHandle());
    return database;
  }

  static void Close(const std::shared_ptr<Database>& database) {
    std::promise<void> closed;
    database->RemoveHandle([&closed](const Error&) { closed.set_value(); });
    closed.get_future().get();
  }

  // Writes keys and values into three table files.
  void Fill(Database& database) {
    for (int i = 0; i < 3000; ++i) {
      const std::string key = "key" + std::to_string(10000 + i);
      model_[key] = std::string(200, static_cast<char>('a' + i % 26));
      rocksdb::WriteBatch batch;
      ASSERT_TRUE(batch.Put(database.FamilyById(0)->handle, key, model_[key]).ok());
      ASSERT_TRUE(database.Write({}, &batch).ok());
      if (i % 1000 == 999) {
        ASSERT_TRUE(database.Flush(nullptr).ok());
      }
    }
  }

  // Adds the entries of an iterator's block.
  static void Append(const std::string& block, std::map<std::string, std::string>* entries, bool* finished) {
    uint32_t head[2];
    std::memcpy(head, block.data(), sizeof(head));
    std::vector<uint32_t> ends(size_t{head[0]} * 2);
    if (!ends.empty()) {
      std::memcpy(ends.data(), block.data() + sizeof(head), ends.size() * sizeof(uint32_t));
    }
    const char* bytes = block.data() + sizeof(head) + ends.size() * sizeof(uint32_t);
    uint32_t begin = 0;
    for (size_t i = 0; i < ends.size(); i += 2) {
      const std::string key(bytes + begin, ends[i] - begin);
      EXPECT_TRUE(entries->emplace(key, std::string(bytes + ends[i], ends[i + 1] - ends[i])).second) << key << " twice";
      begin = ends[i + 1];
    }
    *finished = head[1] != 0;
  }

  DatabaseOptions options_;
  std::map<std::string, std::string> model_;
};

TEST_F(NoWaitTest, AReadThatWouldHaveToWaitFailsAsIncomplete) {
  std::ofstream(Path("file")) << std::string(100000, 'x');
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  const auto& fs = NoWaitFileSystem();
  ASSERT_TRUE(fs->NewRandomAccessFile(Path("file"), {}, &file, nullptr).ok());
  std::string scratch(100000, '\0');
  rocksdb::Slice result;
  const auto read = [&] { return file->Read(50000, 4096, {}, &result, scratch.data(), nullptr); };
  ASSERT_TRUE(read().ok()) << "without a NoWait it waits";
  EXPECT_EQ(result, std::string(4096, 'x'));
  Evict(root_);
  bool missed = false;
  {
    const NoWait no_wait;
    const rocksdb::IOStatus status = read();
    missed = no_wait.missed();
    EXPECT_EQ(status.ok(), !missed) << status.ToString();
  }
  if (!missed) {
    GTEST_SKIP() << "the system keeps this file in memory";
  }
  ASSERT_TRUE(read().ok());
  EXPECT_EQ(result, std::string(4096, 'x'));
  const NoWait no_wait;
  EXPECT_FALSE(no_wait.missed());
  EXPECT_TRUE(read().ok()) << "it is in memory now";
  EXPECT_EQ(result, std::string(4096, 'x'));
  EXPECT_FALSE(no_wait.missed());
}

TEST_F(NoWaitTest, NoFileIsOpenedMeanwhile) {
  std::ofstream(Path("file")) << "x";
  const NoWait no_wait;
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  EXPECT_FALSE(NoWaitFileSystem()->NewRandomAccessFile(Path("file"), {}, &file, nullptr).ok());
  EXPECT_TRUE(no_wait.missed());
}

TEST_F(NoWaitTest, ErrorsNameTheFile) {
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  const rocksdb::IOStatus status = NoWaitFileSystem()->NewRandomAccessFile(Path("none"), {}, &file, nullptr);
  EXPECT_TRUE(status.IsPathNotFound());
  EXPECT_NE(status.ToString().find(Path("none")), std::string::npos) << status.ToString();
}

TEST_F(NoWaitTest, AReadBeyondTheEndReturnsTheRest) {
  std::ofstream(Path("file")) << "12345";
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  ASSERT_TRUE(NoWaitFileSystem()->NewRandomAccessFile(Path("file"), {}, &file, nullptr).ok());
  char scratch[100];
  rocksdb::Slice result;
  ASSERT_TRUE(file->Read(3, sizeof(scratch), {}, &result, scratch, nullptr).ok());
  EXPECT_EQ(result, "45");
  ASSERT_TRUE(file->Read(50, sizeof(scratch), {}, &result, scratch, nullptr).ok());
  EXPECT_EQ(result, "");
}

TEST_F(NoWaitTest, AReadWithoutWaitingIsRightOrHasNoAnswer) {
  for (const bool direct : {false, true}) {
    {
      const auto database = Open(32 << 10);
      Fill(*database);
      Close(database);
    }
    options_.db.use_direct_reads = direct;
    std::shared_ptr<Database> database;
    if (!Database::Open(Path("db"), options_, &database).ok()) {
      continue;  // this file system does not support direct reads
    }
    ASSERT_TRUE(database->AddHandle());
    EXPECT_EQ(database->reads_without_waiting(), !direct);
    auto family = database->FamilyById(0);
    int answered = 0;
    for (int i = 0; i < 3000; ++i) {
      if (i % 20 == 0) {
        Evict(Path("db"));
      }
      const std::string key = "key" + std::to_string(10000 + i * 7919 % 6000);  // half of the keys do not exist
      rocksdb::PinnableSlice value;
      rocksdb::Status status;
      if (database->GetNow({}, *family, key, &value, &status)) {
        ++answered;
        const auto found = model_.find(key);
        ASSERT_EQ(status.ok(), found != model_.end()) << key << " " << status.ToString();
        ASSERT_EQ(status.IsNotFound(), found == model_.end()) << key << " " << status.ToString();
        ASSERT_TRUE(!status.ok() || value == found->second) << key;
      } else {
        value.Reset();
        ASSERT_EQ(database->db()->Get({}, family->handle, key, &value).ok(), model_.contains(key));
      }
      std::vector<rocksdb::PinnableSlice> values(3);
      std::vector<rocksdb::Status> statuses(3);
      const std::vector<rocksdb::Slice> keys{key, "key10005", "none"};
      if (database->MultiGetNow({}, *family, keys, &values, &statuses)) {
        ASSERT_EQ(statuses[0].ok(), model_.contains(key)) << statuses[0].ToString();
        ASSERT_TRUE(statuses[1].ok() && values[1] == model_["key10005"]) << statuses[1].ToString();
        ASSERT_TRUE(statuses[2].IsNotFound()) << statuses[2].ToString();
      }
    }
    EXPECT_GT(answered, 0);
    family = nullptr;
    Close(database);
    options_.db.use_direct_reads = false;
  }
}

TEST_F(NoWaitTest, AnIteratorReturnsEveryEntryOnceWithAnyPartInMemory) {
  auto database = Open(32 << 10);
  Fill(*database);
  Close(database);
  database = Open(32 << 10);
  for (const bool reverse : {false, true}) {
    for (int every = 1; every < 6; ++every) {
      Iterator::Options options;
      options.reverse = reverse;
      const auto iterator = Iterator::New(database, database->FamilyById(0), {}, nullptr, options);
      std::map<std::string, std::string> entries;
      bool finished = false;
      for (int round = 0; !finished; ++round) {
        if (round % every == 0) {
          Evict(Path("db"));
        }
        std::string block;
        bool answered = false;
        ASSERT_TRUE(iterator->NextFromMemory(1000, 3000, std::nullopt, &block, &answered).ok());
        if (!answered) {
          const Error error = iterator->Next(1000, 3000, std::nullopt, &block);
          ASSERT_TRUE(error.ok()) << error.message();
        }
        Append(block, &entries, &finished);
      }
      ASSERT_EQ(entries, model_);
      iterator->Close();
    }
  }
  Close(database);
}

TEST_F(NoWaitTest, SeeksContinueFromMemoryOrFromTheDisk) {
  auto database = Open(32 << 10);
  Fill(*database);
  Close(database);
  database = Open(32 << 10);
  const auto iterator = Iterator::New(database, database->FamilyById(0), {}, nullptr, {});
  uint64_t random = 5;
  for (int round = 0; round < 400; ++round) {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    if (round % 3 == 0) {
      Evict(Path("db"));
    }
    std::optional<std::string> target = "key" + std::to_string(10000 + (random >> 33) % 3000);
    auto expected = model_.find(*target);
    for (int blocks = 0; blocks < 3; ++blocks, target.reset()) {
      std::string block;
      bool answered = false;
      bool finished = false;
      const Error error = iterator->NextFromMemory(10, 3000, target, &block, &answered);
      ASSERT_TRUE(error.ok()) << error.message() << " " << round << " " << blocks;
      if (!answered) {
        ASSERT_TRUE(iterator->Next(10, 3000, target, &block).ok());
      }
      std::map<std::string, std::string> entries;
      Append(block, &entries, &finished);
      for (const auto& [key, value] : entries) {
        ASSERT_NE(expected, model_.end());
        ASSERT_EQ(key, expected->first);
        ASSERT_EQ(value, expected->second);
        ++expected;
      }
    }
  }
  iterator->Close();
  Close(database);
}

}  // namespace
}  // namespace rocksdb_backup
