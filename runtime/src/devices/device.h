// What a session runs on: memory, copies and launches of one device, in the order in which they are asked for. An
// object serves one session; what sessions on one device share is the device's own business.
#pragma once
#include "devices/memory.h"
#include "moert/moert.h"
#include "status.h"

#include <span>

namespace moert {

// A dispatch: on a CPU `grid` tasks, on a GPU one launch of `blocks` blocks.
struct Launch {
  uint32_t kernel;
  std::string_view node;
  int64_t grid, work, scratchBytes;
  int64_t blocks, workspaceBytes;
  std::span<void *const> buffers;
  std::span<const int64_t> scalars;
};

// What is known of a launch that was traced; all of it lives until the next launch.
struct LaunchTrace {
  uint64_t beginNs = 0, endNs = 0;
  std::span<const moert_trace_task_t> tasks;
  std::span<const moert_trace_counter_t> counters;
};

// Between which memories a copy goes.
enum class CopyKind { Upload, Download, Inside };

// `rows` pieces of `bytes` bytes, their starts as far apart as the strides say.
struct CopyShape {
  uint64_t rows = 1, bytes = 0, targetStride = 0, sourceStride = 0;
};

class Device {
public:
  // `addressesHost`: device addresses are the host's, so that its buffers are used as they are.
  Device(Memory &memory, Memory &stateMemory, bool addressesHost)
      : memory(memory), stateMemory(stateMemory), addressesHost(addressesHost) {}
  Device(const Device &) = delete;
  virtual ~Device() = default;

  // Never null.
  virtual std::byte *getWeight(uint32_t weight) const = 0;
  // When it returns, the host may use its side of the copy as it likes. Inside a device the pieces may overlap if the
  // target's do not run ahead of the source's.
  virtual Status copy(CopyKind kind, std::byte *target, const std::byte *source, const CopyShape &shape) = 0;
  virtual Status fillZero(std::byte *target, uint64_t bytes) = 0;

  // Tasks or blocks; without any, nothing is launched.
  virtual int64_t getLaunchSize(const Launch &launch) const = 0;
  // Bytes that all launches like this one need beside their buffers.
  virtual Status getLaunchMemory(const Launch &launch, uint64_t &bytes) const = 0;
  // Runs or enqueues a launch. Fills `trace` if it is not null, also after a failure.
  virtual Status launch(const Launch &launch, LaunchTrace *trace) = 0;
  // Before and after the launches of a run. The run has failed if the end of it has.
  virtual Status beginRun() { return Status::success(); }
  virtual Status endRun() { return Status::success(); }

  virtual uint32_t getThreadCount() const { return 1; }
  // Bytes held for launches, and how often the system was asked for them.
  virtual uint64_t getLaunchBytes() const = 0;
  virtual uint64_t getLaunchRequests() const = 0;

  Status upload(std::byte *target, const void *source, uint64_t bytes) {
    return copy(CopyKind::Upload, target, static_cast<const std::byte *>(source), {1, bytes, bytes, bytes});
  }
  Status download(void *target, const std::byte *source, uint64_t bytes) {
    return copy(CopyKind::Download, static_cast<std::byte *>(target), source, {1, bytes, bytes, bytes});
  }

  Memory &memory, &stateMemory; // of buffers of a run, and of state
  const bool addressesHost;
};

// Why a kernel gave up, for a result that is not MOERT_KERNEL_OK.
std::string describeKernelResult(int32_t result);

inline std::string describeLaunch(const Launch &launch, std::string_view kernel) {
  return "node '" + std::string(launch.node) + "', kernel '" + std::string(kernel) + "'";
}

} // namespace moert
