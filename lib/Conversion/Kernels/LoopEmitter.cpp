//===- LoopEmitter.cpp - terse construction of loops over memrefs -----------===//

#include "LoopEmitter.h"

using namespace mlir;
using namespace moec;

Value LoopEmitter::index(int64_t value) const { return make<arith::ConstantIndexOp>(value); }

Value LoopEmitter::integer(int64_t value) const { return make<arith::ConstantIntOp>(value, 32); }

Value LoopEmitter::extent(Value shaped, int64_t dimension) const {
  auto type = cast<ShapedType>(shaped.getType());
  if (!type.isDynamicDim(dimension))
    return index(type.getDimSize(dimension));
  return isa<TensorType>(type) ? make<tensor::DimOp>(shaped, dimension) : dim(shaped, dimension);
}

SmallVector<Value> LoopEmitter::extents(Value shaped, int64_t from, int64_t to) const {
  return llvm::map_to_vector(llvm::seq(from, to), [&](int64_t dimension) { return extent(shaped, dimension); });
}

Value LoopEmitter::product(ValueRange factors) const {
  Value result = index(1);
  for (Value factor : factors)
    result = mul(result, factor);
  return result;
}

Value LoopEmitter::real(Type type, double value) const {
  auto elementType = cast<FloatType>(getElementTypeOrSelf(type));
  TypedAttr attribute = builder.getFloatAttr(elementType, value);
  if (auto shaped = dyn_cast<ShapedType>(type))
    attribute = DenseElementsAttr::get(shaped, attribute);
  return make<arith::ConstantOp>(attribute);
}

Value LoopEmitter::less(Value a, Value b) const { return compare(arith::CmpIPredicate::slt, a, b); }

Value LoopEmitter::equal(Value a, Value b) const { return compare(arith::CmpIPredicate::eq, a, b); }

Value LoopEmitter::select(Value condition, Value a, Value b) const { return make<arith::SelectOp>(condition, a, b); }

Value LoopEmitter::linearize(ValueRange coordinates, ValueRange extents) const {
  Value result = index(0);
  for (auto [coordinate, extent] : llvm::zip_equal(coordinates, extents))
    result = add(mul(result, extent), coordinate);
  return result;
}

SmallVector<Value> LoopEmitter::delinearize(Value linear, ValueRange extents) const {
  SmallVector<Value> coordinates(extents.size());
  for (size_t dim = extents.size(); dim-- > 1;) {
    coordinates[dim] = rem(linear, extents[dim]);
    linear = div(linear, extents[dim]);
  }
  if (!extents.empty())
    coordinates[0] = linear;
  return coordinates;
}

Value LoopEmitter::convert(Value value, Type elementType) const {
  Type type = elementType;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(elementType);
  unsigned from = getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
  unsigned to = elementType.getIntOrFloatBitWidth();
  if (value.getType() == type)
    return value;
  return from < to ? make<arith::ExtFOp>(type, value) : make<arith::TruncFOp>(type, value);
}

Value LoopEmitter::extend(Value value) const {
  Type element = getElementTypeOrSelf(value.getType());
  bool isNarrow = isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32;
  return isNarrow ? convert(value, builder.getF32Type()) : value;
}

Value LoopEmitter::loadReal(Value memref, ValueRange indices) const { return extend(load(memref, indices)); }

void LoopEmitter::storeReal(Value value, Value memref, ValueRange indices) const {
  store(convert(value, cast<MemRefType>(memref.getType()).getElementType()), memref, indices);
}

Value LoopEmitter::loadReals(Value memref, ValueRange indices, int64_t width, Value mask) const {
  Type elementType = cast<MemRefType>(memref.getType()).getElementType();
  auto type = VectorType::get(width, elementType);
  Value padding = mask ? make<arith::ConstantOp>(cast<TypedAttr>(builder.getZeroAttr(type))) : Value();
  Value loaded = mask ? make<vector::MaskedLoadOp>(type, memref, indices, mask, padding)
                      : make<vector::LoadOp>(type, memref, indices);
  return extend(loaded);
}

void LoopEmitter::storeReals(Value value, Value memref, ValueRange indices, Value mask) const {
  Value converted = convert(value, cast<MemRefType>(memref.getType()).getElementType());
  if (mask)
    vector::MaskedStoreOp::create(builder, loc, memref, indices, mask, converted);
  else
    vector::StoreOp::create(builder, loc, converted, memref, indices);
}

void LoopEmitter::loop(Value low, Value high, Value step, LoopBody body) const {
  auto op = scf::ForOp::create(builder, loc, low, high, step);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.getBody());
  body(op.getInductionVar());
}

SmallVector<Value> LoopEmitter::loop(Value low, Value high, int64_t step, ValueRange initial,
                                     ReductionBody body) const {
  auto op = scf::ForOp::create(builder, loc, low, high, index(step), initial);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.getBody());
  SmallVector<Value> carried = body(op.getInductionVar(), op.getRegionIterArgs());
  if (!initial.empty()) // a loop that carries nothing is made with its terminator
    scf::YieldOp::create(builder, loc, carried);
  return llvm::to_vector_of<Value>(op.getResults());
}

void LoopEmitter::ifThen(Value condition, llvm::function_ref<void()> body) const {
  auto op = scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(op.thenBlock());
  body();
}
