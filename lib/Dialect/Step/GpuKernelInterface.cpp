//===- GpuKernelInterface.cpp - ops with a kernel of their own for GPUs -----===//

#include "moec/Dialect/Step/GpuKernelInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

#include "moec/Dialect/Step/GpuKernelInterface.cpp.inc"

void moec::step::GpuKernelContext::emitCheck(OpBuilder &builder, Location loc, Value condition, int32_t code) const {
  auto wrong = arith::XOrIOp::create(builder, loc, condition, arith::ConstantIntOp::create(builder, loc, 1, 1));
  scf::IfOp::create(builder, loc, wrong, [&](OpBuilder &nested, Location nestedLoc) {
    Value value = arith::ConstantIntOp::create(nested, nestedLoc, code, 32);
    memref::AtomicRMWOp::create(nested, nestedLoc, arith::AtomicRMWKind::maxs, value, status, ValueRange());
    scf::YieldOp::create(nested, nestedLoc);
  });
}
