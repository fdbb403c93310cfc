// Grids on a thread pool.
#include "threads/pool.h"

#include <gtest/gtest.h>

#include <numeric>

using namespace moert;

namespace {

struct Counts {
  std::vector<int> tasks;
  std::vector<int> threads;
};

int32_t countTasks(void *context, uint32_t thread, int64_t begin, int64_t end) {
  Counts &counts = *static_cast<Counts *>(context);
  ++counts.threads[thread]; // not atomic: no two calls may share a thread
  for (int64_t task = begin; task < end; ++task)
    ++counts.tasks[static_cast<size_t>(task)];
  return 0;
}

TEST(Pool, RunsEveryTaskOnce) {
  for (uint32_t threads : {1u, 2u, 3u, 8u}) {
    ThreadPool pool;
    ASSERT_TRUE(pool.start(threads, nullptr, nullptr).ok());
    for (int64_t grid : {1, 2, 7, 64, 1000, 1 << 16}) {
      Counts counts{std::vector<int>(static_cast<size_t>(grid)), std::vector<int>(threads)};
      EXPECT_EQ(pool.runGrid({countTasks, &counts}, grid), 0);
      EXPECT_EQ(counts.tasks, std::vector<int>(static_cast<size_t>(grid), 1));
      const int claims = std::accumulate(counts.threads.begin(), counts.threads.end(), 0);
      EXPECT_LE(static_cast<size_t>(claims), pool.getMaxClaims());
    }
  }
}

TEST(Pool, ManyGridsInARow) {
  ThreadPool pool;
  ASSERT_TRUE(pool.start(4, nullptr, nullptr).ok());
  for (int round = 0; round < 5000; ++round) {
    Counts counts{std::vector<int>(16), std::vector<int>(4)};
    pool.runGrid({countTasks, &counts}, 16);
    ASSERT_EQ(counts.tasks, std::vector<int>(16, 1));
  }
}

TEST(Pool, WakesWorkersThatSleep) {
  ThreadPool pool;
  ASSERT_TRUE(pool.start(2, nullptr, nullptr).ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  // Two tasks that wait for each other finish only if two threads take part.
  std::atomic<int> arrived = 0;
  auto meet = [](void *context, uint32_t, int64_t, int64_t) {
    auto &count = *static_cast<std::atomic<int> *>(context);
    ++count;
    while (count < 2)
      std::this_thread::yield();
    return int32_t(0);
  };
  EXPECT_EQ(pool.runGrid({meet, &arrived}, 2), 0);
}

TEST(Pool, StopsAtAFailure) {
  ThreadPool pool;
  ASSERT_TRUE(pool.start(2, nullptr, nullptr).ok());
  std::atomic<int64_t> done = 0;
  auto fail = [](void *context, uint32_t, int64_t begin, int64_t end) {
    *static_cast<std::atomic<int64_t> *>(context) += end - begin;
    return int32_t(begin == 0 ? 5 : 0);
  };
  EXPECT_EQ(pool.runGrid({fail, &done}, 1 << 20), 5);
  EXPECT_EQ(pool.runGrid({[](void *, uint32_t, int64_t, int64_t) { return int32_t(0); }, nullptr}, 8), 0);
}

} // namespace
