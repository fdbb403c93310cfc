// Launches on a CPU: scratch memory, the grid, and when each task ran.
#include "devices/cpu/cpu_device.h"

#include "devices/clock.h"
#include "threads/thread_count.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace moert {

// Below this estimate of scalar operations, waking threads costs more than they save.
static constexpr int64_t parallelWork = 32 * 1024;

Status CpuDevice::create(std::shared_ptr<const Program> program, const moert_session_options_t &options,
                         std::unique_ptr<Device> &device) {
  MOERT_TRY(program->checkCpuCode());
  auto pool = std::make_unique<ThreadPool>();
  MOERT_TRY(pool->start(chooseThreadCount(options.thread_count), options.parallel_for, options.parallel_for_context));
  device = std::make_unique<CpuDevice>(std::move(program), std::move(pool), options.trace != nullptr);
  return Status::success();
}

CpuDevice::CpuDevice(std::shared_ptr<const Program> sharedProgram, std::unique_ptr<ThreadPool> startedPool, bool traces)
    : Device(hostMemory, hostMemory, /*addressesHost=*/true), program(std::move(sharedProgram)),
      pool(std::move(startedPool)) {
  if (!traces)
    return;
  threadTasks.resize(pool->getThreadCount());
  for (std::vector<moert_trace_task_t> &list : threadTasks)
    list.reserve(pool->getMaxClaims()); // workers must not allocate, they could not report a failure
}

Status CpuDevice::copy(CopyKind, std::byte *target, const std::byte *source, const CopyShape &shape) {
  for (uint64_t row = 0; row < shape.rows && shape.bytes; ++row)
    std::memmove(target + row * shape.targetStride, source + row * shape.sourceStride, shape.bytes);
  return Status::success();
}

Status CpuDevice::fillZero(std::byte *target, uint64_t bytes) {
  std::memset(target, 0, bytes);
  return Status::success();
}

Status CpuDevice::getLaunchMemory(const Launch &launch, uint64_t &bytes) const {
  const uint64_t threads = pool->getThreadCount();
  const auto wanted = static_cast<uint64_t>(launch.scratchBytes);
  if (launch.scratchBytes < 0 || wanted > std::numeric_limits<int64_t>::max() / threads - MOERT_BUFFER_ALIGNMENT)
    return failure(MOERT_RUN_FAILED, "node '", launch.node, "': scratch of ", launch.scratchBytes, " bytes");
  bytes = (wanted + MOERT_BUFFER_ALIGNMENT - 1) / MOERT_BUFFER_ALIGNMENT * MOERT_BUFFER_ALIGNMENT * threads;
  return Status::success();
}

Status CpuDevice::growScratch(const Launch &launch) {
  uint64_t bytes = 0;
  MOERT_TRY(getLaunchMemory(launch, bytes));
  if (bytes <= getLaunchBytes())
    return Status::success();
  scratch.reset();
  scratchStride = 0;
  scratch = allocateAligned(bytes);
  if (!scratch)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", bytes, " bytes of scratch memory");
  ++scratchRequests;
  scratchStride = bytes / pool->getThreadCount();
  return Status::success();
}

// A sanitizer that checks calls through pointers looks for its marks in front of functions; compiled kernels have none.
#if defined(__clang__)
__attribute__((no_sanitize("function")))
#endif
int32_t
CpuDevice::runTasks(void *self, uint32_t thread, int64_t begin, int64_t end) {
  CpuDevice &device = *static_cast<CpuDevice *>(self);
  const Launch &launch = *device.current;
  std::byte *scratch = device.scratch.get() + device.scratchStride * thread;
  if (device.threadTasks.empty())
    return device.kernel(launch.buffers.data(), launch.scalars.data(), scratch, begin, end);
  const uint64_t beginTime = nowNanoseconds();
  const int32_t result = device.kernel(launch.buffers.data(), launch.scalars.data(), scratch, begin, end);
  device.threadTasks[thread].push_back({thread, begin, end, beginTime, nowNanoseconds()});
  return result;
}

int32_t CpuDevice::runGrid(const Launch &launch) {
  current = &launch;
  kernel = program->getKernel(launch.kernel);
  if (launch.work < parallelWork || launch.grid < 2 || pool->getThreadCount() == 1)
    return runTasks(this, 0, 0, launch.grid);
  return pool->runGrid({runTasks, this}, launch.grid);
}

Status CpuDevice::launch(const Launch &launch, LaunchTrace *trace) {
  MOERT_TRY(growScratch(launch));
  if (trace)
    trace->beginNs = nowNanoseconds();
  const int32_t result = runGrid(launch);
  if (trace) {
    trace->endNs = nowNanoseconds();
    tasks.clear();
    for (std::vector<moert_trace_task_t> &list : threadTasks) {
      tasks.insert(tasks.end(), list.begin(), list.end());
      list.clear();
    }
    trace->tasks = tasks;
  }
  if (result != MOERT_KERNEL_OK)
    return failure(MOERT_RUN_FAILED, "node '", launch.node, "': ", describeKernelResult(result));
  return Status::success();
}

} // namespace moert
