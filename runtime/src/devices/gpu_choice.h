// What GPU devices have in common: the choice of a variant, and the parameters of a launch.
#pragma once
#include "artifact/artifact.h"
#include "devices/device.h"

namespace moert {

// The first variant of the file that a GPU of this compute capability runs as PTX.
Status chooseGpuVariant(const Artifact &artifact, uint32_t computeCapability, const GpuVariant *&variant);

// The values of a kernel's parameters, in the order of moert_kernel_abi.h. Addresses are those of the device.
struct GpuLaunchMemory {
  uint64_t workspace, flags, status;
};
void collectParameters(const Launch &launch, const GpuLaunchMemory &memory, std::vector<uint64_t> &parameters);

// Bytes of the workspace, rounded to the alignment of buffers.
Status getWorkspaceBytes(const Launch &launch, uint64_t &bytes);

} // namespace moert
