#include "core/stores/part_pool.h"

#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace rocksdb_backup {
namespace {

bool Never() { return false; }

TEST(PartPoolTest, MemoryIsUsedAgain) {
  const auto pool = std::make_shared<PartPool>(2);
  auto part = pool->Take(kPartBytes, Never);
  EXPECT_EQ(part->Append("abc"), 3U);
  const char* const data = part->data();
  part = nullptr;
  part = pool->Take(kPartBytes, Never);
  EXPECT_EQ(part->data(), data);
  EXPECT_EQ(part->bytes(), "") << "what was in it is another part's";
}

TEST(PartPoolTest, AbandonedMemoryIsNotUsedAgain) {
  const auto pool = std::make_shared<PartPool>(1);
  auto part = pool->Take(kPartBytes, Never);
  const auto memory = part->memory();
  memory->abandoned = true;
  part = nullptr;
  part = pool->Take(kPartBytes, Never);
  EXPECT_NE(part->memory(), memory);

  const auto second = part->memory();
  part->Renew();
  EXPECT_NE(part->memory(), second);
  EXPECT_TRUE(second->abandoned);
  EXPECT_EQ(part->capacity(), kPartBytes);
}

TEST(PartPoolTest, APartTakesNoMoreThanItHasRoomFor) {
  const auto pool = std::make_shared<PartPool>(1);
  const auto part = pool->Take(4, Never);
  EXPECT_EQ(part->Append("abc"), 3U);
  EXPECT_EQ(part->Append("def"), 1U);
  EXPECT_EQ(part->bytes(), "abcd");
}

TEST(PartPoolTest, WritersWaitForOneAnother) {
  const auto pool = std::make_shared<PartPool>(1);
  auto part = pool->Take(kPartBytes, Never);
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    part = nullptr;
  });
  const auto next = pool->Take(kPartBytes, Never);
  other.join();
  EXPECT_EQ(part, nullptr) << "it was taken while another had it";
  EXPECT_EQ(pool->Take(kPartBytes, [] { return true; }), nullptr) << "who is stopped does not wait";
}

TEST(PartPoolTest, ReadersShareAllButOne) {
  const auto pool = std::make_shared<PartPool>(5);
  std::optional<PartPool::Reader> first(pool);
  std::vector<std::shared_ptr<Part>> firsts;
  while (auto part = first->TryTake()) {
    firsts.push_back(std::move(part));
  }
  EXPECT_EQ(firsts.size(), 4U);

  PartPool::Reader second(pool);
  EXPECT_EQ(second.TryTake(), nullptr);
  EXPECT_NE(pool->Take(kPartBytes, Never), nullptr) << "one is left for whoever writes";
  firsts.resize(2);
  EXPECT_EQ(first->TryTake(), nullptr) << "it has its share";
  const auto one = second.TryTake();
  const auto two = second.TryTake();
  EXPECT_NE(two, nullptr);
  EXPECT_EQ(second.TryTake(), nullptr);
  firsts.clear();
  first.reset();
  EXPECT_NE(second.TryTake(), nullptr) << "the share of the one that is left is larger";
}

TEST(PartPoolTest, TrimKeepsNothing) {
  const auto pool = std::make_shared<PartPool>(2);
  auto part = pool->Take(kPartBytes, Never);
  const std::weak_ptr<PartMemory> memory = part->memory();
  part = nullptr;
  EXPECT_FALSE(memory.expired());
  pool->Trim();
  EXPECT_TRUE(memory.expired());
}

}  // namespace
}  // namespace rocksdb_backup
