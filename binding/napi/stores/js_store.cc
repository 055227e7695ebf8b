#include "napi/stores/js_store.h"

#include <atomic>
#include <map>
#include <utility>

#include "core/stores/object_storage.h"
#include "napi/backup/storage_handle.h"
#include "napi/runtime/wrap.h"
#include "napi/values/values.h"

namespace rocksdb_backup {
namespace {

using Kind = StoreRequest::Kind;

std::mutex stores_mutex;
std::unordered_map<std::string, std::weak_ptr<JsStore>>& Stores() {
  static auto* const stores = new std::unordered_map<std::string, std::weak_ptr<JsStore>>;
  return *stores;
}

const char* NameOf(Kind kind) {
  switch (kind) {
    case Kind::kPut:
      return "put";
    case Kind::kGet:
      return "get";
    case Kind::kList:
      return "list";
    case Kind::kDelete:
      return "delete";
    case Kind::kCreateUpload:
      return "createUpload";
    case Kind::kPart:
      return "part";
    case Kind::kComplete:
      return "complete";
    case Kind::kAbort:
      return "abort";
    case Kind::kListUploads:
      return "listUploads";
  }
  return "";
}

struct KindOfFailure {
  StoreFailure failure;
  const char* code;
  const char* advice = "";
};

// The kinds of lib/stores/object-store.ts, and that of lib/storage/serve-store.ts.
const std::map<std::string, KindOfFailure>& Failures() {
  static const auto* const failures = new std::map<std::string, KindOfFailure>{
      {"NOT_FOUND", {StoreFailure::kNotFound, "STORE_NOT_FOUND"}},
      {"CONDITION_FAILED", {StoreFailure::kConditionFailed, "STORE_CONDITION_FAILED"}},
      {"DENIED", {StoreFailure::kDenied, "STORE_DENIED", "storeDenied"}},
      {"NO_BUCKET", {StoreFailure::kNoBucket, "STORE_NO_BUCKET", "storeNoBucket"}},
      {"BUSY", {StoreFailure::kBusy, "STORE_UNREACHABLE", "storeUnreachable"}},
      {"REFUSED", {StoreFailure::kRefused, "STORE_REFUSED", "storeRefused"}},
      {"STOPPED", {StoreFailure::kBusy, "STORE_STOPPED"}},
  };
  return *failures;
}

Error ThreadEnded() { return Error("STORE_UNREACHABLE", "the JavaScript thread that serves the store has ended"); }

// `memory` is null if its thread has ended, or if this runtime has no such buffers.
Napi::Object ToJs(Napi::Env env, const StoreRequest& request, JsMemory* memory) {
  auto object = Napi::Object::New(env);
  object.Set("kind", NameOf(request.kind));
  object.Set("key", request.key);
  const Napi::Value buffer = request.memory == nullptr || memory == nullptr
                                 ? env.Undefined()
                                 : memory->BufferOf(env, request.memory->memory());
  if (!buffer.IsUndefined()) {
    object.Set("memory", buffer);
    object.Set("size", static_cast<double>(request.memory->size()));
  } else if (request.memory != nullptr && request.kind != Kind::kGet) {
    object.Set("bytes", Napi::Buffer<char>::Copy(env, request.memory->data(), request.memory->size()));
  }
  if (request.bytes != nullptr) {
    // JS gets the memory itself. It lives until JS has forgotten it.
    auto* kept = new std::shared_ptr<const std::string>(request.bytes);
    object.Set("bytes",
               Napi::Buffer<char>::NewOrCopy(env, const_cast<char*>(request.bytes->data()), request.bytes->size(),
                                             [kept](Napi::Env, char*) { delete kept; }));
  }
  if (request.if_absent) {
    object.Set("ifAbsent", true);
  }
  if (!request.if_match.empty()) {
    object.Set("ifMatch", request.if_match);
  }
  if (request.kind == Kind::kGet && request.length != StoreRequest::kToTheEnd) {
    object.Set("offset", static_cast<double>(request.offset));
    object.Set("length", static_cast<double>(request.length));
  }
  if (!request.keys.empty()) {
    object.Set("keys", rocksdb_backup::ToJs(env, request.keys));
  }
  if (!request.upload.empty()) {
    object.Set("upload", request.upload);
    object.Set("part", request.part);
  }
  if (!request.after.empty()) {
    object.Set("after", request.after);
  }
  return object;
}

std::string Text(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

std::vector<StoredObject> ReadObjects(const Napi::Array& array) {
  std::vector<StoredObject> objects;
  objects.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::HandleScope scope(array.Env());
    const auto object = array.Get(i).As<Napi::Object>();
    const auto number = [&](const char* name) {
      const Napi::Value value = object.Get(name);
      return value.IsNumber() ? value.As<Napi::Number>().Int64Value() : 0;
    };
    objects.push_back(
        {Text(object, "key"), static_cast<uint64_t>(number("size")), Text(object, "etag"), number("modified")});
  }
  return objects;
}

std::vector<std::string> ReadStrings(const Napi::Array& array) {
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::HandleScope scope(array.Env());
    strings.push_back(array.Get(i).ToString().Utf8Value());
  }
  return strings;
}

// { ok: false, kind, message, status, storeCode, requestId, keys }
StoreAnswer ReadFailure(const Napi::Object& object) {
  const auto known = Failures().find(Text(object, "kind"));
  // Of a failure of unknown kind, nobody knows whether the request was done.
  const auto [failure, code, advice] =
      known == Failures().end() ? KindOfFailure{StoreFailure::kBusy, "STORE_FAILED"} : known->second;
  const std::string message = Text(object, "message");
  Error error = Error(code, message.empty() ? "the store does not say why it failed" : message).Advise(advice);
  for (const char* const fact : {"storeCode", "requestId"}) {
    if (std::string text = Text(object, fact); !text.empty()) {
      error = std::move(error).With(fact, std::move(text));
    }
  }
  if (const Napi::Value status = object.Get("status"); status.IsNumber()) {
    error = std::move(error).With("status", uint64_t{status.As<Napi::Number>().Uint32Value()});
  }
  StoreAnswer answer = StoreAnswer::Failed(failure, std::move(error));
  if (const Napi::Value keys = object.Get("keys"); keys.IsArray()) {
    answer.refused = ReadStrings(keys.As<Napi::Array>());
  }
  return answer;
}

// { ok: true, etag, bytes, objects, next, upload }. Everything that does not say that it is a success is a failure.
StoreAnswer ReadAnswer(const Napi::Object& object) {
  const Napi::Value ok = object.Get("ok");
  if (!ok.IsBoolean() || !ok.As<Napi::Boolean>().Value()) {
    return ReadFailure(object);
  }
  StoreAnswer answer;
  answer.etag = Text(object, "etag");
  answer.next = Text(object, "next");
  answer.upload = Text(object, "upload");
  if (const Napi::Value objects = object.Get("objects"); objects.IsArray()) {
    answer.objects = ReadObjects(objects.As<Napi::Array>());
  }
  return answer;
}

// Fails a request that can no longer reach JS, because its env has ended and dropped it.
class Undelivered {
 public:
  Undelivered(std::weak_ptr<JsStore> store, uint32_t call_id) : store_(std::move(store)), call_id_(call_id) {}
  ~Undelivered() {
    if (const auto store = delivered_ ? nullptr : store_.lock()) {
      store->Answer(call_id_, StoreAnswer::Failed(StoreFailure::kBusy, ThreadEnded()));
    }
  }
  Undelivered(const Undelivered&) = delete;
  Undelivered& operator=(const Undelivered&) = delete;
  void SetDelivered() { delivered_ = true; }

 private:
  const std::weak_ptr<JsStore> store_;
  const uint32_t call_id_;
  bool delivered_ = false;
};

// The JS thread's side of a store that it serves.
class StoreServer : public Wrapped {
 public:
  StoreServer(std::shared_ptr<JsStore> store, Napi::Function send, Napi::Function cancel, ObjectStore::Limits limits,
              std::string lasting_identity)
      : Wrapped(TypeId<StoreServer>::id()), store_(store), send_(send), cancel_(cancel) {
    store->Serve(send_.caller(), cancel_.caller(), limits, std::move(lasting_identity), memory_);
  }

  // (callId, answer, repeated)
  void Answer(const Args& args) {
    const auto store = store_.lock();
    if (store == nullptr) {
      return;
    }
    const auto answer = args[1].As<Napi::Object>();
    std::string_view bytes;
    if (const Napi::Value value = answer.Get("bytes"); value.IsTypedArray()) {
      const auto array = value.As<Napi::Uint8Array>();
      bytes = {reinterpret_cast<const char*>(array.Data()), array.ByteLength()};
    }
    store->Answer(args[0].As<Napi::Number>().Uint32Value(), ReadAnswer(answer), bytes,
                  args[2].As<Napi::Boolean>().Value());
  }

 protected:
  void Detach(AddonData& /*addon*/) override {
    send_.Reset();
    cancel_.Reset();
    memory_.reset();
    if (const auto store = store_.lock()) {
      store->Fail(ThreadEnded());
    }
  }

 private:
  const std::weak_ptr<JsStore> store_;
  JsCallback send_;
  JsCallback cancel_;
  std::shared_ptr<JsMemory> memory_ = std::make_shared<JsMemory>();
};

// (name, { singleWriter, lockedFor, lockedUntil }): returns { id, storage }: a storage in a store that some JS thread
// will serve under this id.
Napi::Value NewStore(const Args& args) {
  const Napi::Env env = args.Env();
  const auto read = args[1].As<Napi::Object>();
  const auto time = [&](const char* name) {
    const Napi::Value value = read.Get(name);
    return value.IsNumber() ? value.As<Napi::Number>().Int64Value() : 0;
  };
  const auto store =
      JsStore::New(StringArgument(env, args[0], "name"), {.single_writer = read.Get("singleWriter").ToBoolean(),
                                                          .locked_for = time("lockedFor"),
                                                          .locked_until = time("lockedUntil")});
  auto result = Napi::Object::New(env);
  result.Set("id", store->id());
  result.Set("storage",
             WrapStorage(env, std::make_shared<ObjectStorage>(store, LeaseTimes(), ObjectStorage::NewRoot())));
  return result;
}

// (id, send, cancel, { minPartBytes, maxParts, identity }): returns the server, which must be kept. Undefined if nobody
// uses the store any more.
Napi::Value ServeStore(const Args& args) {
  const Napi::Env env = args.Env();
  const auto store = JsStore::Find(StringArgument(env, args[0], "id"));
  if (store == nullptr) {
    return env.Undefined();
  }
  const auto read = args[3].As<Napi::Object>();
  ObjectStore::Limits limits;
  if (const Napi::Value parts = read.Get("maxParts"); parts.IsNumber()) {
    limits.has_uploads = true;
    limits.max_parts = parts.As<Napi::Number>().Uint32Value();
    limits.min_part_bytes = static_cast<uint64_t>(read.Get("minPartBytes").As<Napi::Number>().Int64Value());
  }
  return Wrap(env, std::make_unique<StoreServer>(store, args[1].As<Napi::Function>(), args[2].As<Napi::Function>(),
                                                 limits, Text(read, "identity")));
}

// (id, message)
void FailStore(const Args& args) {
  if (const auto store = JsStore::Find(StringArgument(args.Env(), args[0], "id"))) {
    store->Fail(Error("STORE_UNUSABLE", StringArgument(args.Env(), args[1], "message")));
  }
}

}  // namespace

std::shared_ptr<JsStore> JsStore::New(std::string name, const Settings& settings) {
  static std::atomic<uint64_t> last{0};
  auto store = std::make_shared<JsStore>(std::move(name), settings);
  store->id_ = "store-" + std::to_string(++last);
  const std::lock_guard lock(stores_mutex);
  Stores()[store->id_] = store;
  return store;
}

std::shared_ptr<JsStore> JsStore::Find(const std::string& id) {
  const std::lock_guard lock(stores_mutex);
  const auto found = Stores().find(id);
  return found == Stores().end() ? nullptr : found->second.lock();
}

JsStore::~JsStore() {
  const std::lock_guard lock(stores_mutex);
  Stores().erase(id_);
}

std::string JsStore::lasting_identity() const {
  const std::lock_guard lock(mutex_);
  return lasting_identity_;
}

ObjectStore::Limits JsStore::limits() const {
  const std::lock_guard lock(mutex_);
  return limits_;
}

std::shared_ptr<StoreCall> JsStore::Send(StoreRequest request) {
  auto call = std::make_shared<StoreCall>();
  uint32_t id = 0;
  std::optional<JsCallback::Caller> send;
  {
    const std::lock_guard lock(mutex_);
    if (!failed_.ok()) {
      call->Finish(StoreAnswer::Failed(StoreFailure::kBusy, failed_));
      return call;
    }
    id = ++last_call_;
    calls_[id] = {call, request.kind, request.memory};
    send = send_;
    if (!send) {
      waiting_.emplace_back(id, request);
    }
  }
  call->OnCancel([weak = weak_from_this(), id] {
    if (const auto store = weak.lock()) {
      store->Forget(id);
    }
  });
  if (send) {
    Post(*send, id, std::move(request));
  }
  return call;
}

void JsStore::Forget(uint32_t call_id) {
  std::optional<JsCallback::Caller> cancel;
  {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(call_id);
    if (found == calls_.end()) {
      return;
    }
    Abandon(found->second);
    calls_.erase(found);
    cancel = cancel_;
  }
  if (cancel) {
    (*cancel)(
        [call_id](Napi::Env env, const Napi::Function& function) { function.Call({Napi::Number::New(env, call_id)}); });
  }
}

// Without mutex_ held: if the env has ended, this answers the request at once.
void JsStore::Post(const JsCallback::Caller& send, uint32_t call_id, StoreRequest request) {
  const auto undelivered = std::make_shared<Undelivered>(weak_from_this(), call_id);
  std::weak_ptr<JsMemory> memory;
  {
    const std::lock_guard lock(mutex_);
    memory = memory_;
  }
  send([undelivered, call_id, memory, request = std::make_shared<StoreRequest>(std::move(request))](
           Napi::Env env, const Napi::Function& function) {
    undelivered->SetDelivered();
    function.Call({Napi::Number::New(env, call_id), ToJs(env, *request, memory.lock().get())});
  });
}

void JsStore::Trim() {
  std::optional<JsCallback::Caller> send;
  std::weak_ptr<JsMemory> memory;
  {
    const std::lock_guard lock(mutex_);
    send = send_;
    memory = memory_;
  }
  if (send) {
    (*send)([memory](Napi::Env env, const Napi::Function&) {
      if (const auto alive = memory.lock()) {
        alive->Trim(env);
      }
    });
  }
}

void JsStore::Serve(const JsCallback::Caller& send, JsCallback::Caller cancel, Limits limits,
                    std::string lasting_identity, std::weak_ptr<JsMemory> memory) {
  std::vector<std::pair<uint32_t, StoreRequest>> waiting;
  {
    const std::lock_guard lock(mutex_);
    send_ = send;
    cancel_ = std::move(cancel);
    limits_ = limits;
    memory_ = std::move(memory);
    lasting_identity_ = std::move(lasting_identity);
    waiting.swap(waiting_);
    std::erase_if(waiting, [this](const auto& one) { return !calls_.contains(one.first); });
  }
  for (auto& [id, request] : waiting) {
    Post(send, id, std::move(request));
  }
}

void JsStore::Abandon(const Call& call) {
  if (call.memory != nullptr) {
    call.memory->memory()->abandoned = true;
  }
}

void JsStore::Answer(uint32_t call_id, StoreAnswer answer, std::string_view bytes, bool repeated) {
  Call call;
  {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(call_id);
    if (found == calls_.end()) {
      return;
    }
    call = std::move(found->second);
    calls_.erase(found);
  }
  if (repeated || !answer.ok()) {
    Abandon(call);
  }
  if (call.kind == Kind::kGet && answer.ok()) {
    // An earlier try may still write into the memory.
    if (repeated && call.memory != nullptr) {
      call.memory->Renew();
    }
    SetBytes({.memory = std::move(call.memory)}, bytes, &answer);
  }
  call.memory = nullptr;  // before the caller goes on: it may wait for the next one
  call.call->Finish(std::move(answer));
}

void JsStore::Fail(Error error) {
  std::unordered_map<uint32_t, Call> calls;
  {
    const std::lock_guard lock(mutex_);
    failed_ = error;
    calls.swap(calls_);
    waiting_.clear();
  }
  for (const auto& [id, call] : calls) {
    Abandon(call);
    call.call->Finish(StoreAnswer::Failed(StoreFailure::kBusy, error));
  }
}

void RegisterStores(Napi::Env env, Napi::Object exports) {
  DefineClass<StoreServer>(env, "NativeStoreServer", {Method<&StoreServer::Answer>("answer")});
  exports.Set("newStore", MakeFunction<&NewStore>(env, "newStore"));
  exports.Set("serveStore", MakeFunction<&ServeStore>(env, "serveStore"));
  exports.Set("failStore", MakeFunction<&FailStore>(env, "failStore"));
}

}  // namespace rocksdb_backup
