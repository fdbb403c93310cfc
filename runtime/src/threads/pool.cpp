// ThreadPool over std::atomic waits, which are futexes.
#include "threads/pool.h"

#include <algorithm>
#include <system_error>

namespace moert {

static constexpr int openBit = 1 << 30;
// About 50 microseconds, longer than the gap between two dispatches of a step.
static constexpr int spinCount = 2000;

static void pauseCpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

ThreadPool::~ThreadPool() {
  stopping.store(true, std::memory_order_relaxed);
  generation.fetch_add(1, std::memory_order_release);
  generation.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

Status ThreadPool::start(uint32_t count, moert_parallel_for_fn parallelFor, void *context) {
  threadCount = count;
  hostParallelFor = parallelFor;
  hostContext = context;
  if (hostParallelFor)
    return Status::success();
  try {
    workers.reserve(count - 1);
    for (uint32_t thread = 1; thread < count; ++thread)
      workers.emplace_back([this, thread] { runWorker(thread); });
  } catch (const std::system_error &error) {
    return failure(MOERT_OUT_OF_MEMORY, "cannot start thread ", workers.size() + 1, " of ", count, ": ",
                   std::string_view(error.what()));
  }
  return Status::success();
}

void ThreadPool::work(uint32_t thread) {
  while (result.load(std::memory_order_relaxed) == 0) {
    const int64_t begin = next.fetch_add(chunk, std::memory_order_relaxed);
    if (begin >= grid)
      return;
    const int32_t outcome = job.run(job.context, thread, begin, begin + std::min(chunk, grid - begin));
    int32_t none = 0;
    if (outcome != 0)
      result.compare_exchange_strong(none, outcome, std::memory_order_relaxed);
  }
}

void ThreadPool::waitForGrid(int &seen) {
  for (int spin = 0; spin < spinCount; ++spin) {
    if (generation.load(std::memory_order_acquire) != seen)
      break;
    pauseCpu();
  }
  generation.wait(seen, std::memory_order_acquire);
  seen = generation.load(std::memory_order_acquire);
}

bool ThreadPool::enterGrid() {
  int inside = gate.load(std::memory_order_relaxed);
  while (inside & openBit)
    if (gate.compare_exchange_weak(inside, inside + 1, std::memory_order_acquire, std::memory_order_relaxed))
      return true;
  return false;
}

void ThreadPool::leaveGrid() {
  if (gate.fetch_sub(1, std::memory_order_release) == 1)
    gate.notify_one();
}

void ThreadPool::openGrid() {
  gate.store(openBit, std::memory_order_release);
  generation.fetch_add(1, std::memory_order_release);
  generation.notify_all();
}

void ThreadPool::closeGrid() {
  int inside = gate.fetch_and(~openBit, std::memory_order_acq_rel) & ~openBit;
  for (int spin = 0; inside != 0 && spin < spinCount; ++spin) {
    pauseCpu();
    inside = gate.load(std::memory_order_acquire);
  }
  while (inside != 0) {
    gate.wait(inside, std::memory_order_acquire);
    inside = gate.load(std::memory_order_acquire);
  }
}

void ThreadPool::runWorker(uint32_t thread) {
  int seen = 0;
  while (true) {
    waitForGrid(seen);
    if (stopping.load(std::memory_order_relaxed))
      return;
    if (!enterGrid())
      continue;
    work(thread);
    leaveGrid();
  }
}

int32_t ThreadPool::runGrid(GridJob newJob, int64_t newGrid) {
  job = newJob;
  grid = newGrid;
  chunk = std::max<int64_t>(1, newGrid / (threadCount * chunksPerThread));
  next.store(0, std::memory_order_relaxed);
  result.store(0, std::memory_order_relaxed);
  if (hostParallelFor) {
    auto body = [](void *pool, int64_t index) { static_cast<ThreadPool *>(pool)->work(static_cast<uint32_t>(index)); };
    hostParallelFor(hostContext, threadCount, body, this);
  } else if (threadCount == 1) {
    work(0);
  } else {
    openGrid();
    work(0);
    closeGrid();
  }
  return result.load(std::memory_order_relaxed);
}

} // namespace moert
