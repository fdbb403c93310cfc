// The dispatch step: operands, the launch, and what is reported about it.
#include "step/interpreter.h"
#include "step/task_reads.h"

#include <algorithm>
#include <tuple>

namespace moert {

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

Status Interpreter::checkProgress() {
  const bool stop = hooks.progress && hooks.progress(hooks.progress_context, dispatches) != 0;
  if (stop || cancelled->load(std::memory_order_relaxed))
    return failure(MOERT_CANCELLED, "the run was cancelled");
  return Status::success();
}

Status Interpreter::dispatch(const uint32_t *operands) {
  const uint32_t bufferCount = operands[8], scalarCount = operands[9];
  const Launch launch = {operands[0],
                         program.getArtifact().stepString(operands[6], operands[7]),
                         registers[operands[1]],
                         registers[operands[2]],
                         registers[operands[3]],
                         registers[operands[4]],
                         registers[operands[5]],
                         std::span(buffers).first(bufferCount),
                         std::span(scalars).first(scalarCount)};
  MOERT_TRY(checkProgress());
  if (launch.grid < 0 || launch.blocks < 0)
    return failure(MOERT_RUN_FAILED, "dispatch at word ", current, ": grid of ", launch.grid, " tasks and ",
                   launch.blocks, " blocks");
  if (device.getLaunchSize(launch) > 0) {
    MOERT_TRY(prepareOperands(operands + 10, bufferCount, scalarCount));
    MOERT_TRY(runLaunch(launch, operands + 10));
  }
  ++dispatches;
  return Status::success();
}

Status Interpreter::runLaunch(const Launch &launch, const uint32_t *slotOperands) {
  if (mode == Mode::Dry) {
    uint64_t bytes = 0;
    MOERT_TRY(device.getLaunchMemory(launch, bytes));
    launchMemory = std::max(launchMemory, bytes);
    return Status::success();
  }
  if (!hooks.trace)
    return device.launch(launch, nullptr);
  LaunchTrace trace;
  Status status = device.launch(launch, &trace);
  reportDispatch(launch, trace, slotOperands);
  return status;
}

// Of tasks that ran in the host's sight.
void Interpreter::findReads(const Launch &launch, const LaunchTrace &trace, const uint32_t *slotOperands) {
  const Artifact &artifact = program.getArtifact();
  reads.clear();
  if (trace.tasks.empty())
    return;
  std::vector<ReadBuffer> views;
  for (size_t i = 0; i < launch.buffers.size(); ++i) {
    const Slot &slot = slots[slotOperands[i]];
    const bool isWeight = slot.weight != Slot::noWeight;
    const uint64_t offset =
        isWeight ? artifact.weights[slot.weight].offset + (slot.data - device.getWeight(slot.weight)) : 0;
    views.push_back({slot.data, slot.size, slot.weight, offset});
  }
  for (const moert_task_reads_t &facts : artifact.kernels[launch.kernel].reads)
    appendTaskReads(facts, views, trace.tasks, reads);
  std::sort(reads.begin(), reads.end(), [](const moert_trace_read_t &a, const moert_trace_read_t &b) {
    return std::tie(a.task, a.weight, a.offset) < std::tie(b.task, b.weight, b.offset);
  });
}

void Interpreter::reportDispatch(const Launch &launch, const LaunchTrace &trace, const uint32_t *slotOperands) {
  nodeName = launch.node;
  weights.clear();
  for (size_t i = 0; i < launch.buffers.size(); ++i)
    if (const uint32_t weight = slots[slotOperands[i]].weight; weight != Slot::noWeight)
      weights.push_back(weight);
  findReads(launch, trace, slotOperands);
  moert_trace_dispatch_t event = {
      sizeof(event),         nodeName.c_str(),     program.getArtifact().kernels[launch.kernel].name.c_str(),
      launch.grid,           launch.work,          trace.beginNs,
      trace.endNs,           weights.data(),       weights.size(),
      trace.tasks.data(),    trace.tasks.size(),   outputs.getSystemRequests() + device.getLaunchRequests(),
      reads.data(),          reads.size(),         launch.blocks,
      trace.counters.data(), trace.counters.size()};
  hooks.trace(hooks.trace_context, &event);
}

} // namespace moert
