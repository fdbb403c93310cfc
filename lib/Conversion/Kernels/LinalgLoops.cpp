//===- LinalgLoops.cpp - loops and payload of linalg ops on memrefs ---------===//

#include "LinalgLoops.h"

#include "mlir/Dialect/Affine/Utils.h"

using namespace mlir;
using namespace moec;

bool moec::isContiguousAlong(AffineMap map, ShapedType type, int64_t loop) {
  for (int64_t position = map.getNumResults(); position-- > 0;) {
    if (map.getResult(position) == getAffineDimExpr(loop, map.getContext()))
      return !map.getSubMap(llvm::to_vector(llvm::seq<unsigned>(0, position))).isFunctionOfDim(loop);
    if (type.getDimSize(position) != 1)
      return !map.isFunctionOfDim(loop);
  }
  return true;
}

SmallVector<int64_t> moec::getParallelLoops(linalg::LinalgOp op) {
  SmallVector<int64_t> loops;
  for (AffineExpr result : op.getIndexingMapsArray()[op.getNumDpsInputs()].getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(result))
      loops.push_back(dim.getPosition());
  for (auto [loop, type] : llvm::enumerate(op.getIteratorTypesArray()))
    if (type == utils::IteratorType::parallel && !llvm::is_contained(loops, static_cast<int64_t>(loop)))
      loops.push_back(loop);
  return loops;
}

SmallVector<Value> moec::getLoopExtents(const LoopEmitter &emit, linalg::LinalgOp op, ValueRange operands) {
  SmallVector<Value> extents(op.getNumLoops());
  for (auto [map, operand] : llvm::zip_equal(op.getIndexingMapsArray(), operands)) {
    if (!operand || !isa<ShapedType>(operand.getType()))
      continue;
    for (auto [position, result] : llvm::enumerate(map.getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(result); dim && !extents[dim.getPosition()])
        extents[dim.getPosition()] = emit.extent(operand, position);
  }
  return extents;
}

SmallVector<Value> moec::applyIndexingMap(const LoopEmitter &emit, AffineMap map, ArrayRef<Value> loops) {
  SmallVector<Value> values(loops);
  for (Value &value : values)
    if (!value)
      value = emit.index(0);
  return llvm::map_to_vector(map.getResults(), [&](AffineExpr expr) {
    return affine::expandAffineExpr(emit.builder, emit.loc, expr, values, {});
  });
}

/// Payload ops are scalar and cloned, but for those that mean a loop index or look into a captured tensor.
static void emitPayloadOp(const LoopEmitter &emit, Operation &nested, ArrayRef<Value> loops, IRMapping &mapping) {
  if (auto index = dyn_cast<linalg::IndexOp>(nested)) {
    mapping.map(index.getResult(), loops[index.getDim()]);
    return;
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(nested)) {
    auto at = llvm::map_to_vector(extract.getIndices(), [&](Value value) { return mapping.lookupOrDefault(value); });
    mapping.map(extract.getResult(), emit.load(mapping.lookup(extract.getTensor()), at));
    return;
  }
  if (auto dim = dyn_cast<tensor::DimOp>(nested)) {
    Value source = mapping.lookup(dim.getSource());
    mapping.map(dim.getResult(), emit.make<memref::DimOp>(source, mapping.lookupOrDefault(dim.getIndex())));
    return;
  }
  emit.builder.clone(nested, mapping);
}

SmallVector<Value> moec::emitLinalgPayload(const LoopEmitter &emit, linalg::LinalgOp op, const IRMapping &arguments,
                                           ValueRange elements, ArrayRef<Value> loops) {
  Block &body = op->getRegion(0).front();
  IRMapping mapping(arguments);
  for (auto [argument, value] : llvm::zip(body.getArguments(), elements))
    mapping.map(argument, value);
  for (Operation &nested : body.without_terminator())
    emitPayloadOp(emit, nested, loops, mapping);
  return llvm::map_to_vector(body.getTerminator()->getOperands(),
                             [&](Value value) { return mapping.lookupOrDefault(value); });
}
