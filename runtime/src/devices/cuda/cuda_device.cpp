// Errors of the driver come late: they name the last launch before they were noticed. What a kernel itself reports
// names its own, by the word that it was given.
#include "devices/cuda/cuda_device.h"

#include "devices/clock.h"
#include "devices/gpu_choice.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace moert::cuda {

static constexpr uint32_t resultCount = 4096; // launches between two looks at their results

static Address toAddress(const std::byte *data) { return reinterpret_cast<uintptr_t>(data); }

std::byte *CudaMemory::allocate(uint64_t size) {
  const Driver &driver = program->driver;
  const Scope scope(driver, program->getContext());
  if (!scope.check().ok())
    return nullptr;
  Address address = 0;
  const uint64_t bytes = std::max<uint64_t>(size, 1);
  const Result result =
      program->hasPools() ? driver.memAllocAsync(&address, bytes, stream) : driver.memAlloc(&address, bytes);
  return result == success ? reinterpret_cast<std::byte *>(uintptr_t(address)) : nullptr;
}

void CudaMemory::release(std::byte *memory) {
  const Driver &driver = program->driver;
  const Scope scope(driver, program->getContext());
  if (program->hasPools())
    driver.memFreeAsync(toAddress(memory), stream);
  else
    driver.memFree(toAddress(memory)); // waits for the kernels that use it
}

CudaDevice::CudaDevice(std::shared_ptr<const Program> sharedProgram, std::shared_ptr<CudaProgram> sharedOnDevice)
    : Device(cudaMemory, cudaMemory, /*addressesHost=*/false), program(std::move(sharedProgram)),
      onDevice(std::move(sharedOnDevice)), driver(onDevice->driver) {}

CudaDevice::~CudaDevice() {
  const Scope scope(driver, onDevice->getContext());
  if (stream)
    driver.streamSynchronize(stream);
  for (std::byte *memory : {workspace, flags, results})
    if (memory)
      cudaMemory.release(memory);
  queue.reset();
  for (Event event : {begin, end})
    if (event)
      driver.eventDestroy(event);
  if (stream)
    driver.streamDestroy(stream);
}

Status CudaDevice::create(std::string_view argument, std::shared_ptr<const Program> program,
                          const moert_session_options_t &, std::unique_ptr<Device> &device) {
  uint32_t ordinal = 0;
  const char *last = argument.data() + argument.size();
  const auto parsed = std::from_chars(argument.data(), last, ordinal);
  if (!argument.empty() && (parsed.ec != std::errc() || parsed.ptr != last))
    return failure(MOERT_INVALID_ARGUMENT, "device 'cuda:", argument, "': expected the number of a GPU");
  const Driver *driver = nullptr;
  MOERT_TRY(getDriver(driver));
  std::shared_ptr<DeviceProgram> shared;
  MOERT_TRY(program->shareOnDevice(
      "cuda:" + std::to_string(ordinal),
      [&](std::shared_ptr<DeviceProgram> &made) {
        auto loading = std::make_shared<CudaProgram>(*driver, *program);
        MOERT_TRY(loading->load(ordinal));
        made = std::move(loading);
        return Status::success();
      },
      shared));
  auto created = std::make_unique<CudaDevice>(std::move(program), std::static_pointer_cast<CudaProgram>(shared));
  MOERT_TRY(created->open());
  device = std::move(created);
  return Status::success();
}

Status CudaDevice::open() {
  const Scope scope(driver, onDevice->getContext());
  MOERT_TRY(scope.check());
  MOERT_TRY(driver.check(driver.streamCreate(&stream, streamNonBlocking), "stream of the session"));
  MOERT_TRY(driver.check(driver.eventCreate(&begin, 0), "event of the session"));
  MOERT_TRY(driver.check(driver.eventCreate(&end, 0), "event of the session"));
  cudaMemory.open(*onDevice, stream);
  queue.emplace(driver, stream);
  launched.reserve(resultCount);
  resultWords.resize(resultCount);
  constexpr uint64_t flagBytes = MOERT_GPU_FLAG_COUNT * sizeof(uint32_t);
  flags = cudaMemory.allocate(flagBytes);
  results = cudaMemory.allocate(resultCount * sizeof(int32_t));
  if (!flags || !results)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate the flags of launches on the GPU");
  return fillZero(flags, flagBytes);
}

Status CudaDevice::locate(Status status) const {
  if (status.ok() || launched.empty())
    return status;
  const Launched &last = launched.back();
  return failure(status.getCode(), "at or before node '", last.node, "', kernel '",
                 program->getArtifact().kernels[last.kernel].name, "': ", status.getMessage());
}

Status CudaDevice::flush() { return locate(queue->flush()); }

Status CudaDevice::synchronize() { return locate(driver.check(driver.streamSynchronize(stream), "the GPU's work")); }

Status CudaDevice::checkResults() {
  const uint64_t bytes = launched.size() * sizeof(int32_t);
  if (bytes == 0)
    return synchronize();
  MOERT_TRY(locate(driver.check(driver.memcpyDownload(resultWords.data(), toAddress(results), bytes, stream),
                                "results of launches")));
  MOERT_TRY(synchronize());
  for (size_t i = 0; i < launched.size(); ++i)
    if (resultWords[i] != MOERT_KERNEL_OK)
      return failure(MOERT_RUN_FAILED, "node '", launched[i].node, "', kernel '",
                     program->getArtifact().kernels[launched[i].kernel].name,
                     "': ", describeKernelResult(resultWords[i]));
  return Status::success();
}

Status CudaDevice::finish() {
  MOERT_TRY(flush());
  return checkResults();
}

Status CudaDevice::beginRun() {
  launched.clear();
  queue->discard();
  return fillZero(results, resultCount * sizeof(int32_t));
}

Status CudaDevice::endRun() {
  const Scope scope(driver, onDevice->getContext());
  MOERT_TRY(scope.check());
  Status status = finish();
  launched.clear();
  // What a failed kernel has left in the flags would confuse those of the next run.
  if (!status.ok())
    driver.memset(toAddress(flags), 0, MOERT_GPU_FLAG_COUNT * sizeof(uint32_t), stream);
  return status;
}

Status CudaDevice::getLaunchMemory(const Launch &launch, uint64_t &bytes) const {
  return getWorkspaceBytes(launch, bytes);
}

// Launches that wait may still use the old one, which is given back behind them.
Status CudaDevice::growWorkspace(const Launch &launch) {
  uint64_t bytes = 0;
  MOERT_TRY(getWorkspaceBytes(launch, bytes));
  if (workspace && bytes <= workspaceBytes)
    return Status::success();
  MOERT_TRY(flush());
  if (workspace)
    cudaMemory.release(workspace);
  workspaceBytes = 0;
  workspace = cudaMemory.allocate(bytes);
  if (!workspace)
    return failure(MOERT_OUT_OF_MEMORY, "node '", launch.node, "': cannot allocate ", bytes, " bytes of workspace");
  workspaceBytes = bytes;
  ++workspaceRequests;
  return Status::success();
}

Status CudaDevice::launch(const Launch &launch, LaunchTrace *trace) {
  if (launch.blocks > std::numeric_limits<int32_t>::max())
    return failure(MOERT_RUN_FAILED, "node '", launch.node, "': ", launch.blocks, " blocks, expected at most ",
                   std::numeric_limits<int32_t>::max());
  const Scope scope(driver, onDevice->getContext());
  MOERT_TRY(scope.check());
  MOERT_TRY(growWorkspace(launch));
  if (launched.size() == resultCount) {
    MOERT_TRY(finish()); // all words are zero then
    launched.clear();
  }
  const GpuEntry &entry = onDevice->getEntry(launch.kernel);
  QueuedLaunch &queued = queue->add();
  queued.function = onDevice->getFunction(launch.kernel);
  queued.blocks = static_cast<uint32_t>(launch.blocks);
  queued.threads = entry.threads;
  queued.sharedBytes = entry.sharedBytes;
  queued.isCooperative = entry.isCooperative;
  collectParameters(launch,
                    {toAddress(workspace), toAddress(flags), toAddress(results) + launched.size() * sizeof(int32_t)},
                    queued.parameters);
  launched.push_back({launch.kernel, launch.node});
  return trace ? timeLaunch(*trace) : Status::success();
}

Status CudaDevice::timeLaunch(LaunchTrace &trace) {
  float milliseconds = 0;
  MOERT_TRY(driver.check(driver.eventRecord(begin, stream), "event before a launch"));
  MOERT_TRY(flush());
  MOERT_TRY(driver.check(driver.eventRecord(end, stream), "event behind a launch"));
  MOERT_TRY(synchronize());
  trace.endNs = trace.beginNs = nowNanoseconds();
  MOERT_TRY(driver.check(driver.eventElapsedTime(&milliseconds, begin, end), "time of a launch"));
  trace.beginNs -= static_cast<uint64_t>(static_cast<double>(milliseconds) * 1e6);
  return Status::success();
}

Status CudaDevice::fillZero(std::byte *target, uint64_t bytes) {
  const Scope scope(driver, onDevice->getContext());
  MOERT_TRY(scope.check());
  MOERT_TRY(flush());
  return bytes ? driver.check(driver.memset(toAddress(target), 0, bytes, stream), "clearing of memory")
               : Status::success();
}

Status CudaDevice::copyPlain(CopyKind kind, std::byte *target, const std::byte *source, uint64_t bytes) {
  switch (kind) {
  case CopyKind::Upload:
    return driver.check(driver.memcpyUpload(toAddress(target), source, bytes, stream), "copy to the GPU");
  case CopyKind::Download:
    return driver.check(driver.memcpyDownload(target, toAddress(source), bytes, stream), "copy from the GPU");
  case CopyKind::Inside:
    break;
  }
  return driver.check(driver.memcpyInside(toAddress(target), toAddress(source), bytes, stream), "copy on the GPU");
}

Status CudaDevice::copyRows(CopyKind kind, std::byte *target, const std::byte *source, const CopyShape &shape) {
  Copy2D copy = {};
  copy.sourceType = kind == CopyKind::Upload ? memoryHost : memoryDevice;
  copy.sourceHost = source;
  copy.sourceDevice = toAddress(source);
  copy.sourcePitch = shape.sourceStride;
  copy.targetType = kind == CopyKind::Download ? memoryHost : memoryDevice;
  copy.targetHost = target;
  copy.targetDevice = toAddress(target);
  copy.targetPitch = shape.targetStride;
  copy.width = shape.bytes;
  copy.height = shape.rows;
  return driver.check(driver.memcpy2D(&copy, stream), "copy of rows");
}

// The driver's copies must not overlap: rows go through memory of their own.
Status CudaDevice::copyOverlapping(std::byte *target, const std::byte *source, const CopyShape &shape) {
  const uint64_t packedBytes = shape.rows * shape.bytes;
  std::byte *packed = cudaMemory.allocate(packedBytes);
  if (!packed)
    return failure(MOERT_OUT_OF_MEMORY, "cannot allocate ", packedBytes, " bytes on the GPU for a copy");
  Status status =
      copyRows(CopyKind::Inside, packed, source, {shape.rows, shape.bytes, shape.bytes, shape.sourceStride});
  if (status.ok())
    status = copyRows(CopyKind::Inside, target, packed, {shape.rows, shape.bytes, shape.targetStride, shape.bytes});
  cudaMemory.release(packed);
  return status;
}

Status CudaDevice::copy(CopyKind kind, std::byte *target, const std::byte *source, const CopyShape &shape) {
  if (shape.rows == 0 || shape.bytes == 0)
    return Status::success();
  const Scope scope(driver, onDevice->getContext());
  MOERT_TRY(scope.check());
  // The host must not see what a failed kernel has left.
  MOERT_TRY(kind == CopyKind::Download ? finish() : flush());
  const bool isDense = shape.rows == 1 || (shape.targetStride == shape.bytes && shape.sourceStride == shape.bytes);
  const uint64_t targetExtent = (shape.rows - 1) * shape.targetStride + shape.bytes;
  const uint64_t sourceExtent = (shape.rows - 1) * shape.sourceStride + shape.bytes;
  const bool overlaps =
      toAddress(target) < toAddress(source) + sourceExtent && toAddress(source) < toAddress(target) + targetExtent;
  if (kind == CopyKind::Inside && overlaps)
    return copyOverlapping(target, source, shape);
  MOERT_TRY(isDense ? copyPlain(kind, target, source, shape.rows * shape.bytes)
                    : copyRows(kind, target, source, shape));
  return kind == CopyKind::Inside ? Status::success() : synchronize();
}

} // namespace moert::cuda
