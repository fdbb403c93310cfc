// A cubin for exactly this GPU loads fastest; else the driver compiles the PTX.
#include "devices/cuda/cuda_program.h"

#include "devices/gpu_choice.h"

namespace moert::cuda {

CudaProgram::~CudaProgram() {
  if (!context)
    return;
  {
    const Scope scope(driver, context);
    if (weights)
      driver.memFree(weights);
    if (module)
      driver.moduleUnload(module);
  }
  driver.primaryContextRelease(device);
}

Status CudaProgram::getAttribute(int attribute, int &value) const {
  return driver.check(driver.deviceGetAttribute(&value, attribute, device), "attribute of the GPU");
}

Status CudaProgram::openDevice(uint32_t ordinal) {
  int count = 0, major = 0, minor = 0, shared = 0, pools = 0;
  const Result counted = driver.deviceGetCount(&count);
  if (counted != errorNoDevice)
    MOERT_TRY(driver.check(counted, "number of GPUs"));
  if (ordinal >= static_cast<uint32_t>(count))
    return failure(MOERT_UNSUPPORTED, "no GPU ", ordinal, ": the CUDA driver sees ", count);
  MOERT_TRY(driver.check(driver.deviceGet(&device, static_cast<int>(ordinal)), "the GPU cannot be opened"));
  MOERT_TRY(getAttribute(attributeCapabilityMajor, major));
  MOERT_TRY(getAttribute(attributeCapabilityMinor, minor));
  MOERT_TRY(getAttribute(attributeSharedBytesOptIn, shared));
  // Older drivers do not know the attribute.
  usesPools = driver.hasPools() && driver.deviceGetAttribute(&pools, attributeMemoryPools, device) == success && pools;
  computeCapability = static_cast<uint32_t>(10 * major + minor);
  sharedBytes = static_cast<uint32_t>(shared);
  MOERT_TRY(chooseGpuVariant(program.getArtifact(), computeCapability, variant));
  Context retained = nullptr;
  MOERT_TRY(driver.check(driver.primaryContextRetain(&retained, device), "the GPU's context cannot be opened"));
  context = retained;
  return Status::success();
}

Status CudaProgram::loadModule() {
  for (const GpuImage &image : variant->images)
    if (image.computeCapability == computeCapability &&
        driver.moduleLoadDataEx(&module, image.bytes.data(), 0, nullptr, nullptr) == success)
      return Status::success();
  char log[2048] = "";
  int options[] = {jitErrorLogBuffer, jitErrorLogBytes};
  void *values[] = {log, reinterpret_cast<void *>(uintptr_t(sizeof(log) - 1))};
  module = nullptr;
  const Status status =
      driver.check(driver.moduleLoadDataEx(&module, variant->ptx.data(), 2, options, values), "PTX of the file");
  if (status.ok())
    return Status::success();
  module = nullptr;
  const moert_status_t code = status.getCode() == MOERT_OUT_OF_MEMORY ? MOERT_OUT_OF_MEMORY : MOERT_UNSUPPORTED;
  return failure(code, status.getMessage(), log[0] ? "\n" : "", static_cast<const char *>(log));
}

Status CudaProgram::loadFunctions() {
  for (const GpuEntry &entry : variant->entries) {
    Function function = nullptr;
    if (driver.moduleGetFunction(&function, module, entry.name.c_str()) != success)
      return failure(MOERT_INVALID_FILE, "GPU variant ", variant->name, " has no entry '", entry.name, "'");
    if (entry.sharedBytes > sharedBytes)
      return failure(MOERT_UNSUPPORTED, "entry '", entry.name, "' needs ", entry.sharedBytes,
                     " bytes of shared memory, the GPU has ", sharedBytes);
    // Without it a launch gets at most 48 KiB.
    MOERT_TRY(driver.check(
        driver.functionSetAttribute(function, functionAttributeDynamicSharedBytes, static_cast<int>(entry.sharedBytes)),
        "shared memory of entry '" + entry.name + "'"));
    functions.push_back(function);
  }
  return Status::success();
}

Status CudaProgram::uploadWeights() {
  const std::span<const std::byte> bytes = program.getWeightSection();
  constexpr size_t smallest = MOERT_GPU_BUFFER_ALIGNMENT; // weights without elements need an address too
  MOERT_TRY(driver.check(driver.memAlloc(&weights, std::max(bytes.size(), smallest)),
                         "memory for " + std::to_string(bytes.size()) + " bytes of weights"));
  if (bytes.empty())
    return Status::success();
  Stream stream = nullptr;
  MOERT_TRY(driver.check(driver.streamCreate(&stream, streamNonBlocking), "stream of the upload"));
  Status status = driver.check(driver.memcpyUpload(weights, bytes.data(), bytes.size(), stream), "upload of weights");
  Status done = driver.check(driver.streamSynchronize(stream), "upload of weights");
  driver.streamDestroy(stream);
  return status.ok() ? std::move(done) : std::move(status);
}

Status CudaProgram::load(uint32_t ordinal) {
  MOERT_TRY(openDevice(ordinal));
  const Scope scope(driver, context);
  MOERT_TRY(scope.check());
  MOERT_TRY(loadModule());
  MOERT_TRY(loadFunctions());
  return uploadWeights();
}

} // namespace moert::cuda
