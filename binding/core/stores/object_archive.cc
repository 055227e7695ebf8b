#include "core/stores/object_archive.h"

#include <utility>

namespace rocksdb_backup {
namespace {

using Kind = StoreRequest::Kind;

class ObjectArchive : public ArchiveFiles {
 public:
  explicit ObjectArchive(std::shared_ptr<StoreClient> client) : client_(std::move(client)) {}

  Error List(const std::string& directory, std::vector<Listed>* files) override {
    files->clear();
    const StoreAnswer list = client_->List(Kind::kList, directory + "/", [&](const StoredObject& object) {
      files->push_back({object.key, object.size});
      return true;
    });
    return Failure(list, "listing", directory);
  }

  Error Read(const std::string& path, std::string* text) override {
    StoreAnswer answer = client_->Do({.kind = Kind::kGet, .key = path});
    if (answer.failure == StoreFailure::kNotFound) {
      return Error("FILE_MISSING", UrlOf(path) + " is not there").With("path", UrlOf(path));
    }
    *text = std::move(answer.bytes);
    return Failure(answer, "reading", path);
  }

  Error WriteNew(const std::string& path, std::shared_ptr<const std::string> text) override {
    const StoreAnswer put = client_->Do({.kind = Kind::kPut, .key = path, .bytes = std::move(text), .if_absent = true});
    if (put.failure == StoreFailure::kConditionFailed) {
      return Error("FILE_EXISTS", UrlOf(path) + " is there already").With("path", UrlOf(path));
    }
    return Failure(put, "writing", path);
  }

  Error Remove(const std::vector<std::string>& paths) override {
    for (size_t begin = 0; begin < paths.size(); begin += kMaxDeletes) {
      const size_t end = std::min(paths.size(), begin + kMaxDeletes);
      const StoreAnswer answer = client_->Do(
          {.kind = Kind::kDelete,
           .keys = {paths.begin() + static_cast<ptrdiff_t>(begin), paths.begin() + static_cast<ptrdiff_t>(end)}});
      if (!answer.ok() && answer.failure != StoreFailure::kNotFound) {
        return Failure(answer, "deleting", paths[begin]);
      }
    }
    return Error();
  }

 private:
  std::string UrlOf(const std::string& path) const { return client_->store().name() + "/" + path; }
  Error Failure(const StoreAnswer& answer, const std::string& doing, const std::string& path) const {
    return answer.ok() ? Error() : RequestError(client_->store(), answer, doing, path);
  }

  const std::shared_ptr<StoreClient> client_;
};

}  // namespace

std::unique_ptr<ArchiveFiles> NewObjectArchive(std::shared_ptr<StoreClient> client) {
  return std::make_unique<ObjectArchive>(std::move(client));
}

}  // namespace rocksdb_backup
