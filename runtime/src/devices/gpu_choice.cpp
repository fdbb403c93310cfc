// Variants for special GPUs, such as "sm_90a", run on no other.
#include "devices/gpu_choice.h"

#include <limits>

namespace moert {

Status chooseGpuVariant(const Artifact &artifact, uint32_t computeCapability, const GpuVariant *&variant) {
  std::string names;
  for (const GpuVariant &candidate : artifact.gpuVariants) {
    const bool isSpecial = !candidate.name.empty() && candidate.name.back() == 'a';
    if (isSpecial ? candidate.computeCapability == computeCapability
                  : candidate.computeCapability <= computeCapability) {
      variant = &candidate;
      return Status::success();
    }
    names += (names.empty() ? "" : ", ") + candidate.name;
  }
  if (names.empty())
    return failure(MOERT_UNSUPPORTED, "the file has no code for GPUs");
  return failure(MOERT_UNSUPPORTED, "a GPU of compute capability ", computeCapability / 10, ".", computeCapability % 10,
                 " cannot run any GPU variant of the file: ", names);
}

void collectParameters(const Launch &launch, const GpuLaunchMemory &memory, std::vector<uint64_t> &parameters) {
  parameters.clear();
  for (const void *buffer : launch.buffers)
    parameters.push_back(reinterpret_cast<uintptr_t>(buffer));
  for (int64_t scalar : launch.scalars)
    parameters.push_back(static_cast<uint64_t>(scalar));
  parameters.insert(parameters.end(),
                    {memory.workspace, memory.flags, memory.status, static_cast<uint64_t>(launch.grid)});
}

Status getWorkspaceBytes(const Launch &launch, uint64_t &bytes) {
  constexpr uint64_t alignment = MOERT_GPU_BUFFER_ALIGNMENT;
  if (launch.workspaceBytes < 0 || launch.workspaceBytes > std::numeric_limits<int64_t>::max() - int64_t(alignment))
    return failure(MOERT_RUN_FAILED, "node '", launch.node, "': workspace of ", launch.workspaceBytes, " bytes");
  bytes = (static_cast<uint64_t>(launch.workspaceBytes) + alignment - 1) / alignment * alignment;
  return Status::success();
}

} // namespace moert
