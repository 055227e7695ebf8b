#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace rocksdb_backup {

// Parts of files have this size, and more from the thousandth of a file on, because stores have a limit of the number
// of parts.
inline constexpr size_t kPartBytes = size_t{8} << 20;

struct PartMemory {
  explicit PartMemory(size_t capacity) : bytes(new char[capacity]), capacity(capacity) {}

  const std::unique_ptr<char[]> bytes;
  const size_t capacity;
  // Somebody may still read or write it, although nobody waits for that. So it is not used again.
  std::atomic<bool> abandoned{false};
};

// A part of a file on its way to or from a store. Its memory is used for other parts afterwards. So JS can keep one
// object for it, and has nothing to collect.
class Part {
 public:
  explicit Part(std::shared_ptr<PartMemory> memory) : memory_(std::move(memory)) {}

  char* data() const { return memory_->bytes.get(); }
  size_t size() const { return size_; }
  size_t capacity() const { return memory_->capacity; }
  std::string_view bytes() const { return {data(), size_}; }
  // At most the capacity.
  void SetSize(size_t size) { size_ = size; }
  // Returns how many of them found room.
  size_t Append(std::string_view bytes);

  const std::shared_ptr<PartMemory>& memory() const { return memory_; }
  // Leaves its memory to whoever may still use it, and takes other memory.
  void Renew();

 private:
  std::shared_ptr<PartMemory> memory_;
  size_t size_ = 0;
};

// The parts that are in memory for one store, over all operations of the process. There is a fixed number of them.
//
// Who reads never waits for a part: without one, it reads small pieces. And it leaves one part to those who write. So
// those who wait, wait only for the network, and for others who write. Nobody waits in a circle, also if one operation
// reads from this store and writes to another one, and a second one does the opposite.
class PartPool : public std::enable_shared_from_this<PartPool> {
 public:
  explicit PartPool(size_t parts) : free_(parts) {}

  // For writing. A part that is larger than kPartBytes counts as one. Waits for one. Null once `stopped`.
  std::shared_ptr<Part> Take(size_t capacity, const std::function<bool()>& stopped);
  // For reading, of kPartBytes. Null if there is none.
  std::shared_ptr<Part> TryTake();
  // Gives back the memory of the parts that are free.
  void Trim();

 private:
  std::shared_ptr<Part> NewPart(size_t capacity, std::unique_lock<std::mutex> lock);
  void Return(const Part& part);

  std::mutex mutex_;  // guards all members below
  std::condition_variable changed_;
  size_t free_;
  std::vector<std::shared_ptr<PartMemory>> kept_;  // of kPartBytes each
};

}  // namespace rocksdb_backup
