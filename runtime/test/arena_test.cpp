// The free list of a session's memory.
#include "session/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

using moert::Arena;
using moert::HostMemory;

namespace {

TEST(Arena, AlignsAndReuses) {
  HostMemory memory;
  Arena arena(memory);
  const Arena::Block a = arena.allocate(1), b = arena.allocate(0), c = arena.allocate(100);
  for (Arena::Block block : {a, b, c})
    EXPECT_EQ(reinterpret_cast<uintptr_t>(arena.address(block)) % 64, 0u);
  EXPECT_EQ(arena.address(b) - arena.address(a), 64);
  std::byte *const address = arena.address(a);
  arena.release(b);
  arena.release(a);
  EXPECT_EQ(arena.address(arena.allocate(128)), address); // both merged
  EXPECT_EQ(arena.getSystemRequests(), 1u);
}

TEST(Arena, TakesTheBestFit) {
  HostMemory memory;
  Arena arena(memory);
  const Arena::Block large = arena.allocate(1024);
  arena.allocate(64);
  const Arena::Block small = arena.allocate(128);
  arena.allocate(64);
  std::byte *const address = arena.address(small);
  arena.release(large);
  arena.release(small);
  EXPECT_EQ(arena.address(arena.allocate(100)), address);
}

TEST(Arena, RefusesTheImpossible) {
  HostMemory memory;
  Arena arena(memory);
  EXPECT_EQ(arena.allocate(std::numeric_limits<uint64_t>::max()), Arena::noBlock);
  EXPECT_EQ(arena.allocate(uint64_t(1) << 62), Arena::noBlock);
  EXPECT_NE(arena.allocate(10), Arena::noBlock);
}

TEST(Arena, ConsolidatesItsRegions) {
  HostMemory memory;
  Arena arena(memory);
  std::vector<Arena::Block> blocks;
  for (int i = 0; i < 4; ++i)
    blocks.push_back(arena.allocate(uint64_t(1) << 20));
  arena.consolidate(); // nothing happens while blocks are in use
  EXPECT_GT(arena.getSystemRequests(), 1u);
  for (Arena::Block block : blocks)
    arena.release(block);
  const uint64_t bytes = arena.getBytes();
  arena.consolidate();
  EXPECT_EQ(arena.getBytes(), bytes);
  const uint64_t requests = arena.getSystemRequests();
  EXPECT_NE(arena.allocate(bytes), Arena::noBlock);
  EXPECT_EQ(arena.getSystemRequests(), requests);
}

// Blocks in use keep their bytes whatever happens around them.
TEST(Arena, SurvivesRandomUse) {
  HostMemory memory;
  Arena arena(memory);
  std::mt19937 random(1);
  struct Live {
    Arena::Block block;
    uint64_t size;
    unsigned char mark;
  };
  std::vector<Live> live;
  for (int round = 0; round < 20000; ++round) {
    if (live.size() < 50 && random() % 2) {
      const uint64_t size = random() % 5000;
      const auto mark = static_cast<unsigned char>(round);
      const Arena::Block block = arena.allocate(size);
      ASSERT_NE(block, Arena::noBlock);
      std::memset(arena.address(block), mark, size);
      live.push_back({block, size, mark});
    } else if (!live.empty()) {
      const size_t at = random() % live.size();
      for (uint64_t i = 0; i < live[at].size; ++i)
        ASSERT_EQ(static_cast<unsigned char>(arena.address(live[at].block)[i]), live[at].mark);
      arena.release(live[at].block);
      live[at] = live.back();
      live.pop_back();
    }
  }
  EXPECT_EQ(arena.getSystemRequests(), 1u);
}

} // namespace
