//===- Passes.h - passes of lib/Target/Cpu ---------------------------------------===//
#ifndef MOEC_TARGET_CPU_PASSES_H
#define MOEC_TARGET_CPU_PASSES_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/Pass.h"

namespace moec {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "moec/Target/Cpu/Passes.h.inc"
} // namespace moec

#endif // MOEC_TARGET_CPU_PASSES_H
