// Opens a database whose OPTIONS file is the fuzzer's bytes for reading. The open succeeds or fails, and never crashes.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/database/database.h"
#include "core/database/open_rocksdb.h"
#include "must.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"

using namespace rocksdb_backup;

namespace {

const std::string kDatabase = "/database";

struct Scene {
  std::shared_ptr<rocksdb::Env> env{rocksdb::NewMemEnv(rocksdb::Env::Default())};
  std::string options_file;
  std::string options;  // as RocksDB wrote them

  Scene() {
    rocksdb::Options options_to_open;
    options_to_open.create_if_missing = true;
    options_to_open.env = env.get();
    std::unique_ptr<rocksdb::DB> db;
    const auto open = [&](auto* out) -> decltype(rocksdb::DB::Open(options_to_open, kDatabase, out)) {
      return rocksdb::DB::Open(options_to_open, kDatabase, out);
    };
    Must(OpenInto(&db, open).ok(), "a database is made in memory");
    Must(db->Put(rocksdb::WriteOptions(), "key", "value").ok() && db->Flush(rocksdb::FlushOptions()).ok(),
         "and filled");
    db.reset();
    std::vector<std::string> names;
    Must(env->GetChildren(kDatabase, &names).ok(), "its files are listed");
    for (const auto& name : names) {
      if (name.rfind("OPTIONS-", 0) == 0) {
        options_file = kDatabase + "/" + name;
      }
    }
    Must(rocksdb::ReadFileToString(env.get(), options_file, &options).ok(), "it has an OPTIONS file");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Scene* const scene = new Scene;
  const rocksdb::Slice input(reinterpret_cast<const char*>(data), size);
  Must(rocksdb::WriteStringToFile(scene->env.get(), input, scene->options_file).ok(), "the OPTIONS file is replaced");
  std::shared_ptr<Database> database;
  const Error error =
      Database::OpenThrough(scene->env->GetFileSystem(), nullptr, kDatabase, Database::ToReadBackup(), &database);
  if (error.ok()) {
    database->AddHandle();
    std::string value;
    const rocksdb::Status status = database->db()->Get(rocksdb::ReadOptions(), "key", &value);
    Must(!status.ok() || value == "value", "no options make a value another one");
    database->RemoveHandle({});
    database->WaitIfClosing();
  }
  return 0;
}
