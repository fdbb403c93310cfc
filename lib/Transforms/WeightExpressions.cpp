//===- WeightExpressions.cpp - what can be computed when the file is written -===//

#include "WeightExpressions.h"

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Onnx/Onnx.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

static bool isStatic(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape();
}

bool moec::isWeightLeaf(Operation *op) {
  return isa<LoadWeightOp, onnx::ConstantOp>(op) ||
         (isa<arith::ConstantOp>(op) && isStatic(op->getResult(0).getType()));
}

bool moec::isWeightComputation(Operation *op) {
  bool known = isa<PackPanelsOp, DequantizeOp, UnpackValuesOp, OffsetValuesOp, PackWordsOp, tensor::ExtractSliceOp,
                   tensor::ConcatOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::EmptyOp,
                   linalg::TransposeOp, arith::ExtFOp, arith::TruncFOp>(op);
  // A slice with dynamic offsets has them as operands and is refused through their types.
  return known && llvm::all_of(op->getOperandTypes(), isStatic) && llvm::all_of(op->getResultTypes(), isStatic);
}

bool moec::isWeightExpression(Value value) {
  SetVector<Operation *> visited;
  SmallVector<Value> worklist = {value};
  while (!worklist.empty()) {
    Operation *op = worklist.pop_back_val().getDefiningOp();
    if (!op)
      return false;
    if (!visited.insert(op) || isWeightLeaf(op))
      continue;
    if (!isWeightComputation(op))
      return false;
    llvm::append_range(worklist, op->getOperands());
  }
  return true;
}
