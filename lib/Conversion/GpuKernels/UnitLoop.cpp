//===- UnitLoop.cpp - launches whose threads take turns ---------------------===//

#include "UnitLoop.h"

using namespace mlir;
using namespace moec;

static constexpr int64_t threadsPerBlock = 256;

step::GpuLaunchShape moec::getUnitLaunchShape() { return {.threads = threadsPerBlock}; }

Value moec::buildUnitBlockCount(const LoopEmitter &host, const step::GpuMachine &machine, Value units) {
  int64_t resident = machine.processors * machine.threadsPerProcessor / threadsPerBlock;
  return host.min(host.ceilDiv(units, threadsPerBlock), host.index(resident));
}

void moec::emitUnitLoop(const LoopEmitter &emit, const step::GpuKernelContext &context, Value units,
                        llvm::function_ref<void(Value unit)> body) {
  Value first = emit.add(emit.mul(context.block, threadsPerBlock), context.thread);
  emit.loop(first, units, emit.mul(context.blockCount, threadsPerBlock), body);
}
