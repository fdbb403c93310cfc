//===- GpuMachine.cpp - facts about GPUs as data ----------------------------===//

#include "moec/Dialect/Step/GpuMachine.h"

using namespace moec::step;

namespace {

constexpr GpuMachine kMachines[] = {
    {.chip = "sm_80",
     .computeCapability = 80,
     .ptxVersion = 70,
     .processors = 108,
     .warpSize = 32,
     .threadsPerBlock = 1024,
     .threadsPerProcessor = 2048,
     .blocksPerProcessor = 32,
     .registersPerProcessor = 65536,
     .registersPerThread = 255,
     .sharedBytesPerBlock = 163 << 10,
     .sharedBytesPerProcessor = 164 << 10,
     .l2Bytes = 40 << 20,
     .matrixProducts = 1024,
     .plainProducts = 64,
     .l2BytesPerCycle = 47,
     .memoryBytesPerCycle = 1102,
     .memoryLatency = 800},
};

} // namespace

llvm::ArrayRef<GpuMachine> moec::step::gpuMachines() { return kMachines; }

const GpuMachine *moec::step::findGpuMachine(llvm::StringRef chip) {
  for (const GpuMachine &machine : kMachines)
    if (machine.chip == chip)
      return &machine;
  return nullptr;
}
