//===- SliceBox.cpp - where a slice lies in a tensor --------------------------===//

#include "SliceBox.h"

using namespace mlir;
using namespace moec;

SmallVector<Value> moec::mixedValues(const LoopEmitter &index, ArrayRef<int64_t> statics, ValueRange dynamics) {
  SmallVector<Value> values;
  for (int64_t value : statics) {
    bool isDynamic = ShapedType::isDynamic(value);
    values.push_back(isDynamic ? dynamics.front() : index.index(value));
    if (isDynamic)
      dynamics = dynamics.drop_front();
  }
  return values;
}

SliceBox::SliceBox(const LoopEmitter &index, OffsetSizeAndStrideOpInterface op, ValueRange operands, Value whole)
    : extents(index.extents(whole, 0, rankOf(whole))) {
  ValueRange rest = operands.drop_front(op.getOffsetSizeAndStrideStartOperandIndex());
  offsets = mixedValues(index, op.getStaticOffsets(), rest);
  rest = rest.drop_front(op.getOffsets().size());
  sizes = mixedValues(index, op.getStaticSizes(), rest);
  rest = rest.drop_front(op.getSizes().size());
  strides = mixedValues(index, op.getStaticStrides(), rest);

  // Host and kernel see different operands, so what they must agree on depends on attributes and types alone.
  ArrayRef<int64_t> shape = cast<ShapedType>(whole.getType()).getShape();
  int64_t rank = shape.size();
  for (int64_t dim = 0; dim < rank; ++dim)
    isWhole.push_back(op.getStaticOffsets()[dim] == 0 && op.getStaticStrides()[dim] == 1 &&
                      !ShapedType::isDynamic(shape[dim]) && op.getStaticSizes()[dim] == shape[dim]);
  cut = std::max<int64_t>(rank - 1, 0);
  while (cut > 0 && isWhole[cut])
    --cut;
  isContiguous = rank == 0 || op.getStaticStrides()[cut] == 1;
  inner = rank == 0 ? index.index(1) : index.product(ArrayRef(extents).drop_front(cut + 1));
  count = rank == 0 ? index.index(1) : sizes[cut];
}

SmallVector<Value> SliceBox::conditions(const LoopEmitter &emit) const {
  SmallVector<Value> result;
  for (auto [all, extent, offset, size, stride] : llvm::zip_equal(isWhole, extents, offsets, sizes, strides)) {
    if (all)
      continue;
    Value last = emit.add(offset, emit.mul(emit.sub(size, emit.index(1)), stride));
    Value inside = emit.both(emit.compare(arith::CmpIPredicate::ult, offset, extent),
                             emit.compare(arith::CmpIPredicate::ult, last, extent));
    Value ordered = emit.both(inside, emit.compare(arith::CmpIPredicate::sle, offset, last));
    result.push_back(emit.either(ordered, emit.equal(size, emit.index(0))));
    result.push_back(emit.compare(arith::CmpIPredicate::sgt, stride, emit.index(0)));
  }
  return result;
}
