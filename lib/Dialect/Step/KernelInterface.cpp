//===- KernelInterface.cpp - ops that become kernels ------------------------===//

#include "moec/Dialect/Step/KernelInterface.h"

using namespace mlir;

#include "moec/Dialect/Step/KernelInterface.cpp.inc"

void moec::step::KernelContext::emitCheck(OpBuilder &builder, Location loc, Value condition, int32_t code) const {
  auto wrong = arith::XOrIOp::create(builder, loc, condition, arith::ConstantIntOp::create(builder, loc, 1, 1));
  scf::IfOp::create(builder, loc, wrong, [&](OpBuilder &nested, Location nestedLoc) {
    Value status = arith::ConstantIntOp::create(nested, nestedLoc, code, 32);
    memref::StoreOp::create(nested, nestedLoc, status, this->status);
    scf::YieldOp::create(nested, nestedLoc);
  });
}
