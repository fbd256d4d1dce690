#include "runtime/linear/packed_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <new>
#include <random>
#include <vector>

namespace retort::runtime {
namespace {

struct Part {
  std::byte* data = nullptr;
  std::int64_t size = 0;
};

TEST(PackedMemory, GivesZeroedLinesThatNobodyElseHas) {
  PackedMemory memory;
  std::mt19937 random(1);
  std::vector<Part> parts;
  // Small and large ones; more than a slab in all, and one larger than a slab.
  for (int i = 0; i < 300; ++i) {
    std::int64_t size = std::uniform_int_distribution<std::int64_t>(0, 2'500'000)(random);
    if (i % 3 == 0) size %= 5000;
    if (i == 150) size = std::int64_t{300} << 20;
    parts.push_back({memory.take(size), size});
  }
  for (const Part& part : parts) {
    ASSERT_EQ(std::bit_cast<std::uintptr_t>(part.data) % 64, 0u);
    // The ends are enough: a part in the middle of another would begin in it, or the other in this one.
    const std::int64_t checked = std::min<std::int64_t>(part.size, 4096);
    for (std::int64_t i = 0; i < checked; ++i) {
      ASSERT_EQ(part.data[i], std::byte{0});
      ASSERT_EQ(part.data[part.size - 1 - i], std::byte{0});
    }
    if (part.size == 0) continue;
    part.data[0] = std::byte{1};
    part.data[part.size - 1] = std::byte{1};
  }
  std::sort(parts.begin(), parts.end(), [](const Part& one, const Part& other) { return one.data < other.data; });
  for (std::size_t i = 1; i < parts.size(); ++i) ASSERT_LE(parts[i - 1].data + parts[i - 1].size, parts[i].data);
}

TEST(PackedMemory, WeightsFollowEachOther) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "every part is an allocation of its own, whose ends are watched";
#endif
  PackedMemory memory;
  const std::byte* const first = memory.take(100);
  EXPECT_EQ(memory.take(std::int64_t{3} << 20), first + 128);
  EXPECT_EQ(memory.take(1), first + 128 + (std::int64_t{3} << 20));
}

TEST(PackedMemory, SaysWhenThereIsNone) {
  PackedMemory memory;
  EXPECT_THROW(memory.take(-1), std::bad_alloc);
  EXPECT_THROW(memory.take(std::numeric_limits<std::int64_t>::max()), std::bad_alloc);
  EXPECT_THROW(memory.take(std::int64_t{1} << 47), std::bad_alloc);  // the whole address space of a process
  EXPECT_NE(memory.take(10), nullptr);
}

}  // namespace
}  // namespace retort::runtime
