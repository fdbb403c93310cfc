//===- ElementRuns.cpp - neighbouring elements moved together ---------------===//

#include "ElementRuns.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

int64_t moec::getStoredBytes(Type element) {
  if (element.isInteger(1))
    return 1;
  bool isPlain = element.isF64() || element.isF32() || element.isF16() || element.isBF16() || element.isInteger(8) ||
                 element.isInteger(16) || element.isInteger(32) || element.isInteger(64);
  return isPlain ? element.getIntOrFloatBitWidth() / 8 : 0;
}

int64_t moec::getRunWidth(ArrayRef<Type> elements, ArrayRef<int64_t> extents, int64_t bytes) {
  int64_t width = bytes;
  for (Type element : elements) {
    int64_t stored = getStoredBytes(element);
    if (stored == 0)
      return 0;
    width = std::min(width, bytes / stored);
  }
  for (int64_t extent : extents)
    width = ShapedType::isDynamic(extent) ? 1 : std::gcd(width, extent);
  return width;
}

ElementRuns::ElementRuns(const GpuBlockBuilder &block, Value memref)
    : block(block), element(cast<MemRefType>(memref.getType()).getElementType()), pointer(block.globalPointer(memref)) {
}

Value ElementRuns::at(Value offset) const {
  return block.at(pointer, block.mul(block.toI64(offset), getStoredBytes(element)));
}

Type ElementRuns::storedType(int64_t count) const {
  Type stored = element.isInteger(1) ? block.builder.getI8Type() : element;
  return count == 1 ? stored : VectorType::get(count, stored);
}

/// Bits that are moved together.
static Type bitsType(OpBuilder &builder, int64_t bytes) {
  return bytes <= 4 ? Type(builder.getIntegerType(8 * bytes)) : VectorType::get(bytes / 4, builder.getI32Type());
}

/// Bytes are taken out of words: LLVM would rather load vectors of them one by one.
Values ElementRuns::loadBytes(Value offset, int64_t count) const {
  Value words = block.load(bitsType(block.builder, count), at(offset));
  Values values;
  for (int64_t i = 0; i < count; ++i) {
    Value word = count <= 4 ? words : block.make<LLVM::ExtractElementOp>(words, block.i32(i / 4));
    values.push_back(block.make<arith::TruncIOp>(element, block.shiftRight(word, 8 * (i % 4))));
  }
  return values;
}

Values ElementRuns::load(Value offset, int64_t count) const {
  if (getStoredBytes(element) == 1 && count > 1)
    return loadBytes(offset, count);
  Value run = block.load(storedType(count), at(offset));
  Values values;
  for (int64_t i = 0; i < count; ++i) {
    Value value = count == 1 ? run : block.make<LLVM::ExtractElementOp>(run, block.i32(i));
    values.push_back(element.isInteger(1) ? block.make<arith::TruncIOp>(element, value) : value);
  }
  return values;
}

void ElementRuns::store(ValueRange values, Value offset) const {
  Type type = storedType(values.size());
  Value run = values.size() == 1 ? Value() : block.make<LLVM::PoisonOp>(type);
  for (auto [i, value] : llvm::enumerate(values)) {
    Value stored = element.isInteger(1) ? block.make<arith::ExtUIOp>(block.builder.getI8Type(), value) : value;
    run = run ? block.make<LLVM::InsertElementOp>(run, stored, block.i32(i)) : stored;
  }
  block.store(run, at(offset));
}

Values ElementRuns::loadReals(Value offset, int64_t count) const {
  Values values = load(offset, count);
  for (Value &value : values)
    value = block.convert(value, block.builder.getF32Type());
  return values;
}

void ElementRuns::storeReals(ValueRange values, Value offset) const {
  store(llvm::map_to_vector(values, [&](Value value) { return block.convert(value, element); }), offset);
}

void ElementRuns::copy(Value offset, const ElementRuns &target, Value targetOffset, int64_t count) const {
  Type bits = bitsType(block.builder, count * getStoredBytes(element));
  block.store(block.load(bits, at(offset)), target.at(targetOffset));
}

Value moec::isNonzero(const GpuBlockBuilder &block, Value value) {
  Value zero = block.make<arith::ConstantOp>(cast<TypedAttr>(block.builder.getZeroAttr(value.getType())));
  if (isa<FloatType>(value.getType()))
    return block.make<arith::CmpFOp>(arith::CmpFPredicate::UNE, value, zero);
  return block.compare(arith::CmpIPredicate::ne, value, zero);
}
