//===- GpuImage.h - code of a GPU variant -----------------------------------===//
#ifndef MOEC_TARGET_CUDA_GPUIMAGE_H
#define MOEC_TARGET_CUDA_GPUIMAGE_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"

#include <string>

namespace moec {

/// How a kernel is launched, and what ptxas says about it.
struct GpuEntry {
  std::string name;         // of the .entry in PTX and cubins
  uint32_t threads = 0;     // of a block
  uint32_t sharedBytes = 0; // dynamic shared memory of a block
  uint32_t flags = 0;       // MOERT_GPU_*
  uint32_t registers = 0;   // of a thread; 0: not known
  uint32_t spillBytes = 0;
};

/// The variant assembled for one compute capability.
struct GpuCubin {
  uint32_t computeCapability;
  llvm::SmallVector<char, 0> bytes;
};

/// A variant as PTX, and as cubins where ptxas was found.
struct GpuImage {
  std::string variant; // "sm_80"
  uint32_t computeCapability = 0;
  std::string ptx;
  llvm::StringMap<GpuEntry> entries; // by the name of the step.kernel
  llvm::SmallVector<GpuCubin> cubins;
};

} // namespace moec

#endif // MOEC_TARGET_CUDA_GPUIMAGE_H
