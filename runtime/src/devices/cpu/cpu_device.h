// The processor as a device: kernels run on the threads of a pool, in the memory of the host.
#pragma once
#include "devices/device.h"
#include "session/program.h"
#include "threads/pool.h"

namespace moert {

class CpuDevice : public Device {
public:
  CpuDevice(std::shared_ptr<const Program> program, std::unique_ptr<ThreadPool> pool, bool traces);

  static Status create(std::shared_ptr<const Program> program, const moert_session_options_t &options,
                       std::unique_ptr<Device> &device);

  std::byte *getWeight(uint32_t weight) const override { return program->getWeightData(weight); }
  Status copy(CopyKind kind, std::byte *target, const std::byte *source, const CopyShape &shape) override;
  Status fillZero(std::byte *target, uint64_t bytes) override;
  int64_t getLaunchSize(const Launch &launch) const override { return launch.grid; }
  Status getLaunchMemory(const Launch &launch, uint64_t &bytes) const override;
  Status launch(const Launch &launch, LaunchTrace *trace) override;
  uint32_t getThreadCount() const override { return pool->getThreadCount(); }
  uint64_t getLaunchBytes() const override { return scratchStride * pool->getThreadCount(); }
  uint64_t getLaunchRequests() const override { return scratchRequests; }

private:
  Status growScratch(const Launch &launch);
  int32_t runGrid(const Launch &launch);
  static int32_t runTasks(void *self, uint32_t thread, int64_t begin, int64_t end);

  std::shared_ptr<const Program> program;
  std::unique_ptr<ThreadPool> pool;
  HostMemory hostMemory;
  AlignedBytes scratch; // one stride per thread
  uint64_t scratchStride = 0, scratchRequests = 0;

  // The launch in progress.
  const Launch *current = nullptr;
  moert_kernel_fn_t kernel = nullptr;
  // Filled only for traces; one list per thread.
  std::vector<std::vector<moert_trace_task_t>> threadTasks;
  std::vector<moert_trace_task_t> tasks;
};

} // namespace moert
