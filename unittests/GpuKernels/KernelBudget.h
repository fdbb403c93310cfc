//===- KernelBudget.h - what ptxas may make of a kernel ---------------------===//
#ifndef MOEC_UNITTESTS_GPUKERNELS_KERNELBUDGET_H
#define MOEC_UNITTESTS_GPUKERNELS_KERNELBUDGET_H

#include "GpuKernelRunner.h"

#include <map>

namespace moec::test {

/// Of one thread and one block; no kernel may spill.
struct KernelBudget {
  int64_t registers, sharedBytes;
  /// Matrix instructions for each load from shared memory, in the loop with the most of them; 0 for kernels whose loop
  /// does not multiply matrices from copies ahead.
  double productsPerLoad;
};

/// How often each opcode, the low 12 bits of an instruction, occurs in each innermost loop of a cubin for sm_80.
using LoopOpcodes = std::map<uint32_t, int64_t>;
std::vector<LoopOpcodes> findInnermostLoops(llvm::StringRef cubin);

/// Assembles for every chip that the PTX is for and compares with the budget, which is that of the first; skips the
/// test where there is no assembler.
void checkBudget(const GpuKernelRunner &runner, const KernelBudget &budget);

} // namespace moec::test

#endif // MOEC_UNITTESTS_GPUKERNELS_KERNELBUDGET_H
