// The C++ side of `npm run bench:backup`: rocksdb::BackupEngine called directly, as a C++ program would, and, with
// --core, the same operations through binding/core without node. Prints one line of JSON for each operation.
//
//   generate DB --mib N              a database of N MiB of incompressible 1 KiB values in files of 64 MiB, always the
//   same create   DB BACKUPS              ┐ verify   BACKUPS                 │ [--core] [--threads N] [--sync 0|1]
//   restore  BACKUPS TARGET          ┘
//   change   DB COPY                a copy in which one key of a hundred has a new value, in files of its own
//   forget   BACKUPS                deletes the latest backup
//   grow     DB BACKUPS --backups N --files N --families N  ┐ growth.h
//   growth   DB BACKUPS                                     ┘
//   settle   warm|cold DIR...        writes out all dirty pages, then puts these directories into the page cache, or
//   out of it

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/base/paths.h"
#include "core/database/open_rocksdb.h"
#include "core/repository/backup_repository.h"
#include "growth.h"
#include "rocksdb/db.h"
#include "rocksdb/table.h"
#include "rocksdb/utilities/backup_engine.h"
#include "rocksdb/utilities/checkpoint.h"

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kMiB = 1024 * 1024;
constexpr uint64_t kValueSize = 1024;
constexpr uint64_t kFileSize = 64 * kMiB;

struct Arguments {
  std::vector<std::string> words;
  uint64_t mib = 1024;
  int threads = 4;
  bool sync = true;
  bool core = false;
  uint64_t backups = 2000;
  uint64_t files = 200;
  uint64_t families = 1;
};

struct Measured {
  double open_seconds = 0;  // the engine's; not part of the operation
  double seconds = 0;
  double cpu_seconds = 0;  // of all threads
  uint64_t bytes = 0;
};

void Check(const rocksdb::Status& status) {
  if (!status.ok()) {
    throw std::runtime_error(status.ToString());
  }
}

void Check(const rocksdb_backup::Error& error) {
  if (!error.ok()) {
    throw std::runtime_error(error.code() + ": " + error.message());
  }
}

double Since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Measure(Measured* measured, const std::function<void()>& operation) {
  const double cpu = CpuSeconds();
  const auto start = Clock::now();
  operation();
  measured->seconds = Since(start);
  measured->cpu_seconds = CpuSeconds() - cpu;
}

void Print(const Measured& measured) {
  std::printf("{\"openSeconds\":%.6f,\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"bytes\":%llu}\n", measured.open_seconds,
              measured.seconds, measured.cpu_seconds, static_cast<unsigned long long>(measured.bytes));
}

std::unique_ptr<rocksdb::DB> Open(const rocksdb::Options& options, const std::string& path) {
  std::unique_ptr<rocksdb::DB> db;
  Check(rocksdb_backup::OpenInto(&db, [&](auto* out) -> decltype(rocksdb::DB::Open(options, path, out)) {
    return rocksdb::DB::Open(options, path, out);
  }));
  return db;
}

class Values {
 public:
  explicit Values(uint64_t seed) : random_(seed) {}

  const std::string& Next() {
    for (size_t at = 0; at < kValueSize; at += sizeof random_) {
      random_ ^= random_ << 13;
      random_ ^= random_ >> 7;
      random_ ^= random_ << 17;
      value_.replace(at, sizeof random_, reinterpret_cast<const char*>(&random_), sizeof random_);
    }
    return value_;
  }

 private:
  uint64_t random_;
  std::string value_ = std::string(kValueSize, '\0');
};

std::string KeyOf(uint64_t number) {
  char key[17];
  std::snprintf(key, sizeof key, "%016llx", static_cast<unsigned long long>(number));
  return key;
}

// Keys ascend, so a file holds a range, and compaction has nothing to merge: files keep the size they were flushed
// with.
void Generate(const std::string& path, uint64_t mib) {
  fs::remove_all(path);
  fs::create_directories(path);
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.write_buffer_size = 4 * kFileSize;
  options.disable_auto_compactions = true;
  const std::unique_ptr<rocksdb::DB> db = Open(options, path);

  rocksdb::WriteOptions write;
  write.disableWAL = true;
  Values random(0x9E3779B97F4A7C15);
  const uint64_t values = mib * kMiB / kValueSize;
  for (uint64_t i = 0; i < values; ++i) {
    Check(db->Put(write, KeyOf(i), random.Next()));
    if ((i + 1) % (kFileSize / kValueSize) == 0) {
      Check(db->Flush(rocksdb::FlushOptions()));
    }
  }
  Check(db->Flush(rocksdb::FlushOptions()));
  // To the last level, where no later open finds anything to compact.
  Check(db->CompactRange(rocksdb::CompactRangeOptions(), nullptr, nullptr));
  Check(db->Close());
}

void Change(const std::string& path, const std::string& copy, uint64_t mib) {
  rocksdb::Options options;
  options.compression = rocksdb::kNoCompression;
  options.disable_auto_compactions = true;
  {
    const auto db = Open(options, path);
    rocksdb::Checkpoint* made = nullptr;
    Check(rocksdb::Checkpoint::Create(db.get(), &made));
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    Check(checkpoint->CreateCheckpoint(copy));
  }
  const auto db = Open(options, copy);
  rocksdb::WriteOptions write;
  write.disableWAL = true;
  Values random(0xD1B54A32D192ED03);
  for (uint64_t i = 0; i < mib * kMiB / kValueSize; i += 100) {
    Check(db->Put(write, KeyOf(i), random.Next()));
  }
  Check(db->Flush(rocksdb::FlushOptions()));
  Check(db->Close());
}

rocksdb::BackupEngineOptions EngineOptions(const std::string& directory, const Arguments& arguments) {
  rocksdb::BackupEngineOptions options(directory);
  options.max_background_operations = arguments.threads;
  options.sync = arguments.sync;
  return options;
}

// ── rocksdb::BackupEngine ──────────────────────────────────────────────────────────────────────────────────────────

std::unique_ptr<rocksdb::BackupEngine> OpenEngine(const std::string& directory, const Arguments& arguments,
                                                  Measured* measured) {
  const auto start = Clock::now();
  rocksdb::BackupEngine* engine = nullptr;
  Check(rocksdb::BackupEngine::Open(EngineOptions(directory, arguments), rocksdb::Env::Default(), &engine));
  measured->open_seconds = Since(start);
  return std::unique_ptr<rocksdb::BackupEngine>(engine);
}

rocksdb::BackupInfo Latest(const rocksdb::BackupEngine& engine) {
  rocksdb::BackupInfo info;
  Check(engine.GetLatestBackupInfo(&info));
  return info;
}

Measured Create(const Arguments& arguments) {
  Measured measured;
  const auto db = Open(rocksdb::Options(), arguments.words[1]);
  const auto engine = OpenEngine(arguments.words[2], arguments, &measured);
  Measure(&measured, [&] { Check(engine->CreateNewBackup(rocksdb::CreateBackupOptions(), db.get())); });
  measured.bytes = Latest(*engine).size;
  return measured;
}

void Forget(const Arguments& arguments) {
  Measured unused;
  const auto engine = OpenEngine(arguments.words[1], arguments, &unused);
  Check(engine->DeleteBackup(Latest(*engine).backup_id));
}

Measured Verify(const Arguments& arguments) {
  Measured measured;
  const auto engine = OpenEngine(arguments.words[1], arguments, &measured);
  const rocksdb::BackupInfo info = Latest(*engine);
  Measure(&measured, [&] { Check(engine->VerifyBackup(info.backup_id, true)); });
  measured.bytes = info.size;
  return measured;
}

Measured Restore(const Arguments& arguments) {
  Measured measured;
  const auto engine = OpenEngine(arguments.words[1], arguments, &measured);
  const rocksdb::BackupInfo info = Latest(*engine);
  const std::string& target = arguments.words[2];
  Measure(&measured,
          [&] { Check(engine->RestoreDBFromBackup(rocksdb::RestoreOptions(), info.backup_id, target, target)); });
  measured.bytes = info.size;
  return measured;
}

// ── binding/core ───────────────────────────────────────────────────────────────────────────────────────────────────

using rocksdb_backup::BackupDescription;
using rocksdb_backup::BackupRepository;

class Repository {
 public:
  Repository(const std::string& directory, const Arguments& arguments, Measured* measured) {
    BackupRepository::Options options;
    options.settings.engine = EngineOptions(directory, arguments);
    const auto start = Clock::now();
    Check(BackupRepository::Open(std::move(options), &repository_));
    measured->open_seconds = Since(start);
  }

  BackupRepository* operator->() { return repository_.get(); }

  std::shared_ptr<rocksdb_backup::Operation> NewOperation() {
    return std::make_shared<rocksdb_backup::Operation>([](const rocksdb_backup::Progress&) {});
  }

 private:
  std::shared_ptr<BackupRepository> repository_;
};

Measured CoreCreate(const Arguments& arguments) {
  Measured measured;
  const auto db = Open(rocksdb::Options(), arguments.words[1]);
  Repository repository(arguments.words[2], arguments, &measured);
  rocksdb_backup::CreateRequest request;
  request.source.db = db.get();
  request.source.path = request.source.wal_dir = rocksdb_backup::RealPath(arguments.words[1]);
  BackupDescription created;
  Measure(&measured, [&] { Check(repository->Create(request, repository.NewOperation(), &created)); });
  measured.bytes = created.size;
  return measured;
}

Measured CoreVerify(const Arguments& arguments) {
  Measured measured;
  Repository repository(arguments.words[1], arguments, &measured);
  BackupDescription latest;
  Check(repository->Describe(0, false, &latest));
  Measure(&measured, [&] { Check(repository->Verify(latest.id, true, repository.NewOperation())); });
  measured.bytes = latest.size;
  return measured;
}

Measured CoreRestore(const Arguments& arguments) {
  Measured measured;
  Repository repository(arguments.words[1], arguments, &measured);
  BackupDescription latest;
  Check(repository->Describe(0, false, &latest));
  rocksdb_backup::RestoreRequest request;
  request.backup_id = latest.id;
  request.database_dir = arguments.words[2];
  rocksdb_backup::RestoreResult restored;
  Measure(&measured, [&] { Check(repository->Restore(request, repository.NewOperation(), &restored)); });
  measured.bytes = latest.size;
  return measured;
}

// ── the page cache ─────────────────────────────────────────────────────────────────────────────────────────────────

void ReadWhole(int fd) {
  static std::vector<char> buffer(kMiB);
  while (read(fd, buffer.data(), buffer.size()) > 0) {
  }
}

void Settle(const Arguments& arguments) {
  sync();
  for (size_t i = 2; i < arguments.words.size(); ++i) {
    for (const auto& entry : fs::recursive_directory_iterator(arguments.words[i])) {
      if (!entry.is_regular_file()) {
        continue;
      }
      const int fd = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0) {
        throw std::runtime_error("cannot read " + entry.path().string());
      }
      if (arguments.words[1] == "warm") {
        ReadWhole(fd);
      } else {
#if defined(POSIX_FADV_DONTNEED)
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
#endif
      }
      close(fd);
    }
  }
}

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto number = [&] {
      if (i + 1 == argc) {
        throw std::invalid_argument(word + " needs a number");
      }
      return std::strtoull(argv[++i], nullptr, 10);
    };
    if (word == "--mib") {
      arguments.mib = number();
    } else if (word == "--threads") {
      arguments.threads = static_cast<int>(number());
    } else if (word == "--sync") {
      arguments.sync = number() != 0;
    } else if (word == "--backups") {
      arguments.backups = number();
    } else if (word == "--files") {
      arguments.files = number();
    } else if (word == "--families") {
      arguments.families = number();
    } else if (word == "--core") {
      arguments.core = true;
    } else {
      arguments.words.push_back(word);
    }
  }
  return arguments;
}

void Run(const Arguments& arguments) {
  const auto is = [&](const char* command, size_t words) {
    return arguments.words.size() >= words && arguments.words[0] == command;
  };
  if (is("generate", 2)) {
    Generate(arguments.words[1], arguments.mib);
  } else if (is("create", 3)) {
    Print(arguments.core ? CoreCreate(arguments) : Create(arguments));
  } else if (is("verify", 2)) {
    Print(arguments.core ? CoreVerify(arguments) : Verify(arguments));
  } else if (is("restore", 3)) {
    Print(arguments.core ? CoreRestore(arguments) : Restore(arguments));
  } else if (is("change", 3)) {
    Change(arguments.words[1], arguments.words[2], arguments.mib);
  } else if (is("forget", 2)) {
    Forget(arguments);
  } else if (is("grow", 3)) {
    Grow(arguments.words[1], arguments.words[2], arguments.backups, arguments.files, arguments.families);
  } else if (is("growth", 3)) {
    MeasureOpenEngine(arguments.words[1], arguments.words[2]);
  } else if (is("settle", 2)) {
    Settle(arguments);
  } else {
    throw std::invalid_argument(
        "generate DB | change DB COPY | create DB BACKUPS | forget BACKUPS | verify BACKUPS | restore BACKUPS TARGET | "
        "grow DB BACKUPS | "
        "growth DB BACKUPS | settle warm|cold DIR...");
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Run(Parse(argc, argv));
    return 0;
  } catch (const std::exception& exception) {
    std::cerr << "backup_baseline: " << exception.what() << '\n';
    return 1;
  }
}
