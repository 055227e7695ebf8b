#include "napi/backup/rate_limiter.h"

#include <string>
#include <utility>

#include "core/base/adjustable_rate_limiter.h"
#include "napi/runtime/wrap.h"
#include "napi/values/options.h"

namespace rocksdb_backup {
namespace {

using rocksdb::RateLimiter;

using LimiterOptions = AdjustableRateLimiter::Settings;

const OptionTable<LimiterOptions>& Table() {
  static const auto* table = new OptionTable<LimiterOptions>(
      "rate limiter options",
      {
          Field("bytesPerSecond", &LimiterOptions::bytes_per_second, {.min = 1}),
          // A thread in the limiter waits for up to one refill, and nothing can wake it. The upper bound makes sure
          // that stops are quick.
          Field("refillPeriodMicros", &LimiterOptions::refill_period_micros, {.min = 1000, .max = 250 * 1000}),
          Field("fairness", &LimiterOptions::fairness, {.min = 1, .max = 1000}),
          Choice("mode", &LimiterOptions::mode,
                 {{"reads", RateLimiter::Mode::kReadsOnly},
                  {"writes", RateLimiter::Mode::kWritesOnly},
                  {"all", RateLimiter::Mode::kAllIo}}),
          Field("autoTuned", &LimiterOptions::auto_tuned),
      });
  return *table;
}

// RocksDB's limiter gives out whole bytes, once in each period. With less than one byte a period it would give out none
// for ever, and a thread that waits for it could not even be stopped.
void CheckRate(Napi::Env env, std::string_view name, Napi::Value value, int64_t rate, const LimiterOptions& options) {
  // A limiter that tunes itself goes down to a twentieth of its rate.
  const int64_t bytes_in_period = options.auto_tuned ? 20 : 1;
  const int64_t least = (bytes_in_period * 1'000'000 + options.refill_period_micros - 1) / options.refill_period_micros;
  if (rate < least) {
    ThrowOutOfRange(env, name, "at least " + std::to_string(least) + ", because RocksDB counts whole bytes", value);
  }
}

class RateLimiterHandle : public Wrapped {
 public:
  explicit RateLimiterHandle(const LimiterOptions& options)
      : Wrapped(TypeId<RateLimiterHandle>::id()),
        options_(options),
        limiter_(std::make_shared<AdjustableRateLimiter>(options)) {}

  const std::shared_ptr<RateLimiter>& limiter() const { return limiter_; }

  Napi::Value BytesPerSecond(const Args& args) { return WriteInt64(args.Env(), limiter_->GetBytesPerSecond()); }
  Napi::Value TotalBytes(const Args& args) { return WriteInt64(args.Env(), limiter_->GetTotalBytesThrough()); }
  Napi::Value TotalRequests(const Args& args) { return WriteInt64(args.Env(), limiter_->GetTotalRequests()); }
  void SetBytesPerSecond(const Args& args) {
    const int64_t rate = ReadInt64(args.Env(), "bytesPerSecond", args[0], 1, std::numeric_limits<int64_t>::max());
    CheckRate(args.Env(), "bytesPerSecond", args[0], rate, options_);
    limiter_->SetBytesPerSecond(rate);
  }

 private:
  const LimiterOptions options_;
  const std::shared_ptr<RateLimiter> limiter_;
};

Napi::Value NewLimiter(const Args& args) {
  LimiterOptions options;
  Table().Read(args.Env(), args[0], &options);
  if (options.bytes_per_second == 0) {
    ThrowWrongType(args.Env(), "bytesPerSecond", "a number of bytes, at least 1", args.Env().Undefined());
  }
  CheckRate(args.Env(), "bytesPerSecond", args[0].As<Napi::Object>().Get("bytesPerSecond"), options.bytes_per_second,
            options);
  return Wrap(args.Env(), std::make_unique<RateLimiterHandle>(options));
}

}  // namespace

void RegisterRateLimiter(Napi::Env env, Napi::Object exports) {
  DefineClass<RateLimiterHandle>(env, "NativeRateLimiter",
                                 {
                                     Getter<&RateLimiterHandle::BytesPerSecond>("bytesPerSecond"),
                                     Getter<&RateLimiterHandle::TotalBytes>("totalBytes"),
                                     Getter<&RateLimiterHandle::TotalRequests>("totalRequests"),
                                     Method<&RateLimiterHandle::SetBytesPerSecond>("setBytesPerSecond"),
                                 });
  exports.Set("newRateLimiter", MakeFunction<&NewLimiter>(env, "newRateLimiter"));
}

std::shared_ptr<RateLimiter> ReadRateLimit(Napi::Env env, std::string_view name, Napi::Value value) {
  if (const auto* handle = Unwrap<RateLimiterHandle>(env, value)) {
    return handle->limiter();
  }
  if (!value.IsNumber() && !value.IsBigInt()) {
    ThrowWrongType(env, name, "a number of bytes per second or a RateLimiter", value);
  }
  const int64_t rate = ReadInt64(env, name, value, 0, std::numeric_limits<int64_t>::max());
  if (rate == 0) {
    return nullptr;
  }
  CheckRate(env, name, value, rate, {});
  return std::shared_ptr<RateLimiter>(rocksdb::NewGenericRateLimiter(rate));
}

}  // namespace rocksdb_backup
