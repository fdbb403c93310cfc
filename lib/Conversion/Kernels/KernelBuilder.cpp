//===- KernelBuilder.cpp - building blocks of hand-written kernels -----------===//

#include "KernelBuilder.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

//===----------------------------------------------------------------------===//
// Grids
//===----------------------------------------------------------------------===//

ColumnBlock KernelBuilder::columnBlock(Value task, Value columns, int64_t width) const {
  Value blocks = ceilDiv(columns, width);
  Value from = mul(rem(task, blocks), width), to = add(from, width);
  return {div(task, blocks), from, width == 1 ? to : min(to, columns)};
}

ColumnBlock KernelBuilder::rowBlock(Value task, Value columns) const {
  return hasThreadTasks() ? columnBlock(task, columns, 1) : ColumnBlock{task, index(0), columns};
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

Value KernelBuilder::flatten(Value memref) const {
  auto type = cast<MemRefType>(memref.getType());
  auto flatType = MemRefType::get({ShapedType::kDynamic}, type.getElementType());
  if (type.getRank() == 1)
    return make<memref::CastOp>(flatType, memref);
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

KernelBuilder::Values KernelBuilder::forVectors(Value count, ValueRange inits,
                                                llvm::function_ref<Values(Value, Value, ValueRange)> body) const {
  Value whole = roundDown(count, lanes);
  Values carried = loop(index(0), whole, lanes, inits,
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

void KernelBuilder::copy(Value source, Value sourceOffset, Value target, Value targetOffset, Value count) const {
  loop(index(0), count, 1,
       [&](Value position) { store(load(source, add(sourceOffset, position)), target, add(targetOffset, position)); });
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Value KernelBuilder::splat(Value scalar) const { return make<vector::BroadcastOp>(vectorOf(scalar.getType()), scalar); }

Value KernelBuilder::fma(Value a, Value b, Value c) const { return make<math::FmaOp>(a, b, c); }

Value KernelBuilder::maxFloat(Value lhs, Value rhs) const {
  return select(make<arith::CmpFOp>(arith::CmpFPredicate::OGT, lhs, rhs), lhs, rhs);
}

Value KernelBuilder::foldLanes(Value vector, llvm::function_ref<Value(Value, Value)> combine) const {
  for (int64_t width = lanes; width > 1; width /= 2) {
    auto low = llvm::to_vector(llvm::seq<int64_t>(0, width / 2));
    auto high = llvm::to_vector(llvm::seq<int64_t>(width / 2, width));
    vector = combine(make<vector::ShuffleOp>(vector, vector, low), make<vector::ShuffleOp>(vector, vector, high));
  }
  return make<vector::ExtractOp>(vector, ArrayRef<int64_t>{0});
}

Value KernelBuilder::sumLanes(Value vector) const {
  return foldLanes(vector, [&](Value low, Value high) { return make<arith::AddFOp>(low, high); });
}

Value KernelBuilder::maxLanes(Value vector) const {
  return foldLanes(vector, [&](Value low, Value high) { return maxFloat(low, high); });
}

Value KernelBuilder::maskOf(Value count) const {
  return make<vector::CreateMaskOp>(vectorOf(builder.getI1Type()), ValueRange{count});
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

std::pair<Value, Value> KernelBuilder::loadIndex(Value flat, Value offset, Value extent) const {
  Value raw = toIndex(load(flat, offset));
  Value negative = less(raw, index(0));
  Value wrapped = select(negative, add(raw, extent), raw);
  Value inRange = compare(arith::CmpIPredicate::ult, wrapped, extent);
  context.emitCheck(builder, loc, inRange, MOERT_KERNEL_INDEX_OUT_OF_RANGE);
  return {wrapped, inRange};
}

Value KernelBuilder::allOf(ValueRange conditions) const {
  Value all = make<arith::ConstantIntOp>(1, 1);
  for (Value condition : conditions)
    all = both(all, condition);
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
