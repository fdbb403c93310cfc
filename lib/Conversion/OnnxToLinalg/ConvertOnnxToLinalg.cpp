//===- ConvertOnnxToLinalg.cpp - ONNX nodes to linalg, tensor and nn ops ------===//

#include "FunctionLowering.h"
#include "NarrowElements.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "moec/Conversion/Passes.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Dialect/Step/Step.h"

namespace moec {
#define GEN_PASS_DEF_CONVERTONNXTOLINALG
#include "moec/Conversion/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;

namespace {

struct ConvertOnnxToLinalg : moec::impl::ConvertOnnxToLinalgBase<ConvertOnnxToLinalg> {
  void runOnOperation() override;
};

} // namespace

std::string moec::labelOf(onnx::NodeOp node) {
  std::string label;
  llvm::raw_string_ostream stream(label);
  if (!node.getDomain().empty())
    stream << node.getDomain() << '.';
  stream << node.getOpType() << '-' << node.getVersion() << " at node \"" << node.getName().value_or("") << '"';
  return label;
}

static bool isPacked(Type type) {
  return isNarrow(getElementTypeOrSelf(type)) && getElementTypeOrSelf(type).getIntOrFloatBitWidth() < 8;
}

/// The bytes of a weight whose elements share bytes.
static RankedTensorType packedType(RankedTensorType type) {
  int64_t bits = type.getNumElements() * type.getElementTypeBitWidth(), bytes = llvm::divideCeil(bits, 8);
  return RankedTensorType::get({bytes}, IntegerType::get(type.getContext(), 8));
}

/// The bytes of constant elements that share bytes.
static DenseElementsAttr packedElements(DenseElementsAttr elements) {
  RankedTensorType type = packedType(cast<RankedTensorType>(elements.getType()));
  unsigned width = elements.getType().getElementTypeBitWidth(), perByte = 8 / width;
  SmallVector<char> bytes(type.getNumElements(), 0);
  for (auto [place, value] : llvm::enumerate(storedNarrowElements(elements).getValues<int8_t>()))
    bytes[place / perByte] |= (value & ((1 << width) - 1)) << (place % perByte * width);
  return DenseElementsAttr::getFromRawBuffer(type, bytes);
}

static void storeWeight(moe::WeightOp weight) {
  auto type = cast<RankedTensorType>(weight.getType());
  bool packs = isPacked(type);
  weight.setTypeAttr(TypeAttr::get(packs ? packedType(type) : storageType(type)));
  if (auto elements = dyn_cast_or_null<ElementsAttr>(weight.getSourceAttr()))
    weight.setSourceAttr(packs ? packedElements(cast<DenseElementsAttr>(elements)) : storedElements(elements));
}

// Exporters leave shape arithmetic behind that nothing uses; it needs no row.
void FunctionLowering::eraseUnusedNodes() {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*block)))
    if (isa<onnx::NodeOp, onnx::ConstantOp, onnx::AbsentOp>(op) && op.use_empty())
      op.erase();
}

// Nodes ask the types of their inputs for signedness, so values of other ops keep their unsigned types to the end and
// are used through casts until then.
void FunctionLowering::bindStored(Value value) {
  Type type = storageType(value.getType());
  if (type == value.getType())
    return;
  auto cast = UnrealizedConversionCastOp::create(builder, type, value);
  storageCasts.push_back(cast);
  values.setTensor(value, cast.getResult(0));
}

// A weight of 4 or 2 bits per element comes as the bytes that hold them, the first element in the lowest bits.
void FunctionLowering::unpackWeight(moe::LoadWeightOp load) {
  auto type = cast<RankedTensorType>(load.getType());
  RankedTensorType packed = packedType(type);
  unsigned width = type.getElementTypeBitWidth();
  auto cast = UnrealizedConversionCastOp::create(builder, packed, load.getResult());
  storageCasts.push_back(cast);
  auto unpacked = RankedTensorType::get({packed.getNumElements() * 8 / width}, builder.getI8Type());
  Value elements = moe::UnpackValuesOp::create(builder, unpacked, cast.getResult(0), width,
                                               type.getElementType().isSignlessInteger());
  TensorEmitter::Extents extents =
      llvm::map_to_vector(type.getShape(), [&](int64_t size) -> Value { return emitter.index.constant(size); });
  Value count = emitter.index.constant(type.getNumElements());
  elements = emitter.sliceAxis(elements, 0, emitter.index.constant(0), count);
  values.setTensor(load.getResult(), emitter.reshape(elements, extents));
}

// Dimensions of one symbol are one extent, confirmed before anything else runs.
LogicalResult FunctionLowering::bindArguments() {
  emitter.setNode(function, "inputs");
  llvm::DenseMap<Attribute, Value> symbols;
  for (BlockArgument argument : block->getArguments()) {
    if (!isa<RankedTensorType>(argument.getType()))
      continue;
    bindStored(argument);
    auto dims = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), "onnx.dims");
    TensorEmitter::Extents extents = emitter.extents(values.tensor(argument));
    if (!dims || dims.size() != extents.size())
      continue;
    for (auto [extent, attr] : llvm::zip_equal(extents, dims)) {
      auto symbol = dyn_cast<StringAttr>(attr);
      if (!symbol || symbol.empty())
        continue;
      emitter.addSymbol(extent, symbol);
      auto [known, isNew] = symbols.try_emplace(symbol, extent);
      if (!isNew && failed(emitter.unify(known->second, extent, "dimension \"" + symbol.getValue() + "\"")))
        return failure();
    }
  }
  return success();
}

static bool isSupported(Type element, const Row &row) {
  if (isNarrow(element))
    return row.takesNarrow;
  if (isa<IntegerType>(element))
    return llvm::is_contained({1u, 8u, 16u, 32u, 64u}, element.getIntOrFloatBitWidth());
  return element.isF16() || element.isBF16() || element.isF32() || element.isF64();
}

LogicalResult FunctionLowering::checkTypes(onnx::NodeOp node, const Row &row) {
  for (auto [i, input] : llvm::enumerate(node.getInputs())) {
    if (isa<NoneType>(input.getType()))
      continue;
    auto type = dyn_cast<ShapedType>(values.tensorType(input));
    if (!type || !type.hasRank())
      return emitter.error() << "input " << i << ": expected a tensor of known rank, found " << input.getType();
    Type element = getElementTypeOrSelf(input.getType());
    if (!isSupported(element, row))
      return emitter.error() << "input " << i << ": elements of type " << element << " are not supported";
  }
  for (unsigned i = 0; i < row.inputs; ++i)
    if (!node.getInput(i))
      return emitter.error() << "input " << i << " is missing";
  for (auto [i, result] : llvm::enumerate(node.getResults())) {
    auto type = dyn_cast<ShapedType>(result.getType());
    if (!result.use_empty() && (!type || !isSupported(type.getElementType(), row)))
      return emitter.error() << "result " << i << ": type " << result.getType() << " is not supported";
  }
  return success();
}

std::optional<ScalarTensor> FunctionLowering::evaluateScalars(onnx::NodeOp node, Binder &binder) {
  const ScalarRow *row = table.findScalar(node.getDomain(), node.getOpType());
  if (!row || node.getNumResults() != 1 || !binder.hasScalarResult())
    return std::nullopt;
  SmallVector<ScalarTensor> inputs;
  for (unsigned i = 0; i < node.getInputs().size(); ++i) {
    const ScalarTensor *known = node.getInput(i) ? binder.knownScalars(i) : nullptr;
    if (node.getInput(i) && !known)
      return std::nullopt;
    inputs.push_back(known ? *known : ScalarTensor());
  }
  return row->evaluate(binder, inputs);
}

LogicalResult FunctionLowering::refuseNode(onnx::NodeOp node) {
  return emitError(node.getLoc()) << "no lowering for " << labelOf(node);
}

LogicalResult FunctionLowering::lowerNode(onnx::NodeOp node) {
  emitter.setNode(node, labelOf(node));
  if (node->getNumRegions() != 0)
    return lowerControlFlow(node);
  const Row *row = table.find(node.getDomain(), node.getOpType(), node.getVersion());
  if (!row)
    return refuseNode(node);
  if (failed(checkTypes(node, *row)))
    return failure();
  Binder binder(node, values, emitter);
  if (std::optional<ScalarTensor> scalars = evaluateScalars(node, binder))
    return binder.result(0, std::move(*scalars));
  if (failed(row->lower(binder)))
    return failure();
  for (auto [i, result] : llvm::enumerate(node.getResults()))
    if (!result.use_empty() && !values.isLowered(result))
      return emitter.error() << "result " << i << " is not supported";
  return success();
}

FailureOr<Value> FunctionLowering::withType(Value tensor, RankedTensorType type, const Twine &what) {
  if (cast<RankedTensorType>(tensor.getType()).getRank() != type.getRank())
    return emitter.error() << what << ": expected " << type << ", found " << tensor.getType();
  for (auto [extent, size] : llvm::zip_equal(emitter.extents(tensor), type.getShape()))
    if (!ShapedType::isDynamic(size) && failed(emitter.unify(extent, emitter.index.constant(size), what)))
      return failure();
  return emitter.castTo(tensor, type);
}

// Ops of other dialects, raised before, keep their types.
LogicalResult FunctionLowering::convertOperands(Operation *op) {
  emitter.setNode(op, op->getName().getStringRef().str());
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<RankedTensorType>(storageType(operand.get().getType()));
    if (!type)
      continue;
    FailureOr<Value> value =
        withType(values.tensor(operand.get()), type, "operand " + Twine(operand.getOperandNumber()));
    if (failed(value))
      return failure();
    operand.set(*value);
  }
  builder.setInsertionPointAfter(op);
  auto load = dyn_cast<moe::LoadWeightOp>(op);
  if (load && isPacked(load.getType())) {
    unpackWeight(load);
    return success();
  }
  for (Value result : op->getResults())
    bindStored(result);
  return success();
}

LogicalResult FunctionLowering::lower(Operation *op) {
  if (op->getBlock() == builder.getInsertionBlock() || op->getBlock() == block)
    builder.setInsertionPoint(op);
  if (auto node = dyn_cast<onnx::NodeOp>(op))
    return lowerNode(node);
  if (isa<onnx::ConstantOp, onnx::AbsentOp, UnrealizedConversionCastOp>(op))
    return success();
  return convertOperands(op);
}

void FunctionLowering::removeNodes() {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*block)))
    if (isa<onnx::NodeOp, onnx::ConstantOp, onnx::AbsentOp>(op) || isOpTriviallyDead(&op))
      op.erase();
}

LogicalResult FunctionLowering::run() {
  eraseUnusedNodes();
  SmallVector<Operation *> ops = llvm::map_to_vector(*block, [](Operation &op) { return &op; });
  if (failed(bindArguments()))
    return failure();
  for (Operation *op : ops)
    if (failed(lower(op)))
      return failure();
  for (UnrealizedConversionCastOp cast : storageCasts) {
    cast.getInputs().front().setType(cast.getType(0));
    cast.replaceAllUsesWith(cast.getInputs());
    cast.erase();
  }
  removeNodes();
  auto signless = [](Type type) { return storageType(type); };
  function.setType(FunctionType::get(function.getContext(), block->getArgumentTypes(),
                                     llvm::map_to_vector(function.getResultTypes(), signless)));
  return success();
}

void ConvertOnnxToLinalg::runOnOperation() {
  RowTable table;
  for (auto function : getOperation().getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    if (!function.getBody().hasOneBlock()) {
      function.emitError("expected a function of one block");
      return signalPassFailure();
    }
    if (failed(FunctionLowering(function, table).run()))
      return signalPassFailure();
  }
  for (auto weight : getOperation().getOps<moe::WeightOp>())
    storeWeight(weight);
}
