#include "core/database/commit_clock.h"

#include <array>
#include <chrono>
#include <cstring>
#include <random>
#include <utility>

namespace rocksdb_backup {
namespace {

constexpr std::array<char, 4> kMagic{'\x01', 'R', 'B', 'T'};
constexpr size_t kStampBytes = kMagic.size() + 2 * sizeof(uint64_t);

// The lowest bits of an era count the eras of one opening; the others are random.
constexpr uint64_t kCountBits = 16;

// A larger step of the wall clock begins a new era.
constexpr int64_t kMostDrift = 500'000;

uint64_t RandomOpening() {
  std::random_device device;
  const uint64_t bits = uint64_t{device()} << 32 | device();
  return (bits << kCountBits) | (uint64_t{1} << kCountBits);
}

template <class Clock>
uint64_t MicrosOf() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count());
}

}  // namespace

rocksdb::Status AddStamp(const CommitStamp& stamp, rocksdb::WriteBatch* batch) {
  std::array<char, kStampBytes> bytes;
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  std::memcpy(bytes.data() + kMagic.size(), &stamp.era, sizeof stamp.era);
  std::memcpy(bytes.data() + kMagic.size() + sizeof stamp.era, &stamp.micros, sizeof stamp.micros);
  return batch->PutLogData(rocksdb::Slice(bytes.data(), bytes.size()));
}

std::optional<CommitStamp> ParseStamp(const rocksdb::Slice& log_data) {
  if (log_data.size() != kStampBytes || std::memcmp(log_data.data(), kMagic.data(), kMagic.size()) != 0) {
    return std::nullopt;
  }
  CommitStamp stamp;
  std::memcpy(&stamp.era, log_data.data() + kMagic.size(), sizeof stamp.era);
  std::memcpy(&stamp.micros, log_data.data() + kMagic.size() + sizeof stamp.era, sizeof stamp.micros);
  return stamp;
}

bool IsEarlierEraOfOneOpening(uint64_t era, uint64_t than) {
  return era >> kCountBits == than >> kCountBits && era < than;
}

CommitClock::Sources CommitClock::SystemClocks() {
  return {MicrosOf<std::chrono::system_clock>, MicrosOf<std::chrono::steady_clock>};
}

CommitClock::CommitClock(Sources sources) : sources_(std::move(sources)) {
  begun_ = {RandomOpening(), sources_.wall()};
  steady_at_ = sources_.steady();
}

CommitStamp CommitClock::Now() {
  const std::lock_guard lock(mutex_);
  const uint64_t wall = sources_.wall();
  const uint64_t steady = sources_.steady();
  const uint64_t now = begun_.micros + (steady - steady_at_);
  const int64_t drift = static_cast<int64_t>(wall) - static_cast<int64_t>(now);
  if (drift > kMostDrift || drift < -kMostDrift) {
    begun_ = {begun_.era + 1, wall};
    steady_at_ = steady;
    return begun_;
  }
  return {begun_.era, now};
}

}  // namespace rocksdb_backup
