//===- GpuMachine.h - facts about GPUs that code is compiled for --------------===//
#ifndef MOEC_DIALECT_STEP_GPUMACHINE_H
#define MOEC_DIALECT_STEP_GPUMACHINE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace moec::step {

struct GpuMachine {
  llvm::StringRef chip;       // as `--gpu`, the file and LLVM call it
  uint32_t computeCapability; // 10 * major + minor
  uint32_t ptxVersion;        // 10 * major + minor of the oldest PTX that knows the chip
  int64_t processors;         // streaming multiprocessors of the smallest part that kernels are tuned for
  int64_t warpSize;
  int64_t threadsPerBlock;       // at most
  int64_t threadsPerProcessor;   // at most
  int64_t blocksPerProcessor;    // at most
  int64_t registersPerProcessor; // of 32 bits
  int64_t registersPerThread;    // at most
  int64_t sharedBytesPerBlock;   // at most, dynamic shared memory included
  int64_t sharedBytesPerProcessor;
  int64_t l2Bytes;
  // Of a processor in a cycle: multiply-adds of matrix instructions on 16 bits (half as many on tf32) and of plain ones
  // in f32, bytes from the second-level cache.
  int64_t matrixProducts;
  int64_t plainProducts;
  int64_t l2BytesPerCycle;
  // Of all processors together in a cycle from memory, and the cycles until what is asked for arrives.
  int64_t memoryBytesPerCycle;
  int64_t memoryLatency;
  // What the user wishes: products of f32 by weights only as f32, never as sums of products of tf32.
  bool plainF32 = false;
};

/// The machine of that chip, or null.
const GpuMachine *findGpuMachine(llvm::StringRef chip);

llvm::ArrayRef<GpuMachine> gpuMachines();

} // namespace moec::step

#endif // MOEC_DIALECT_STEP_GPUMACHINE_H
