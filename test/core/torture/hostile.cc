// All operations on backup directories that no BackupEngine wrote. Called by test/torture/hostile.ts.

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>

#include "backup_fixture.h"
#include "chance.h"

namespace rocksdb_backup::test {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// Ends the process if it exists for minutes. Nothing may hang, and no machine is that slow.
class Watchdog {
 public:
  explicit Watchdog(const std::string& doing) {
    snprintf(message_, sizeof(message_), "%s hangs\n", doing.c_str());
    signal(SIGALRM, [](int) {
      [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, message_, strlen(message_));
      abort();
    });
    alarm(300);
  }
  ~Watchdog() { alarm(0); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  static inline char message_[128];
};

class Hostile : public BackupTest {
 protected:
  void SetUp() override {
    BackupTest::SetUp();
    Fill(3, 200, "a");
    auto repository = OpenRepository();
    ASSERT_GOOD(Create(*repository));
    Fill(3, 200, "b");
    ASSERT_GOOD(Create(*repository));
    CloseRepositories();
    std::filesystem::rename(path("backups"), path("pristine"));
    good_meta_ = ReadFile(path("pristine/meta/2"));
    // Files that no operation may read, write or delete. They have the names of a backup's files.
    for (const char* name : {"CURRENT", "MANIFEST-000005", "000004.sst", "000008.log", "OPTIONS-000007", "passwd"}) {
      std::filesystem::create_directories(path("canary"));
      WriteFile(path("canary/") + name, "secret of " + std::string(name));
    }
    canary_ = Canary();
  }

  uint64_t Random(uint64_t below) { return chance_.Below(below); }
  template <class T>
  const T& Pick(const std::vector<T>& values) {
    return values[Random(values.size())];
  }

  // Names and contents of the files around the directory.
  std::map<std::string, std::string> Canary() const {
    std::map<std::string, std::string> found;
    for (const char* place : {"canary", "pristine"}) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(path(place))) {
        found[entry.path().string()] = entry.is_regular_file() ? ReadFile(entry.path().string()) : "/";
      }
    }
    return found;
  }

  std::string Name() {
    const std::string stem = Pick<std::string>({"",
                                                "private/1/",
                                                "private/2/",
                                                "private/3/",
                                                "private/99/",
                                                "shared/",
                                                "shared_checksum/",
                                                "meta/",
                                                "/",
                                                "../",
                                                "../canary/",
                                                "private/1/../../../canary/",
                                                "shared_checksum/../../canary/",
                                                "./",
                                                "private//1/",
                                                path("canary/"),
                                                "private/link/",
                                                "shared/link/",
                                                "\xff\xfe",
                                                "private/"});
    const std::string leaf = Pick<std::string>({"CURRENT",
                                                "MANIFEST-000005",
                                                "000004.sst",
                                                "000004_s1234_99.sst",
                                                "000004_99999999999999999999_1.sst",
                                                "000004__.sst",
                                                "_",
                                                "_.",
                                                ".",
                                                "..",
                                                "",
                                                "000008.log",
                                                "OPTIONS-000007",
                                                "passwd",
                                                "000004",
                                                "a b",
                                                std::string("nul\0byte.sst", 12),
                                                std::string(300, 'x') + ".sst",
                                                "000004.sst_",
                                                ".sst_",
                                                "-1.sst",
                                                "000004_s_18446744073709551616.sst",
                                                "IDENTITY",
                                                "LOCK"});
    return stem + leaf;
  }

  std::string Number() {
    return Pick<std::string>({"0", "1", "2", "-1", "4294967295", "4294967296", "18446744073709551615",
                              "18446744073709551616", "99999999999999999999999999", "1e9", "0x10", "", " ", "x",
                              "2147483648", "9223372036854775808", "007"});
  }

  std::string FileLine() {
    std::string line = Name();
    const int fields = static_cast<int>(Random(4));
    for (int i = 0; i < fields; ++i) {
      line += " " + Pick<std::string>({"crc32", "size", "temp", "ni::excluded", "ni::new", "x", "", "sha"});
      line += " " + (Random(3) == 0 ? Pick<std::string>({"true", "false", "kHot", "", "\t"}) : Number());
    }
    return line + (Random(20) == 0 ? "" : "\n");
  }

  std::string Meta() {
    if (Random(4) == 0) {
      return DamagedMeta();
    }
    std::string meta;
    if (Random(2) == 0) {
      meta += "schema_version " +
              Pick<std::string>({"1", "2", "2.1", "2.", "2.99", "3", "", "-2", "2x", "99999999999"}) + "\n";
    }
    meta += Number() + "\n" + Number() + "\n";
    for (uint64_t i = Random(3); i > 0; --i) {
      meta += Pick<std::string>({"metadata ", "ni::x ", "field ", "", "metadata"}) +
              Pick<std::string>({"41", "4", "4g", "", std::string(5000, '4'), "\xff"}) + "\n";
    }
    const uint64_t lines = Random(6);
    meta += (Random(3) == 0 ? Number() : std::to_string(lines)) + "\n";
    for (uint64_t i = 0; i < lines; ++i) {
      meta += FileLine();
    }
    if (Random(5) == 0) {
      meta += "// FOOTER\n" + Pick<std::string>({"a b\n", "ni::x y\n", "\n", "x"});
    }
    return meta;
  }

  // A good meta file in which something is replaced, doubled or removed.
  std::string DamagedMeta() {
    std::string meta = good_meta_;
    for (uint64_t i = 1 + Random(4); i > 0; --i) {
      const size_t at = Random(meta.size() + 1);
      switch (Random(5)) {
        case 0:
          meta.insert(at, Pick<std::string>({"\n", " ", std::string(1, '\0'), "../", "_", "/", "-", "9", "\r\n"}));
          break;
        case 1:
          meta.erase(at, Random(20));
          break;
        case 2:
          meta.insert(at, FileLine());
          break;
        case 3:
          meta.insert(at, meta.substr(Random(meta.size() + 1), Random(80)));
          break;
        default:
          if (at < meta.size()) {
            meta[at] = static_cast<char>(Random(256));
          }
      }
    }
    return meta;
  }

  std::string Place(const std::string& directory) {
    return directory + "/" +
           Pick<std::string>({"meta/1",
                              "meta/2",
                              "meta/3",
                              "meta/4294967295",
                              "meta/0",
                              "meta/01",
                              "meta/-1",
                              "meta/x",
                              "meta/4294967294",
                              "meta/99999999999",
                              "private/1",
                              "private/2",
                              "private/3",
                              "private/1/CURRENT",
                              "private/1/rocksdb-backup.files",
                              "private/link",
                              "private/1.tmp",
                              "private/2x.tmp",
                              "private/7.tmp",
                              "private/0",
                              "shared/link",
                              "shared",
                              "shared_checksum",
                              "shared_checksum/000004.sst",
                              "shared/000004.sst",
                              "meta/.3.tmp",
                              "private/3.tmp",
                              "rocksdb-backup.lock",
                              ".backup.lock",
                              "rocksdb-backup.state.json"});
  }

  // Puts one hostile thing into the directory.
  void Spoil(const std::string& directory) {
    if (Random(3) != 0) {
      const std::string meta = directory + "/meta/" + Pick<std::string>({"1", "2", "3", "3", "7"});
      std::filesystem::remove_all(meta);
      WriteFile(meta, Meta());
      return;
    }
    const std::string place = Place(directory);
    std::error_code ignored;
    const auto parent = std::filesystem::canonical(ParentOf(place), ignored).string();
    if (parent != directory && !IsInside(parent, directory)) {
      return;  // an earlier step made it a link, and the test itself must not write outside
    }
    if (Random(2) == 0) {
      std::filesystem::remove_all(place, ignored);
    }
    switch (Random(10)) {
      case 0:
        std::filesystem::create_directory(place, ignored);
        break;
      case 1:
        mkfifo(place.c_str(), 0666);
        break;
      case 2:
        std::filesystem::create_symlink(path("canary"), place, ignored);
        break;
      case 3:
        std::filesystem::create_symlink(path("canary/000004.sst"), place, ignored);
        break;
      case 4:
        std::filesystem::create_symlink(place, place, ignored);
        break;
      case 5:
        std::filesystem::create_symlink("/dev/zero", place, ignored);
        break;
      case 6:
        std::filesystem::create_symlink("..", place, ignored);
        break;
      case 7:
        if (!std::filesystem::exists(std::filesystem::symlink_status(place))) {
          WriteFile(place, Random(2) == 0 ? "" : RandomValue(500));
        }
        break;
      case 8:
        std::filesystem::permissions(place, std::filesystem::perms::none, ignored);
        break;
      default:
        std::filesystem::remove_all(place, ignored);
    }
  }

  // Runs every operation. Each ends with success, or with an error that has a code and names a file.
  void DoAll(const std::string& directory, const std::string& name) {
    const Watchdog watchdog("what is done with " + name);
    const auto typed = [&](const char* what, const Error& error) {
      ++operations_;
      if (!error.ok()) {
        ++refused_;
        ++codes_[error.code()];
        EXPECT_FALSE(error.code().empty()) << what;
        EXPECT_GT(error.message().size(), 10U) << what << error.code();
        EXPECT_LT(error.message().size(), 64U << 10) << what;
      }
    };
    BackupRepository::Options options;
    options.settings.storage = std::make_shared<LocalStorage>(RealPath(directory));
    options.settings.engine.max_background_operations = 2;
    for (const bool read_only : {true, false}) {
      options.read_only = read_only;
      std::shared_ptr<BackupRepository> repository;
      const Error error = BackupRepository::Open(options, &repository);
      typed("open", error);
      if (!error.ok()) {
        ++unopened_;
        continue;
      }
      repository->AddHandle();
      std::vector<BackupDescription> list;
      typed("list", repository->List(true, &list));
      std::vector<uint32_t> corrupt;
      typed("corrupt", repository->CorruptIds(&corrupt));
      for (const uint32_t id : {0U, 1U, 2U, 3U, 7U, 4294967295U}) {
        BackupDescription description;
        typed("describe", repository->Describe(id, true, &description));
        if (id != 0) {
          typed("verify", Verify(*repository, id, Random(3) != 0));
        }
        if (Random(3) == 0) {
          typed("restore", Restore(*repository, RestoreTo(id, path("target"))));
          std::filesystem::remove_all(path("target"));
        }
        if (OpenedBackup opened; id != 0 && Random(3) == 0) {
          const Error opening = repository->OpenBackup(id, &opened);
          typed("open a backup", opening);
          if (opening.ok()) {
            OpenInPlace(opened);
          }
        }
      }
      if (!read_only) {
        const auto before = Canary();
        typed("create", Create(*repository));
        typed("delete", repository->Delete(static_cast<uint32_t>(1 + Random(4)), Random(2) == 0));
        typed("purge", repository->PurgeOld(static_cast<uint32_t>(Random(3)), Random(2) == 0));
        typed("collect", repository->CollectGarbage(Random(2) == 0));
      }
      repository->RemoveHandle({});
      repository->WaitIfClosing();
    }
  }

  static void OpenInPlace(const OpenedBackup& opened) {
    rocksdb::DBOptions options;
    options.env = opened.env.get();
    std::unique_ptr<rocksdb::DB> db;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    const std::vector<rocksdb::ColumnFamilyDescriptor> families = {{"default", rocksdb::ColumnFamilyOptions()}};
    const rocksdb::Status status = OpenInto(
        &db, [&](auto* out) -> decltype(rocksdb::DB::OpenForReadOnly(options, opened.path, families, &handles, out)) {
          return rocksdb::DB::OpenForReadOnly(options, opened.path, families, &handles, out);
        });
    if (status.ok()) {
      for (auto* handle : handles) {
        db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
      }
    }
  }

  static uint64_t PeakBytes() {
    struct rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  }

  std::string Fresh() {
    const std::string directory = path("hostile");
    std::error_code ignored;
    for (const auto& part : {"", "/meta", "/private", "/shared_checksum"}) {
      std::filesystem::permissions(directory + part, std::filesystem::perms::owner_all,
                                   std::filesystem::perm_options::add, ignored);
    }
    std::filesystem::remove_all(directory);
    std::filesystem::copy(path("pristine"), directory, std::filesystem::copy_options::recursive);
    for (const char* name : {kLockFileName, kOtherLockFileName}) {
      std::filesystem::remove(directory + "/" + name);
    }
    return directory;
  }

  Chance chance_;
  std::string good_meta_;
  std::map<std::string, std::string> canary_;
  std::map<std::string, uint64_t> codes_;
  uint64_t operations_ = 0;
  uint64_t refused_ = 0;
  uint64_t unopened_ = 0;
};

TEST_F(Hostile, NoDirectoryCrashesHangsOrLeadsOutside) {
  const uint64_t directories = Rounds(400, 20000);
  for (uint64_t round = 0; round < directories; ++round) {
    const std::string name = "directory " + std::to_string(round);
    SCOPED_TRACE(name);
    const std::string directory = Fresh();
    for (uint64_t i = 1 + Random(4); i > 0; --i) {
      Spoil(directory);
    }
    DoAll(directory, name);
    if (Canary() != canary_) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
        printf("  in the directory: %s%s\n", entry.path().c_str(), entry.is_symlink() ? ", a link" : "");
      }
    }
    ASSERT_TRUE(Canary() == canary_) << "what lies around the directory is as it was";
    if (HasFailure()) {
      break;
    }
  }
  Fresh();
  Figure("directories", std::to_string(directories));
  Figure("operations", std::to_string(operations_));
  Figure("of these refused", std::to_string(refused_));
  Figure("directories that could not be opened, twice each", std::to_string(unopened_));
  std::string codes;
  for (const auto& [code, count] : codes_) {
    codes += (codes.empty() ? "" : ", ") + code + " " + std::to_string(count);
  }
  Figure("codes", codes);
}

TEST_F(Hostile, NothingTakesMoreMemoryThanItsMetasTimesTen) {
  const uint64_t before = PeakBytes();
  const std::string directory = Fresh();
  // A line of 8 MiB, app metadata of 8 MiB, 100,000 files, 3,000 metas, and one that claims to be 4 GiB.
  WriteFile(directory + "/meta/3", std::string(8 * kMiB, '7'));
  WriteFile(directory + "/meta/4", "1\n1\nmetadata " + std::string(8 * kMiB, '4') + "\n1\nprivate/1/CURRENT crc32 1\n");
  std::string many = "1\n1\n100000\n";
  for (int i = 0; i < 100000; ++i) {
    many += "private/1/CURRENT crc32 1\n";
  }
  WriteFile(directory + "/meta/5", many);
  WriteFile(directory + "/meta/6", "");
  std::filesystem::resize_file(directory + "/meta/6", uint64_t{4} << 30);
  for (int i = 100; i < 3100; ++i) {
    WriteFile(directory + "/meta/" + std::to_string(i), "1\n1\n0\n");
  }
  DoAll(directory, "absurd metas");
  const uint64_t grown = PeakBytes() - before;
  EXPECT_LT(grown, 200 * kMiB);
  EXPECT_TRUE(Canary() == canary_);
  Figure("MiB that 20 MiB of absurd metas, and one of 4 GiB, took", std::to_string(grown / kMiB));
}

}  // namespace
}  // namespace rocksdb_backup::test
