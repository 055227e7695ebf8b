#pragma once

#include <atomic>
#include <chrono>
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
// How often a thread that waits, for an answer of a store or for another thread, looks whether to give up.
inline constexpr std::chrono::milliseconds kLook{25};

// Pages of their own: in the heap of malloc, blocks of this size leave holes that the process keeps for ever.
struct PartMemory {
  explicit PartMemory(size_t capacity);
  ~PartMemory();
  PartMemory(const PartMemory&) = delete;
  PartMemory& operator=(const PartMemory&) = delete;

  char* const bytes;
  const size_t capacity;
  // Somebody may still read or write it, although nobody waits for that. So it is not used again.
  std::atomic<bool> abandoned{false};
};

// A part of a file on its way to or from a store. Its memory is used for other parts afterwards. So JS can keep one
// object for it, and has nothing to collect.
class Part {
 public:
  explicit Part(std::shared_ptr<PartMemory> memory) : memory_(std::move(memory)) {}

  char* data() const { return memory_->bytes; }
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
  explicit PartPool(size_t parts) : parts_(parts), free_(parts) {}

  // Somebody who reads a large file, for as long as it lives. Their share is what all may take, divided by their
  // number.
  class Reader {
   public:
    explicit Reader(std::shared_ptr<PartPool> pool);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    // Of kPartBytes. Null if there is none, or if this reader has its share.
    std::shared_ptr<Part> TryTake();

   private:
    const std::shared_ptr<PartPool> pool_;
    const std::shared_ptr<size_t> taken_ = std::make_shared<size_t>(0);  // guarded by the pool's mutex
  };

  // For writing. A part that is larger than kPartBytes counts as one. Waits for one. Null once `stopped`.
  std::shared_ptr<Part> Take(size_t capacity, const std::function<bool()>& stopped);
  // Gives back the memory of the parts that are free.
  void Trim();

 private:
  // `taken` counts the parts of a reader; null: it is no reader.
  std::shared_ptr<Part> NewPart(size_t capacity, const std::shared_ptr<size_t>& taken,
                                std::unique_lock<std::mutex> lock);
  void Return(const Part& part, size_t* taken);

  const size_t parts_;

  std::mutex mutex_;  // guards all members below
  std::condition_variable changed_;
  size_t free_;
  size_t readers_ = 0;
  std::vector<std::shared_ptr<PartMemory>> kept_;  // of kPartBytes each
};

}  // namespace rocksdb_backup
