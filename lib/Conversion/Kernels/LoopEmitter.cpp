//===- LoopEmitter.cpp - terse construction of loops over memrefs -----------===//

#include "LoopEmitter.h"

using namespace mlir;
using namespace moec;

Value LoopEmitter::index(int64_t value) { return make<arith::ConstantIndexOp>(value); }

Value LoopEmitter::integer(int64_t value) { return make<arith::ConstantIntOp>(value, 32); }

Value LoopEmitter::real(Type type, double value) {
  auto elementType = cast<FloatType>(getElementTypeOrSelf(type));
  TypedAttr attribute = builder.getFloatAttr(elementType, value);
  if (auto shaped = dyn_cast<ShapedType>(type))
    attribute = DenseElementsAttr::get(shaped, attribute);
  return make<arith::ConstantOp>(attribute);
}

Value LoopEmitter::less(Value a, Value b) { return make<arith::CmpIOp>(arith::CmpIPredicate::slt, a, b); }

Value LoopEmitter::equal(Value a, Value b) { return make<arith::CmpIOp>(arith::CmpIPredicate::eq, a, b); }

Value LoopEmitter::select(Value condition, Value a, Value b) { return make<arith::SelectOp>(condition, a, b); }

Value LoopEmitter::convert(Value value, Type elementType) {
  Type type = elementType;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(elementType);
  unsigned from = getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
  unsigned to = elementType.getIntOrFloatBitWidth();
  if (value.getType() == type)
    return value;
  return from < to ? make<arith::ExtFOp>(type, value) : make<arith::TruncFOp>(type, value);
}

Value LoopEmitter::loadReal(Value memref, ValueRange indices) {
  return convert(load(memref, indices), builder.getF32Type());
}

void LoopEmitter::storeReal(Value value, Value memref, ValueRange indices) {
  store(convert(value, cast<MemRefType>(memref.getType()).getElementType()), memref, indices);
}

Value LoopEmitter::loadReals(Value memref, ValueRange indices, int64_t width, Value mask) {
  Type elementType = cast<MemRefType>(memref.getType()).getElementType();
  auto type = VectorType::get(width, elementType);
  Value loaded = mask ? make<vector::MaskedLoadOp>(type, memref, indices, mask, real(type, 0.0))
                      : make<vector::LoadOp>(type, memref, indices);
  return convert(loaded, builder.getF32Type());
}

void LoopEmitter::storeReals(Value value, Value memref, ValueRange indices, Value mask) {
  Value converted = convert(value, cast<MemRefType>(memref.getType()).getElementType());
  if (mask)
    vector::MaskedStoreOp::create(builder, loc, memref, indices, mask, converted);
  else
    vector::StoreOp::create(builder, loc, converted, memref, indices);
}

void LoopEmitter::loop(Value low, Value high, Value step, LoopBody body) {
  auto op = scf::ForOp::create(builder, loc, low, high, step);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.getBody());
  body(op.getInductionVar());
}

SmallVector<Value> LoopEmitter::loop(Value low, Value high, int64_t step, ValueRange initial, ReductionBody body) {
  auto op = scf::ForOp::create(builder, loc, low, high, index(step), initial);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.getBody());
  scf::YieldOp::create(builder, loc, body(op.getInductionVar(), op.getRegionIterArgs()));
  return llvm::to_vector_of<Value>(op.getResults());
}

void LoopEmitter::ifThen(Value condition, llvm::function_ref<void()> body) {
  auto op = scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.thenBlock());
  body();
}
