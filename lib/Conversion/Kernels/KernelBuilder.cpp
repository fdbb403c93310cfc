//===- KernelBuilder.cpp - building blocks of hand-written kernels -----------===//

#include "KernelBuilder.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

//===----------------------------------------------------------------------===//
// Index arithmetic
//===----------------------------------------------------------------------===//

Value IndexBuilder::extent(Value shaped, int64_t dim) const {
  auto type = cast<ShapedType>(shaped.getType());
  if (!type.isDynamicDim(dim))
    return index(type.getDimSize(dim));
  if (isa<TensorType>(type))
    return create<tensor::DimOp>(shaped, dim);
  return create<memref::DimOp>(shaped, dim);
}

SmallVector<Value> IndexBuilder::extents(Value shaped, int64_t from, int64_t to) const {
  return llvm::map_to_vector(llvm::seq(from, to), [&](int64_t dim) { return extent(shaped, dim); });
}

Value IndexBuilder::product(ValueRange factors) const {
  Value result = index(1);
  for (Value factor : factors)
    result = mul(result, factor);
  return result;
}

Value IndexBuilder::elements(Value shaped) const {
  return elements(shaped, 0, rankOf(shaped));
}

Value KernelBuilder::linearize(ValueRange coordinates, ValueRange extents) const {
  Value result = index(0);
  for (auto [coordinate, extent] : llvm::zip_equal(coordinates, extents))
    result = add(mul(result, extent), coordinate);
  return result;
}

KernelBuilder::Values KernelBuilder::delinearize(Value linear, ValueRange extents) const {
  Values coordinates(extents.size());
  for (size_t dim = extents.size(); dim-- > 1;) {
    coordinates[dim] = rem(linear, extents[dim]);
    linear = div(linear, extents[dim]);
  }
  if (!extents.empty())
    coordinates[0] = linear;
  return coordinates;
}

ColumnBlock KernelBuilder::columnBlock(Value task, Value columns, int64_t width) const {
  Value blocks = ceilDiv(columns, width);
  Value from = mul(rem(task, blocks), index(width));
  return {div(task, blocks), from, min(add(from, index(width)), columns)};
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

Value KernelBuilder::flatten(Value memref) const {
  auto type = cast<MemRefType>(memref.getType());
  auto flatType = MemRefType::get({ShapedType::kDynamic}, type.getElementType());
  if (type.getRank() == 1)
    return create<memref::CastOp>(flatType, memref);
  SmallVector<OpFoldResult> sizes = {elements(memref)};
  SmallVector<OpFoldResult> strides = {builder.getIndexAttr(1)};
  return memref::ReinterpretCastOp::create(builder, loc, flatType, memref, builder.getIndexAttr(0), sizes, strides);
}

Value KernelBuilder::scratchFloats(Value byteOffset, Value size) const {
  auto type = MemRefType::get({ShapedType::kDynamic}, builder.getF32Type());
  return memref::ViewOp::create(builder, loc, type, context.scratch, byteOffset, size);
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

void KernelBuilder::forEach(Value begin, Value end, llvm::function_ref<void(Value)> body, Value step) const {
  forCarry(begin, end, step ? step : index(1), {}, [&](Value position, ValueRange) -> Values {
    body(position);
    return {};
  });
}

KernelBuilder::Values KernelBuilder::forCarry(Value begin, Value end, Value step, ValueRange inits,
                                              llvm::function_ref<Values(Value, ValueRange)> body) const {
  auto loop = scf::ForOp::create(builder, loc, begin, end, step, inits);
  OpBuilder::InsertionGuard guard(builder);
  if (inits.empty()) // the loop comes with its terminator
    builder.setInsertionPoint(loop.getBody()->getTerminator());
  else
    builder.setInsertionPointToEnd(loop.getBody());
  Values yielded = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(builder, loc, yielded);
  return Values(loop.getResults());
}

void KernelBuilder::ifThen(Value condition, llvm::function_ref<void()> body) const {
  auto ifOp = scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(ifOp.thenBlock()->getTerminator());
  body();
}

KernelBuilder::Values
KernelBuilder::forVectors(Value count, ValueRange inits,
                          llvm::function_ref<Values(Value, Value, ValueRange)> body) const {
  Value whole = roundDown(count, lanes);
  Values carried = forCarry(index(0), whole, index(lanes), inits,
                            [&](Value position, ValueRange values) { return body(position, Value(), values); });
  Value rest = sub(count, whole);
  if (isConstantIntValue(rest, 0))
    return carried;
  Value any = compare(arith::CmpIPredicate::ne, rest, index(0));
  auto ifOp = scf::IfOp::create(builder, loc, ValueRange(carried).getTypes(), any, /*addThenBlock=*/true,
                                /*addElseBlock=*/!inits.empty());
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(ifOp.thenBlock());
  scf::YieldOp::create(builder, loc, body(whole, maskOf(rest), carried));
  if (inits.empty())
    return {};
  builder.setInsertionPointToEnd(ifOp.elseBlock());
  scf::YieldOp::create(builder, loc, carried);
  return Values(ifOp.getResults());
}

void KernelBuilder::forVectors(Value count, llvm::function_ref<void(Value, Value)> body) const {
  forVectors(count, {}, [&](Value position, Value mask, ValueRange) -> Values {
    body(position, mask);
    return {};
  });
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value KernelBuilder::loadElement(Value flat, Value offset) const {
  return memref::LoadOp::create(builder, loc, flat, offset);
}

void KernelBuilder::storeElement(Value value, Value flat, Value offset) const {
  memref::StoreOp::create(builder, loc, value, flat, offset);
}

/// Rounds f32 to the element type of `flat` if that is narrower.
static Value roundTo(const KernelBuilder &kernel, Value value, Value flat) {
  Type element = cast<MemRefType>(flat.getType()).getElementType();
  if (getElementTypeOrSelf(value.getType()) == element)
    return value;
  Type type = element;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(element);
  return kernel.create<arith::TruncFOp>(type, value);
}

void KernelBuilder::store(Value value, Value flat, Value offset) const {
  storeElement(roundTo(*this, value, flat), flat, offset);
}

Value KernelBuilder::loadVector(Value flat, Value offset, Value mask) const {
  VectorType type = vectorOf(cast<MemRefType>(flat.getType()).getElementType());
  if (!mask)
    return extend(vector::LoadOp::create(builder, loc, type, flat, offset));
  Value padding = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  return extend(vector::MaskedLoadOp::create(builder, loc, type, flat, offset, mask, padding));
}

void KernelBuilder::storeVector(Value value, Value flat, Value offset, Value mask) const {
  value = roundTo(*this, value, flat);
  if (mask)
    vector::MaskedStoreOp::create(builder, loc, flat, offset, mask, value);
  else
    vector::StoreOp::create(builder, loc, value, flat, offset);
}

void KernelBuilder::copy(Value source, Value sourceOffset, Value target, Value targetOffset, Value count) const {
  forEach(index(0), count, [&](Value position) {
    storeElement(loadElement(source, add(sourceOffset, position)), target, add(targetOffset, position));
  });
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Value KernelBuilder::f32(double value) const {
  return create<arith::ConstantOp>(builder.getF32FloatAttr(value));
}

Value KernelBuilder::splat(Value scalar) const {
  return create<vector::BroadcastOp>(vectorOf(scalar.getType()), scalar);
}

Value KernelBuilder::extend(Value value) const {
  Type element = getElementTypeOrSelf(value.getType());
  if (!element.isF16() && !element.isBF16())
    return value;
  Type type = builder.getF32Type();
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = vector.clone(type);
  return create<arith::ExtFOp>(type, value);
}

Value KernelBuilder::fma(Value a, Value b, Value c) const { return create<math::FmaOp>(a, b, c); }

Value KernelBuilder::maxFloat(Value lhs, Value rhs) const {
  return select(create<arith::CmpFOp>(arith::CmpFPredicate::OGT, lhs, rhs), lhs, rhs);
}

Value KernelBuilder::foldLanes(Value vector, llvm::function_ref<Value(Value, Value)> combine) const {
  for (int64_t width = lanes; width > 1; width /= 2) {
    auto low = llvm::to_vector(llvm::seq<int64_t>(0, width / 2));
    auto high = llvm::to_vector(llvm::seq<int64_t>(width / 2, width));
    vector = combine(create<vector::ShuffleOp>(vector, vector, low), create<vector::ShuffleOp>(vector, vector, high));
  }
  return create<vector::ExtractOp>(vector, ArrayRef<int64_t>{0});
}

Value KernelBuilder::sumLanes(Value vector) const {
  return foldLanes(vector, [&](Value low, Value high) { return create<arith::AddFOp>(low, high); });
}

Value KernelBuilder::maxLanes(Value vector) const {
  return foldLanes(vector, [&](Value low, Value high) { return maxFloat(low, high); });
}

Value KernelBuilder::maskOf(Value count) const {
  return create<vector::CreateMaskOp>(vectorOf(builder.getI1Type()), ValueRange{count});
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

std::pair<Value, Value> KernelBuilder::loadIndex(Value flat, Value offset, Value extent) const {
  Value raw = create<arith::IndexCastOp>(builder.getIndexType(), loadElement(flat, offset));
  Value negative = compare(arith::CmpIPredicate::slt, raw, index(0));
  Value wrapped = select(negative, add(raw, extent), raw);
  Value inRange = compare(arith::CmpIPredicate::ult, wrapped, extent);
  context.emitCheck(builder, loc, inRange, MOERT_KERNEL_INDEX_OUT_OF_RANGE);
  return {wrapped, inRange};
}

Value KernelBuilder::allOf(ValueRange conditions) const {
  Value all = create<arith::ConstantIntOp>(1, 1);
  for (Value condition : conditions)
    all = create<arith::AndIOp>(all, condition);
  return all;
}

Value KernelBuilder::require(ValueRange conditions, int32_t code, Value begin, Value end) const {
  Value all = allOf(conditions);
  if (isConstantIntValue(all, 1))
    return end;
  context.emitCheck(builder, loc, all, code);
  return select(all, end, begin);
}

LogicalResult moec::verifyFloatKernel(Operation *op, Type elementType) {
  if (elementType.isF32() || elementType.isF16() || elementType.isBF16())
    return success();
  return op->emitOpError("has no kernel for element type ") << elementType << ", expected f32, f16 or bf16";
}
