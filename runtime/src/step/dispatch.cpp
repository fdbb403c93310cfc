// The dispatch step: operands, scratch memory, the grid, and what is reported about it.
#include "step/interpreter.h"
#include "step/task_reads.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <tuple>

namespace moert {

// Below this estimate of scalar operations, waking threads costs more than they save.
static constexpr int64_t parallelWork = 32 * 1024;

static uint64_t nowNanoseconds() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

static std::string describeKernelResult(int32_t result) {
  switch (result) {
  case MOERT_KERNEL_INDEX_OUT_OF_RANGE:
    return "an index lies outside the tensor it indexes";
  case MOERT_KERNEL_BAD_VALUE:
    return "a value for which the operator is undefined";
  default:
    return "kernel result " + std::to_string(result);
  }
}

Status Interpreter::prepareOperands(const uint32_t *operands, uint32_t bufferCount, uint32_t scalarCount) {
  for (uint32_t i = 0; i < bufferCount; ++i) {
    const Slot &slot = slots[operands[i]];
    if (!slot.data)
      return failure(MOERT_RUN_FAILED, "buffer ", i, " of the dispatch at word ", current, " is empty");
    buffers[i] = slot.data;
  }
  for (uint32_t i = 0; i < scalarCount; ++i)
    scalars[i] = registers[operands[bufferCount + i]];
  return Status::success();
}

Status Interpreter::growScratch(int64_t bytes) {
  const uint64_t threads = pool.getThreadCount();
  if (bytes < 0 || static_cast<uint64_t>(bytes) > std::numeric_limits<int64_t>::max() / threads - 64)
    return failure(MOERT_RUN_FAILED, "dispatch at word ", current, ": scratch of ", bytes, " bytes");
  const uint64_t stride = (static_cast<uint64_t>(bytes) + 63) / 64 * 64;
  if (stride <= scratchStride)
    return Status::success();
  scratch.reset();
  scratchStride = scratchSize = 0;
  if (mode == Mode::Run)
    scratch = allocateAligned(stride * threads);
  if (mode == Mode::Run && !scratch)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", stride * threads, " bytes of scratch memory");
  ++scratchRequests;
  scratchStride = stride;
  scratchSize = stride * threads;
  return Status::success();
}

// A sanitizer that checks calls through pointers looks for its marks in front of functions; compiled kernels have none.
#if defined(__clang__)
__attribute__((no_sanitize("function")))
#endif
int32_t
Interpreter::runTasks(void *self, uint32_t thread, int64_t begin, int64_t end) {
  Interpreter &interpreter = *static_cast<Interpreter *>(self);
  std::byte *scratch = interpreter.scratch.get() + interpreter.scratchStride * thread;
  if (!interpreter.hooks.trace)
    return interpreter.kernel(interpreter.buffers.data(), interpreter.scalars.data(), scratch, begin, end);
  const uint64_t beginTime = nowNanoseconds();
  const int32_t result =
      interpreter.kernel(interpreter.buffers.data(), interpreter.scalars.data(), scratch, begin, end);
  interpreter.threadTasks[thread].push_back({thread, begin, end, beginTime, nowNanoseconds()});
  return result;
}

int32_t Interpreter::runGrid(moert_kernel_fn_t function, int64_t grid, int64_t work) {
  kernel = function;
  if (work < parallelWork || grid < 2 || pool.getThreadCount() == 1)
    return runTasks(this, 0, 0, grid);
  return pool.runGrid({runTasks, this}, grid);
}

Status Interpreter::checkProgress() {
  const bool stop = hooks.progress && hooks.progress(hooks.progress_context, dispatches) != 0;
  if (stop || cancelled->load(std::memory_order_relaxed))
    return failure(MOERT_CANCELLED, "the run was cancelled");
  return Status::success();
}

Status Interpreter::dispatch(const uint32_t *operands) {
  const int64_t grid = registers[operands[1]], work = registers[operands[2]];
  const uint32_t bufferCount = operands[8], scalarCount = operands[9];
  MOERT_TRY(checkProgress());
  if (grid < 0)
    return failure(MOERT_RUN_FAILED, "dispatch at word ", current, ": grid of ", grid, " tasks");
  if (grid > 0) {
    MOERT_TRY(prepareOperands(operands + 10, bufferCount, scalarCount));
    MOERT_TRY(growScratch(registers[operands[3]]));
    if (mode == Mode::Dry)
      return Status::success();
    const uint64_t begin = hooks.trace ? nowNanoseconds() : 0;
    const int32_t result = runGrid(program.getKernel(operands[0]), grid, work);
    if (hooks.trace)
      reportDispatch(operands, grid, work, begin);
    if (result != MOERT_KERNEL_OK)
      return failure(MOERT_RUN_FAILED, "node '", program.getArtifact().stepString(operands[6], operands[7]),
                     "': ", describeKernelResult(result));
  }
  ++dispatches;
  return Status::success();
}

void Interpreter::findReads(const uint32_t *operands) {
  const Artifact &artifact = program.getArtifact();
  reads.clear();
  std::vector<ReadBuffer> views;
  for (uint32_t i = 0; i < operands[8]; ++i) {
    const Slot &slot = slots[operands[10 + i]];
    const bool isWeight = slot.weight != Slot::noWeight;
    const uint64_t offset =
        isWeight ? artifact.weights[slot.weight].offset + (slot.data - program.getWeightData(slot.weight)) : 0;
    views.push_back({slot.data, slot.size, slot.weight, offset});
  }
  for (const moert_task_reads_t &facts : artifact.kernels[operands[0]].reads)
    appendTaskReads(facts, views, tasks, reads);
  std::sort(reads.begin(), reads.end(), [](const moert_trace_read_t &a, const moert_trace_read_t &b) {
    return std::tie(a.task, a.weight, a.offset) < std::tie(b.task, b.weight, b.offset);
  });
}

void Interpreter::reportDispatch(const uint32_t *operands, int64_t grid, int64_t work, uint64_t begin) {
  const Artifact &artifact = program.getArtifact();
  nodeName = artifact.stepString(operands[6], operands[7]);
  tasks.clear();
  for (std::vector<moert_trace_task_t> &list : threadTasks) {
    tasks.insert(tasks.end(), list.begin(), list.end());
    list.clear();
  }
  weights.clear();
  for (uint32_t i = 0; i < operands[8]; ++i)
    if (const uint32_t weight = slots[operands[10 + i]].weight; weight != Slot::noWeight)
      weights.push_back(weight);
  findReads(operands);
  moert_trace_dispatch_t event = {sizeof(event),
                                  nodeName.c_str(),
                                  artifact.kernels[operands[0]].name.c_str(),
                                  grid,
                                  work,
                                  begin,
                                  nowNanoseconds(),
                                  weights.data(),
                                  weights.size(),
                                  tasks.data(),
                                  tasks.size(),
                                  outputs.getSystemRequests() + scratchRequests,
                                  reads.data(),
                                  reads.size()};
  hooks.trace(hooks.trace_context, &event);
}

} // namespace moert
