//===- ShapeChecks.cpp - constraints on tensor types, and result extents ----===//

#include "moec/Dialect/Shape/ShapeChecks.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;
using namespace moec;

static std::string printShape(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << '[';
  llvm::interleaveComma(shape, stream, [&](int64_t extent) {
    if (ShapedType::isDynamic(extent))
      stream << '?';
    else
      stream << extent;
  });
  stream << ']';
  return text;
}

static bool agree(int64_t a, int64_t b) { return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b); }

int64_t moec::multiplyExtents(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) ? ShapedType::kDynamic : a * b;
}

InFlightDiagnostic moec::emitBreach(Operation *op, StringRef label) { return op->emitOpError() << label << ": "; }

LogicalResult ShapeChecks::rank(StringRef name, Value value, int64_t rank) const {
  int64_t found = tensorType(value).getRank();
  if (found == rank)
    return success();
  return emitBreach(op, label) << "expected " << name << " of rank " << rank << ", found rank " << found;
}

LogicalResult ShapeChecks::rankAtLeast(StringRef name, Value value, int64_t rank) const {
  int64_t found = tensorType(value).getRank();
  if (found >= rank)
    return success();
  return emitBreach(op, label) << "expected " << name << " of rank at least " << rank << ", found rank " << found;
}

LogicalResult ShapeChecks::shape(StringRef name, Value value, ArrayRef<int64_t> shape) const {
  ArrayRef<int64_t> found = tensorType(value).getShape();
  if (found.size() == shape.size() && llvm::all_of_zip(found, shape, agree))
    return success();
  return emitBreach(op, label) << "expected " << name << " of shape " << printShape(shape) << ", found "
                               << printShape(found);
}

LogicalResult ShapeChecks::staticExtent(StringRef name, Value value, int64_t axis) const {
  if (!tensorType(value).isDynamicDim(axis))
    return success();
  return emitBreach(op, label) << "expected dimension " << axis << " of " << name << " to be static, found "
                               << value.getType();
}

LogicalResult ShapeChecks::staticShape(StringRef name, Value value) const {
  if (tensorType(value).hasStaticShape())
    return success();
  return emitBreach(op, label) << "expected " << name << " of static shape, found " << value.getType();
}

LogicalResult ShapeChecks::axis(int64_t axis, int64_t rank) const {
  if (0 <= axis && axis < rank)
    return success();
  return emitBreach(op, label) << "expected an axis in [0, " << rank << "), found " << axis;
}

LogicalResult ShapeChecks::elementType(StringRef name, Value value, Type expected) const {
  Type found = tensorType(value).getElementType();
  if (found == expected)
    return success();
  return emitBreach(op, label) << "expected " << name << " of element type " << expected << ", found " << found;
}

LogicalResult ShapeChecks::floatElements(StringRef name, Value value) const {
  Type found = tensorType(value).getElementType();
  if (isa<FloatType>(found))
    return success();
  return emitBreach(op, label) << "expected " << name << " of a float element type, found " << found;
}

LogicalResult ShapeChecks::i32Elements(StringRef name, Value value) const {
  return elementType(name, value, IntegerType::get(op->getContext(), 32));
}

LogicalResult ShapeChecks::f32Elements(StringRef name, Value value) const {
  return elementType(name, value, Float32Type::get(op->getContext()));
}

LogicalResult ShapeChecks::byteElements(StringRef name, Value value) const {
  Type found = tensorType(value).getElementType();
  if (found.isUnsignedInteger(8) || found.isSignlessInteger(8))
    return success();
  return emitBreach(op, label) << "expected " << name << " of element type ui8 or i8, found " << found;
}

LogicalResult ShapeChecks::indexElements(StringRef name, Value value) const {
  Type found = tensorType(value).getElementType();
  if (found.isSignlessInteger(32) || found.isSignlessInteger(64))
    return success();
  return emitBreach(op, label) << "expected " << name << " of element type i32 or i64, found " << found;
}

OpFoldResult moec::extentFrom(OpBuilder &builder, Value result, int64_t resultAxis, Value source, int64_t axis) {
  RankedTensorType type = tensorType(result);
  if (!type.isDynamicDim(resultAxis))
    return builder.getIndexAttr(type.getDimSize(resultAxis));
  return tensor::getMixedSize(builder, result.getLoc(), source, axis);
}

SmallVector<OpFoldResult> moec::extentsLike(OpBuilder &builder, Value result, Value source) {
  SmallVector<OpFoldResult> extents;
  for (int64_t axis : llvm::seq(tensorType(result).getRank()))
    extents.push_back(extentFrom(builder, result, axis, source, axis));
  return extents;
}

OpFoldResult moec::multiplyExtents(OpBuilder &builder, Location loc, OpFoldResult a, OpFoldResult b) {
  std::optional<int64_t> staticA = getConstantIntValue(a), staticB = getConstantIntValue(b);
  if (staticA && staticB)
    return builder.getIndexAttr(*staticA * *staticB);
  // Extents do not overflow; saying so lets a later division by one factor fold.
  return builder.createOrFold<arith::MulIOp>(loc, getValueOrCreateConstantIndexOp(builder, loc, a),
                                             getValueOrCreateConstantIndexOp(builder, loc, b),
                                             arith::IntegerOverflowFlags::nsw | arith::IntegerOverflowFlags::nuw);
}
