//===- Binder.cpp - a row's view of one ONNX node -----------------------------===//

#include "Binder.h"
#include "mlir/IR/Matchers.h"
#include "moec/Dialect/Moe/Moe.h"

using namespace mlir;
using namespace moec;

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

SmallVector<Value> Binder::inputs() {
  SmallVector<Value> result;
  for (unsigned i = 0; i < inputCount(); ++i)
    if (has(i))
      result.push_back(input(i));
  return result;
}

static bool hasUnsignedElements(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  return shaped && shaped.getElementType().isUnsignedInteger();
}

bool Binder::isUnsigned(unsigned i) { return hasUnsignedElements(node.getInputs()[i].getType()); }

LogicalResult Binder::sameElements(ArrayRef<unsigned> inputs) {
  auto elementOf = [&](unsigned i) { return cast<ShapedType>(node.getInputs()[i].getType()).getElementType(); };
  for (unsigned i : inputs.drop_front())
    if (has(i) && elementOf(i) != elementOf(inputs.front()))
      return error() << "expected inputs of one element type, found " << elementOf(inputs.front()) << " and "
                     << elementOf(i);
  return success();
}

LogicalResult Binder::sameElements() { return sameElements(llvm::to_vector(llvm::seq<unsigned>(0, inputCount()))); }

FailureOr<Binder::Extents> Binder::integers(unsigned i) {
  if (const ScalarTensor *scalars = values.readScalars(node.getInput(i)))
    return scalars->elements;
  return error() << "input " << i << ": expected at most " << ValueMap::maxScalars
                 << " integers in a tensor of static shape and rank 0 or 1, found " << type(i);
}

FailureOr<Binder::Extents> Binder::sizes(unsigned i) {
  FailureOr<Extents> elements = integers(i);
  if (failed(elements))
    return failure();
  for (Value element : *elements) {
    if (std::optional<int64_t> known = IndexArithmetic::asConstant(element); known && *known < 0)
      return error() << "input " << i << ": expected no negative value, found " << *known;
    if (index.isNonNegative(element))
      continue;
    Value fits = index.compare(arith::CmpIPredicate::sge, element, index.constant(0));
    if (failed(emit.check(fits, "input " + Twine(i) + " is negative")))
      return failure();
    index.assumeNonNegative(element);
  }
  return elements;
}

FailureOr<Value> Binder::scalar(unsigned i) {
  if (failed(emit.unify(index.product(emit.extents(input(i))), index.constant(1),
                        "input " + Twine(i) + ": number of elements")))
    return failure();
  return emit.reshape(input(i), {});
}

FailureOr<Value> Binder::integer(unsigned i) {
  FailureOr<Extents> elements = integers(i);
  if (failed(elements))
    return failure();
  if (elements->size() != 1)
    return error() << "input " << i << ": expected one element, found " << elements->size();
  return elements->front();
}

bool Binder::isWeight(unsigned i) {
  return isa_and_present<moe::LoadWeightOp, onnx::ConstantOp>(node.getInput(i).getDefiningOp());
}

DenseElementsAttr Binder::constantElements(unsigned i) {
  DenseElementsAttr elements;
  if (has(i))
    matchPattern(input(i), m_Constant(&elements));
  return elements;
}

//===----------------------------------------------------------------------===//
// Attributes and axes
//===----------------------------------------------------------------------===//

double Binder::real(StringRef name, double defaultValue) {
  auto attr = dyn_cast_or_null<FloatAttr>(node.getNodeAttr(name));
  return attr ? attr.getValueAsDouble() : defaultValue;
}

LogicalResult Binder::require(StringRef name, int64_t expected) {
  int64_t found = integer(name, expected);
  if (found == expected)
    return success();
  return error() << "attribute " << name << ": expected " << expected << ", found " << found;
}

FailureOr<int64_t> Binder::normalizeAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return error() << "axis " << axis << " is out of range for rank " << rank;
  return axis < 0 ? axis + rank : axis;
}

FailureOr<int64_t> Binder::axis(int64_t defaultValue, int64_t rank) {
  return normalizeAxis(integer("axis", defaultValue), rank);
}

FailureOr<std::optional<Binder::Axes>> Binder::axes(unsigned i, int64_t rank) {
  std::optional<Axes> given = integers("axes");
  if (has(i)) {
    FailureOr<Extents> elements = integers(i);
    if (failed(elements))
      return failure();
    given = IndexArithmetic::asConstants(*elements);
    assert(given && "expected the row to handle axes that are computed");
  }
  if (!given)
    return given;
  for (int64_t &axis : *given) {
    FailureOr<int64_t> normalized = normalizeAxis(axis, rank);
    if (failed(normalized))
      return failure();
    axis = *normalized;
  }
  llvm::sort(*given);
  if (std::adjacent_find(given->begin(), given->end()) != given->end())
    return error() << "an axis is given twice";
  return given;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

Type Binder::resultElement(unsigned i) {
  return storageType(cast<ShapedType>(node.getResult(i).getType()).getElementType());
}

bool Binder::isResultUnsigned(unsigned i) { return hasUnsignedElements(node.getResult(i).getType()); }

bool Binder::hasScalarResult() {
  auto type = cast<ShapedType>(node.getResult(0).getType());
  Type element = type.getElementType();
  bool small = !type.hasRank() || !type.hasStaticShape() || type.getNumElements() <= ValueMap::maxScalars;
  return small && (element.isSignlessInteger(1) || element.isSignlessInteger(32) || element.isSignlessInteger(64));
}

LogicalResult Binder::result(unsigned i, Value tensor) {
  if (!isUsed(i))
    return success();
  auto found = cast<RankedTensorType>(tensor.getType());
  if (found.getElementType() != resultElement(i))
    return error() << "result " << i << ": inferred elements of type " << resultElement(i) << ", lowered to "
                   << found.getElementType();
  auto inferred = dyn_cast<RankedTensorType>(node.getResult(i).getType());
  if (!inferred) {
    values.setTensor(node.getResult(i), tensor);
    return success();
  }
  Extents extents = emit.extents(tensor);
  if (inferred.getRank() != found.getRank())
    return error() << "result " << i << ": inferred rank " << inferred.getRank() << ", lowered to rank "
                   << found.getRank();
  for (auto [axis, size] : llvm::enumerate(inferred.getShape())) {
    if (ShapedType::isDynamic(size))
      continue;
    FailureOr<Value> extent =
        emit.unify(extents[axis], index.constant(size), "result " + Twine(i) + " at dimension " + Twine(axis));
    if (failed(extent))
      return failure();
    extents[axis] = *extent;
  }
  if (ArrayAttr dims = node.getDimsAttr())
    for (auto [extent, symbol] : llvm::zip_equal(extents, cast<ArrayAttr>(dims[i])))
      emit.addSymbol(extent, dyn_cast<StringAttr>(symbol));
  values.setTensor(node.getResult(i), emit.castTo(tensor, emit.typeOf(extents, found.getElementType())));
  return success();
}

LogicalResult Binder::result(unsigned i, ScalarTensor scalars) {
  if (!isUsed(i))
    return success();
  auto inferred = dyn_cast<RankedTensorType>(node.getResult(i).getType());
  auto found = RankedTensorType::get(scalars.shape, scalars.element);
  if (inferred && failed(verifyCompatibleShape(inferred, found)))
    return error() << "result " << i << ": inferred " << inferred << ", lowered to " << found;
  values.setScalars(node.getResult(i), std::move(scalars));
  return success();
}

LogicalResult Binder::result(FailureOr<Value> tensor) { return failed(tensor) ? failure() : result(0, *tensor); }
