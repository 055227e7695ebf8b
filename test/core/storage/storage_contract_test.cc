// The contract of core/storage/storage.h, sentence by sentence. Every implementation runs it: a new one needs a line in
// INSTANTIATE_TEST_SUITE_P at the end.

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backup_fixture.h"
#include "core/base/paths.h"
#include "core/storage/local_storage.h"
#include "core/storage/storage.h"
#include "core/stores/object_storage.h"
#include "core/stores/store_layout.h"
#include "memory_object_store.h"
#include "memory_storage.h"

namespace rocksdb_backup::test {
namespace {

using rocksdb::FileOptions;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// One repository as two processes see it.
struct TwoViews {
  std::shared_ptr<Storage> one;
  std::shared_ptr<Storage> other;
};

struct Implementation {
  const char* name;
  // `directory` is an empty directory that the implementation may use.
  TwoViews (*make)(const std::string& directory);
  // Makes others take the locks that are held now. Afterwards the place is as it was.
  void (*lose_locks)(const TwoViews& views, const std::string& directory);
};

class StorageContract : public ScratchTest, public ::testing::WithParamInterface<Implementation> {
 protected:
  void SetUp() override {
    ScratchTest::SetUp();
    std::filesystem::create_directory(path("place"));
    views_ = GetParam().make(path("place"));
    ASSERT_GOOD(one().MakeReady());
  }

  Storage& one() { return *views_.one; }
  Storage& other() { return *views_.other; }
  std::string At(const std::string& name) { return one().root() + "/" + name; }

  IOStatus Write(Storage& storage, const std::string& name, const std::string& text) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    IOStatus status = storage.files()->NewWritableFile(At(name), FileOptions(), &file, nullptr);
    if (status.ok() && !text.empty()) {
      status = file->Append(text, IOOptions(), nullptr);
    }
    if (status.ok()) {
      status = file->Sync(IOOptions(), nullptr);
    }
    return status.ok() ? file->Close(IOOptions(), nullptr) : status;
  }

  IOStatus Read(Storage& storage, const std::string& name, std::string* text) {
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    IOStatus status = storage.files()->NewSequentialFile(At(name), FileOptions(), &file, nullptr);
    text->clear();
    std::string space(1000, '\0');
    while (status.ok()) {
      rocksdb::Slice piece;
      status = file->Read(space.size(), IOOptions(), &piece, space.data(), nullptr);
      if (!status.ok() || piece.empty()) {
        break;
      }
      text->append(piece.data(), piece.size());
    }
    return status;
  }

  std::string TextOf(Storage& storage, const std::string& name) {
    std::string text;
    EXPECT_TRUE(Read(storage, name, &text).ok()) << name;
    return text;
  }

  std::set<std::string> Names(Storage& storage, const std::string& directory) {
    std::vector<std::string> names;
    EXPECT_TRUE(storage.files()->GetChildren(At(directory), IOOptions(), &names, nullptr).ok()) << directory;
    std::set<std::string> set(names.begin(), names.end());
    set.erase(".");
    set.erase("..");
    return set;
  }

  std::optional<SmallFile> Small(Storage& storage, const std::string& name) {
    std::optional<SmallFile> file;
    EXPECT_GOOD(storage.ReadSmall(name, &file));
    return file;
  }

  TwoViews views_;
};

TEST_P(StorageContract, TheRootIsACleanPathAndTheNameIsNotEmpty) {
  EXPECT_EQ(one().root(), CleanPath(one().root()));
  EXPECT_FALSE(one().name().empty());
  EXPECT_EQ(one().root(), other().root());
  EXPECT_EQ(one().name(), other().name());
}

TEST_P(StorageContract, MakingReadyAgainChangesNothing) {
  ASSERT_TRUE(Write(one(), "meta/1", "kept").ok());
  EXPECT_GOOD(one().MakeReady());
  EXPECT_GOOD(other().MakeReady());
  EXPECT_EQ(TextOf(other(), "meta/1"), "kept");
}

TEST_P(StorageContract, NotFoundMeansThatNothingIsThere) {
  const auto files = one().files();
  for (const char* name : {"nothing", "meta/nothing", "nothing/nothing"}) {
    std::string text;
    uint64_t size = 0;
    const auto is_missing = [](const IOStatus& status) { return status.IsNotFound() || status.IsPathNotFound(); };
    EXPECT_TRUE(is_missing(files->FileExists(At(name), IOOptions(), nullptr))) << name;
    EXPECT_TRUE(is_missing(files->GetFileSize(At(name), IOOptions(), &size, nullptr))) << name;
    EXPECT_TRUE(is_missing(Read(one(), name, &text))) << name;
    EXPECT_FALSE(files->DeleteFile(At(name), IOOptions(), nullptr).ok()) << name;
  }
  std::vector<std::string> names;
  EXPECT_TRUE(files->GetChildren(At("nothing"), IOOptions(), &names, nullptr).IsNotFound());
}

TEST_P(StorageContract, AClosedFileCanBeReadWholeByEverybody) {
  for (const std::string& text : {std::string(), std::string("x"), std::string(100'000, 'y')}) {
    ASSERT_TRUE(Write(one(), "meta/file", text).ok());
    EXPECT_EQ(TextOf(other(), "meta/file"), text);
    EXPECT_EQ(TextOf(one(), "meta/file"), text);
    uint64_t size = 1;
    EXPECT_TRUE(other().files()->GetFileSize(At("meta/file"), IOOptions(), &size, nullptr).ok());
    EXPECT_EQ(size, text.size());
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    ASSERT_TRUE(other().files()->NewRandomAccessFile(At("meta/file"), FileOptions(), &file, nullptr).ok());
    char space[10];
    rocksdb::Slice piece;
    ASSERT_TRUE(file->Read(text.size() / 2, sizeof(space), IOOptions(), &piece, space, nullptr).ok());
    EXPECT_EQ(piece.ToString(), text.substr(text.size() / 2, sizeof(space)));
  }
}

TEST_P(StorageContract, AListingIsComplete) {
  const auto files = one().files();
  ASSERT_TRUE(files->CreateDirIfMissing(At("shared_checksum"), IOOptions(), nullptr).ok());
  ASSERT_TRUE(files->CreateDirIfMissing(At("private"), IOOptions(), nullptr).ok());
  ASSERT_TRUE(files->CreateDirIfMissing(At("private/7"), IOOptions(), nullptr).ok());
  std::set<std::string> expected;
  for (int i = 0; i < 1500; ++i) {
    const std::string name = std::to_string(i) + ".sst";
    ASSERT_TRUE(Write(one(), "shared_checksum/" + name, std::string(static_cast<size_t>(i % 3), 'x')).ok());
    expected.insert(name);
  }
  ASSERT_TRUE(Write(one(), "private/7/CURRENT", "x").ok());
  EXPECT_EQ(Names(other(), "shared_checksum"), expected);
  EXPECT_EQ(Names(other(), "private"), std::set<std::string>{"7"});
  EXPECT_EQ(Names(other(), "private/7"), std::set<std::string>{"CURRENT"});
  std::vector<rocksdb::FileAttributes> attributes;
  ASSERT_TRUE(
      other().files()->GetChildrenFileAttributes(At("shared_checksum"), IOOptions(), &attributes, nullptr).ok());
  EXPECT_EQ(attributes.size(), expected.size());
  for (const auto& file : attributes) {
    EXPECT_EQ(file.size_bytes, static_cast<uint64_t>(std::stoi(file.name) % 3)) << file.name;
  }
  ASSERT_TRUE(files->DeleteFile(At("shared_checksum/0.sst"), IOOptions(), nullptr).ok());
  expected.erase("0.sst");
  EXPECT_EQ(Names(other(), "shared_checksum"), expected);
}

TEST_P(StorageContract, ARenameReplacesWhatIsThere) {
  ASSERT_TRUE(Write(one(), "meta/.1.tmp", "new").ok());
  ASSERT_TRUE(Write(one(), "meta/1", "old").ok());
  ASSERT_TRUE(one().files()->RenameFile(At("meta/.1.tmp"), At("meta/1"), IOOptions(), nullptr).ok());
  EXPECT_EQ(TextOf(other(), "meta/1"), "new");
  EXPECT_EQ(Names(other(), "meta"), std::set<std::string>{"1"});
  EXPECT_FALSE(one().files()->RenameFile(At("meta/.2.tmp"), At("meta/1"), IOOptions(), nullptr).ok());
  EXPECT_EQ(TextOf(other(), "meta/1"), "new");
}

TEST_P(StorageContract, ADirectoryCanBeSyncedAndTwoSlashesAreOne) {
  ASSERT_TRUE(Write(one(), "meta//5", "text").ok());
  EXPECT_EQ(TextOf(other(), "meta/5"), "text");
  EXPECT_EQ(Names(other(), "meta//"), std::set<std::string>{"5"});
  EXPECT_TRUE(SyncNames(*one().files(), At("meta")).ok());
}

TEST_P(StorageContract, OneWriterAtATime) {
  std::unique_ptr<WriterLock> first;
  std::unique_ptr<WriterLock> second;
  ASSERT_GOOD(one().LockWriter(&first));
  EXPECT_GOOD(first->StillHeld());
  for (Storage* storage : {&one(), &other()}) {
    EXPECT_CODE(storage->LockWriter(&second), "BACKUP_LOCKED");
    EXPECT_EQ(second, nullptr);
  }
  first.reset();
  EXPECT_GOOD(other().LockWriter(&second));
}

TEST_P(StorageContract, OneOfManyThreadsHasTheWritersLock) {
  std::atomic<int> holders{0};
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        std::unique_ptr<WriterLock> lock;
        if ((t % 2 == 0 ? one() : other()).LockWriter(&lock).ok()) {
          ++taken;
          EXPECT_EQ(++holders, 1);
          --holders;
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_GT(taken, 0);
}

TEST_P(StorageContract, ABackupThatIsReadCannotBeExcludedAndOthersCan) {
  for (const char* id : {"1", "2"}) {
    ASSERT_TRUE(Write(one(), std::string("meta/") + id, "backup").ok());
  }
  std::unique_ptr<ReaderLock> reader;
  std::unique_ptr<ReaderLock> also;
  ASSERT_GOOD(one().LockReader(1, Storage::Access::kWrite, &reader));
  ASSERT_GOOD(other().LockReader(1, Storage::Access::kWrite, &also));
  std::unique_ptr<WriterLock> writer;
  ASSERT_GOOD(other().LockWriter(&writer));
  EXPECT_CODE(writer->ExcludeReaders(1), "BACKUP_IN_USE");
  EXPECT_GOOD(writer->ExcludeReaders(2));
  std::unique_ptr<ReaderLock> late;
  EXPECT_CODE(one().LockReader(2, Storage::Access::kWrite, &late), "BACKUP_IN_USE");
  EXPECT_GOOD(reader->StillHeld());
  reader.reset();
  EXPECT_CODE(writer->ExcludeReaders(1), "BACKUP_IN_USE");
  also.reset();
  EXPECT_GOOD(writer->ExcludeReaders(1));
  EXPECT_GOOD(writer->StillHeld());
  writer.reset();
  EXPECT_GOOD(one().LockReader(2, Storage::Access::kWrite, &late));
}

TEST_P(StorageContract, AReaderWithoutTheRightToWriteChangesNothing) {
  ASSERT_TRUE(Write(one(), "meta/1", "backup").ok());
  const auto before = FilesBelow(path("place"));
  std::unique_ptr<ReaderLock> reader;
  EXPECT_GOOD(one().LockReader(1, Storage::Access::kRead, &reader));
  EXPECT_GOOD(reader->KeepOtherProgramsOut());
  EXPECT_GOOD(reader->StillHeld());
  EXPECT_EQ(FilesBelow(path("place")), before);
  std::unique_ptr<WriterLock> writer;
  ASSERT_GOOD(other().LockWriter(&writer));
  EXPECT_CODE(writer->ExcludeReaders(1), "BACKUP_IN_USE");
}

TEST_P(StorageContract, ABackupThatIsNotThereCanBeLocked) {
  for (const auto access : {Storage::Access::kRead, Storage::Access::kWrite}) {
    std::unique_ptr<ReaderLock> reader;
    EXPECT_GOOD(one().LockReader(7, access, &reader));
    ASSERT_NE(reader, nullptr);
    EXPECT_GOOD(reader->StillHeld());
  }
}

TEST_P(StorageContract, ALockThatWasLostStaysLostAndOthersCanHaveIt) {
  std::unique_ptr<WriterLock> writer;
  std::unique_ptr<StorageLock> state;
  ASSERT_GOOD(one().LockWriter(&writer));
  ASSERT_GOOD(one().LockState(&state));
  GetParam().lose_locks(views_, path("place"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_CODE(writer->StillHeld(), "LOCK_LOST");
    EXPECT_CODE(state->StillHeld(), "LOCK_LOST");
    std::unique_ptr<WriterLock> others;
    EXPECT_GOOD(other().LockWriter(&others));
    EXPECT_GOOD(others->StillHeld());
  }
}

TEST_P(StorageContract, AReaderAndAWriterWorkBesideEachOther) {
  ASSERT_TRUE(Write(one(), "meta/1", "backup").ok());
  std::unique_ptr<ReaderLock> reader;
  std::unique_ptr<WriterLock> writer;
  ASSERT_GOOD(one().LockReader(1, Storage::Access::kWrite, &reader));
  EXPECT_GOOD(reader->KeepOtherProgramsOut());
  EXPECT_GOOD(other().LockWriter(&writer));
}

TEST_P(StorageContract, TheStateIsLockedByOneAndKeepsNoWriterOut) {
  std::unique_ptr<StorageLock> state;
  std::unique_ptr<StorageLock> second;
  std::unique_ptr<WriterLock> writer;
  ASSERT_GOOD(one().LockState(&state));
  EXPECT_CODE(other().LockState(&second), "STATE_LOCKED");
  EXPECT_GOOD(other().LockWriter(&writer));
  EXPECT_GOOD(state->StillHeld());
  state.reset();
  EXPECT_GOOD(other().LockState(&second));
}

TEST_P(StorageContract, ASmallFileIsReplacedOnlyIfItIsAsItWasRead) {
  std::string first;
  std::string version;
  EXPECT_EQ(Small(one(), "state.json"), std::nullopt);
  EXPECT_CODE(one().ReplaceSmall("state.json", "0", "text", &version), "STATE_CHANGED");
  ASSERT_GOOD(one().ReplaceSmall("state.json", std::nullopt, "first", &first));
  EXPECT_CODE(other().ReplaceSmall("state.json", std::nullopt, "other", &version), "STATE_CHANGED");
  ASSERT_TRUE(Small(other(), "state.json"));
  EXPECT_EQ(Small(other(), "state.json")->text, "first");
  EXPECT_EQ(Small(other(), "state.json")->version, first);
  ASSERT_GOOD(other().ReplaceSmall("state.json", first, "second", &version));
  EXPECT_CODE(one().ReplaceSmall("state.json", first, "third", &version), "STATE_CHANGED");
  EXPECT_EQ(Small(one(), "state.json")->text, "second");
  ASSERT_GOOD(one().ReplaceSmall("state.json", kAnyVersion, "any", &version));
  ASSERT_GOOD(one().ReplaceSmall("other.json", kAnyVersion, "any", &version));
  EXPECT_EQ(Small(other(), "state.json")->text, "any");
  EXPECT_EQ(Small(other(), "other.json")->text, "any");
}

TEST_P(StorageContract, ASmallFileHasAnyText) {
  for (const std::string& text : {std::string(), std::string("a\0b\n\xff", 5), std::string(3'000'000, 'z')}) {
    std::string version;
    ASSERT_GOOD(one().ReplaceSmall("small", kAnyVersion, text, &version));
    EXPECT_EQ(Small(other(), "small")->text, text);
    EXPECT_EQ(Small(other(), "small")->version, version);
  }
}

// Eight threads add one, 25 times each. The sum shows a lost change.
TEST_P(StorageContract, OneOfTwoThatReplaceTheSameVersionGetsAnError) {
  std::atomic<int> conflicts{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Storage& storage = t % 2 == 0 ? one() : other();
      for (int done = 0; done < 25;) {
        std::optional<SmallFile> file;
        std::string version;
        if (!storage.ReadSmall("sum", &file).ok()) {
          ADD_FAILURE() << "cannot be read";
          return;
        }
        const int sum = file ? std::stoi(file->text) : 0;
        const Error error = storage.ReplaceSmall("sum", file ? std::optional(file->version) : std::nullopt,
                                                 std::to_string(sum + 1), &version);
        if (error.ok()) {
          ++done;
        } else if (error.code() == "STATE_CHANGED") {
          ++conflicts;
        } else {
          ADD_FAILURE() << error.code() << ": " << error.message();
          return;
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(Small(one(), "sum")->text, "200");
}

TEST_P(StorageContract, AReaderOfASmallFileGetsOneContentOrTheOther) {
  const std::string a(200'000, 'a');
  const std::string b(100'000, 'b');
  std::string version;
  ASSERT_GOOD(one().ReplaceSmall("small", kAnyVersion, a, &version));
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) {
      EXPECT_GOOD(one().ReplaceSmall("small", kAnyVersion, i % 2 == 0 ? b : a, &version));
    }
    done = true;
  });
  while (!done) {
    const auto file = Small(other(), "small");
    EXPECT_TRUE(file && (file->text == a || file->text == b));
  }
  writer.join();
}

TEST_P(StorageContract, ABackupOfADatabaseThatLiesElsewhereMayLieHere) {
  EXPECT_GOOD(one().CheckSource(path("database")));
  EXPECT_GOOD(one().CheckTarget(path("database")));
  (void)one().FreeSpace();
}

// What two processes see of one store. Leases are renewed so often that a test need not wait for a loss to be noticed.
std::shared_ptr<const std::string> Shared(const std::string& text) { return std::make_shared<const std::string>(text); }

TEST_P(StorageContract, AFileOfTheArchiveIsWrittenOnce) {
  const auto files = one().archive_files();
  const std::string bytes = std::string("\0\n", 2) + std::string(200'000, 'x');
  ASSERT_GOOD(files->WriteNew("wal/1/a", Shared(bytes)));
  std::string text;
  ASSERT_GOOD(other().archive_files()->Read("wal/1/a", &text));
  EXPECT_EQ(text, bytes);
  EXPECT_CODE(other().archive_files()->WriteNew("wal/1/a", Shared("another")), "FILE_EXISTS");
  EXPECT_CODE(files->WriteNew("wal/1/a", Shared("another")), "FILE_EXISTS");
  ASSERT_GOOD(files->Read("wal/1/a", &text));
  EXPECT_EQ(text, bytes);
}

TEST_P(StorageContract, AFileOfTheArchiveIsMissingOnlyIfItIsNotThere) {
  const auto files = one().archive_files();
  std::string text;
  EXPECT_CODE(files->Read("wal/1/a", &text), "FILE_MISSING");
  ASSERT_GOOD(files->WriteNew("wal/1/a", Shared("")));
  EXPECT_GOOD(files->Read("wal/1/a", &text));
  EXPECT_EQ(text, "");
  EXPECT_CODE(files->Read("wal/1/b", &text), "FILE_MISSING");
}

TEST_P(StorageContract, AListOfTheArchiveHasAllFilesInTheirOrder) {
  const auto files = one().archive_files();
  std::vector<ArchiveFiles::Listed> listed;
  ASSERT_GOOD(files->List("wal", &listed));
  EXPECT_TRUE(listed.empty());
  ASSERT_TRUE(Write(one(), "meta/1", "no archive").ok());
  std::vector<std::string> expected;
  for (const char* directory : {"wal/2/", "wal/1/"}) {
    for (int i = 19; i >= 10; --i) {
      expected.push_back(directory + std::to_string(i));
      ASSERT_GOOD(files->WriteNew(expected.back(), Shared(std::string(i, 'x'))));
    }
  }
  std::sort(expected.begin(), expected.end());
  ASSERT_GOOD(other().archive_files()->List("wal", &listed));
  ASSERT_EQ(listed.size(), expected.size());
  for (size_t i = 0; i < listed.size(); ++i) {
    EXPECT_EQ(listed[i].path, expected[i]);
    EXPECT_EQ(listed[i].size, std::stoul(NameOf(expected[i])));
  }
  ASSERT_GOOD(files->Remove({"wal/1/10", "wal/1/11", "wal/1/nothing"}));
  ASSERT_GOOD(other().archive_files()->List("wal", &listed));
  EXPECT_EQ(listed.size(), expected.size() - 2);
  EXPECT_EQ(listed.front().path, "wal/1/12");
}

TEST_P(StorageContract, OneProcessArchivesATimeline) {
  std::unique_ptr<StorageLock> first;
  ASSERT_GOOD(one().LockTimeline(1, &first));
  EXPECT_GOOD(first->StillHeld());
  std::unique_ptr<StorageLock> second;
  EXPECT_CODE(other().LockTimeline(1, &second), "ARCHIVE_LOCKED");
  EXPECT_EQ(second, nullptr);
  ASSERT_GOOD(other().LockTimeline(2, &second));
  std::unique_ptr<WriterLock> writer;
  EXPECT_GOOD(other().LockWriter(&writer)) << "a backup can be made meanwhile";
  first.reset();
  std::unique_ptr<StorageLock> third;
  EXPECT_GOOD(other().LockTimeline(1, &third));
}

TEST_P(StorageContract, ALostTimelineIsFoundLost) {
  std::unique_ptr<StorageLock> lock;
  ASSERT_GOOD(one().LockTimeline(1, &lock));
  GetParam().lose_locks(views_, path("place"));
  EXPECT_CODE(lock->StillHeld(), "LOCK_LOST");
}

TwoViews ViewsOf(const std::shared_ptr<MemoryObjectStore>& store) {
  const LeaseTimes times{.lifetime = std::chrono::milliseconds(3000), .renewal = std::chrono::milliseconds(20)};
  store->page_size = 7;
  return {std::make_shared<ObjectStorage>(store, times), std::make_shared<ObjectStorage>(store, times)};
}

TwoViews ViewsWithout(MemoryObjectStore::Conditions conditions) {
  const auto store = std::make_shared<MemoryObjectStore>();
  store->conditions = conditions;
  store->only_writer = true;
  return ViewsOf(store);
}

void DeleteLeases(const TwoViews& views, const std::string&) {
  ObjectStore& store = dynamic_cast<ObjectStorage&>(*views.one).store();
  for (const auto& [key, bytes] : dynamic_cast<MemoryObjectStore&>(store).Contents()) {
    if (key.starts_with(kLeases)) {
      dynamic_cast<MemoryObjectStore&>(store).DeleteDirectly(key);
    }
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
}

void RemoveLockFiles(const TwoViews&, const std::string& directory) {
  for (const char* name : {kLockFileName, kOtherLockFileName}) {
    std::filesystem::remove(directory + "/" + name);
  }
}

const Implementation kImplementations[] = {
    {"Local",
     [](const std::string& directory) {
       return TwoViews{std::make_shared<LocalStorage>(directory), std::make_shared<LocalStorage>(directory)};
     },
     &RemoveLockFiles},
    {"Layered",
     [](const std::string& directory) {
       const auto local = std::make_shared<LocalStorage>(directory);
       return TwoViews{std::make_shared<LayeredStorage>(local, local->files()), local};
     },
     &RemoveLockFiles},
    {"Memory",
     [](const std::string&) {
       const auto memory = std::make_shared<MemoryStorage>();
       return TwoViews{memory, memory};
     },
     [](const TwoViews& views, const std::string&) { dynamic_cast<MemoryStorage&>(*views.one).LoseLocks(); }},
    {"Store", [](const std::string&) { return ViewsOf(std::make_shared<MemoryObjectStore>()); }, &DeleteLeases},
    // Only writers: the whole contract holds within one process.
    {"StoreThatRefusesConditions",
     [](const std::string&) { return ViewsWithout(MemoryObjectStore::Conditions::kRefused); }, &DeleteLeases},
    {"StoreThatIgnoresConditions",
     [](const std::string&) { return ViewsWithout(MemoryObjectStore::Conditions::kIgnored); }, &DeleteLeases},
};

INSTANTIATE_TEST_SUITE_P(All, StorageContract, ::testing::ValuesIn(kImplementations),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace rocksdb_backup::test
