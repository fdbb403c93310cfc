//===- KernelBody.cpp - what the bodies of kernels become on memrefs --------===//

#include "KernelBody.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;

Type moec::getBufferType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? Type(MemRefType::get(tensor.getShape(), tensor.getElementType())) : type;
}

LogicalResult moec::emitKernelBody(step::KernelOp kernel, OpBuilder &builder, IRMapping &mapping,
                                   KernelOpEmitter emit) {
  for (Operation &op : kernel.getBodyBlock()->without_terminator()) {
    bool last = op.getNextNode() == kernel.getBodyBlock()->getTerminator();
    if (isa<arith::ConstantOp>(op)) {
      builder.clone(op, mapping);
      continue;
    }
    if (isa<tensor::EmptyOp>(op) && !last) {
      mapping.map(op.getResult(0), Value());
      continue;
    }
    if (auto fill = dyn_cast<linalg::FillOp>(op); fill && !last) {
      mapping.map(op.getResult(0), mapping.lookup(fill.getInputs()[0]));
      continue;
    }
    if (!isa<step::KernelOpInterface>(op))
      return op.emitOpError("cannot be emitted as a kernel");
    auto operands = llvm::map_to_vector(op.getOperands(), [&](Value value) { return mapping.lookupOrNull(value); });
    if (failed(emit(&op, operands)))
      return failure();
  }
  return success();
}
