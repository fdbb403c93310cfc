//===- GpuKernelInterface.cpp - ops with a kernel of their own for GPUs -----===//

#include "moec/Dialect/Step/GpuKernelInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

#include "moec/Dialect/Step/GpuKernelInterface.cpp.inc"

DictionaryAttr moec::step::getLaunchAttr(MLIRContext *context, const GpuLaunchShape &shape) {
  Builder builder(context);
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("threads", builder.getI64IntegerAttr(shape.threads)),
       builder.getNamedAttr("shared_bytes", builder.getI64IntegerAttr(shape.sharedBytes)),
       builder.getNamedAttr("resident_blocks", builder.getBoolAttr(shape.needsResidentBlocks))});
}

moec::step::GpuLaunchShape moec::step::getLaunchShape(DictionaryAttr attr) {
  return {.threads = attr.getAs<IntegerAttr>("threads").getInt(),
          .sharedBytes = attr.getAs<IntegerAttr>("shared_bytes").getInt(),
          .needsResidentBlocks = attr.getAs<BoolAttr>("resident_blocks").getValue()};
}

void moec::step::GpuKernelContext::emitCheck(OpBuilder &builder, Location loc, Value condition, int32_t code) const {
  auto wrong = arith::XOrIOp::create(builder, loc, condition, arith::ConstantIntOp::create(builder, loc, 1, 1));
  scf::IfOp::create(builder, loc, wrong, [&](OpBuilder &nested, Location nestedLoc) {
    Value value = arith::ConstantIntOp::create(nested, nestedLoc, code, 32);
    memref::AtomicRMWOp::create(nested, nestedLoc, arith::AtomicRMWKind::maxs, value, status, ValueRange());
    scf::YieldOp::create(nested, nestedLoc);
  });
}
