// Runs the tasks of one grid on several threads; the caller is one of them.
//
// Threads claim chunks of tasks from one counter. Workers spin a while for the next grid and then sleep. A grid does
// not wait for workers that have not woken up: whoever arrives takes part, and the caller waits only for those.
#pragma once
#include "moert/moert.h"
#include "status.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace moert {

// `run` computes tasks [begin, end); `thread` is below the pool's thread count and not shared by two calls at a time.
// A result other than 0 stops the grid.
struct GridJob {
  int32_t (*run)(void *context, uint32_t thread, int64_t begin, int64_t end);
  void *context;
};

class ThreadPool {
public:
  ThreadPool() = default;
  ThreadPool(const ThreadPool &) = delete;
  ~ThreadPool();

  // Starts `threadCount` - 1 workers, or none if the host lends its threads through `hostParallelFor`.
  Status start(uint32_t threadCount, moert_parallel_for_fn hostParallelFor, void *hostContext);

  uint32_t getThreadCount() const { return threadCount; }
  // Upper bound of the calls of `run` in one grid.
  size_t getMaxClaims() const { return 2 * chunksPerThread * size_t(threadCount) + 1; }
  // The first result that is not 0, else 0.
  int32_t runGrid(GridJob job, int64_t grid);

private:
  static constexpr int64_t chunksPerThread = 8;

  void work(uint32_t thread);
  void runWorker(uint32_t thread);
  void waitForGrid(int &seen);
  bool enterGrid();
  void leaveGrid();
  void openGrid();
  void closeGrid();

  uint32_t threadCount = 1;
  moert_parallel_for_fn hostParallelFor = nullptr;
  void *hostContext = nullptr;
  std::vector<std::thread> workers;

  // Written while no worker is inside, read by those inside.
  GridJob job{};
  int64_t grid = 0, chunk = 1;

  // Each on its own cache line: every claim writes `next`, every arrival `gate`.
  alignas(64) std::atomic<int64_t> next{0};
  std::atomic<int32_t> result{0};
  alignas(64) std::atomic<int> generation{0}; // counts grids; workers sleep on it
  std::atomic<bool> stopping{false};
  alignas(64) std::atomic<int> gate{0}; // open bit and the number of workers inside
};

} // namespace moert
