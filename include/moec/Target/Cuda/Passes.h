//===- Passes.h - passes of lib/Target/Cuda --------------------------------------===//
#ifndef MOEC_TARGET_CUDA_PASSES_H
#define MOEC_TARGET_CUDA_PASSES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"

namespace moec {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "moec/Target/Cuda/Passes.h.inc"
} // namespace moec

#endif // MOEC_TARGET_CUDA_PASSES_H
