//===- Evaluate.cpp - reference evaluation of ops and functions -------------===//

#include "moec/Reference/Evaluate.h"
#include "OpEvaluators.h"
#include "moec/Dialect/Onnx/Onnx.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace moec::reference;

const HostTensor &Values::operator[](Value operand) const {
  auto position = llvm::find(op->getOperands(), operand);
  return operands[std::distance(op->operand_begin(), position)];
}

HostTensor &Values::addResult(ArrayRef<int64_t> shape) {
  Type type = op->getResult(results.size()).getType();
  return results.emplace_back(getElementTypeOrSelf(type), shape);
}

static std::string describe(const HostTensor &tensor) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << '[';
  llvm::interleaveComma(tensor.getShape(), stream);
  stream << "] of " << tensor.getElementType();
  return text;
}

/// Whether a value can be that of an operand or result of this type.
static bool hasType(const HostTensor &tensor, Type type) {
  if (tensor.getElementType() != getElementTypeOrSelf(type))
    return false;
  auto shaped = dyn_cast<RankedTensorType>(type);
  return shaped ? succeeded(verifyCompatibleShape(tensor.getShape(), shaped.getShape())) : tensor.getRank() == 0;
}

//===----------------------------------------------------------------------===//
// Ops that only move values
//===----------------------------------------------------------------------===//

namespace moec::reference {

static LogicalResult evaluateConstant(Attribute value, Values &values) {
  if (auto elements = dyn_cast<ElementsAttr>(value)) {
    values.results.emplace_back(elements);
    return success();
  }
  HostTensor &result = values.addResult({});
  if (auto real = dyn_cast<FloatAttr>(value))
    result.setReal(0, real.getValueAsDouble());
  else
    result.setInteger(0, cast<IntegerAttr>(value).getInt());
  return success();
}

static LogicalResult evaluateOp(arith::ConstantOp op, Values &values) {
  return evaluateConstant(op.getValue(), values);
}

static LogicalResult evaluateOp(onnx::ConstantOp op, Values &values) {
  return evaluateConstant(op.getValueAttr(), values);
}

static LogicalResult evaluateOp(tensor::EmptyOp op, Values &values) {
  SmallVector<int64_t> shape(op.getType().getShape());
  auto sizes = values.operands.begin();
  for (int64_t &extent : shape)
    if (ShapedType::isDynamic(extent))
      extent = (sizes++)->integer(0);
  values.addResult(shape);
  return success();
}

static LogicalResult evaluateOp(tensor::CastOp op, Values &values) {
  values.results.push_back(values.operands[0]);
  return success();
}

static LogicalResult evaluateOp(arith::IndexCastOp op, Values &values) {
  const HostTensor &source = values.operands[0];
  HostTensor &result = values.addResult(source.getShape());
  for (int64_t position : llvm::seq(source.getSize()))
    result.setInteger(position, source.integer(position));
  return success();
}

static LogicalResult evaluateOp(tensor::ExtractOp op, Values &values) {
  const HostTensor &source = values.operands[0];
  SmallVector<int64_t> index;
  for (auto [position, extent] : llvm::zip_equal(values.operands.drop_front(), source.getShape())) {
    index.push_back(position.integer(0));
    if (index.back() < 0 || index.back() >= extent)
      return op.emitError() << "index " << index.back() << " is out of range for an extent of " << extent;
  }
  values.addResult({}).copyElement(0, source, source.offset(index));
  return success();
}

static LogicalResult evaluateOp(tensor::DimOp op, Values &values) {
  int64_t axis = values.operands[1].integer(0);
  if (axis < 0 || axis >= values.operands[0].getRank())
    return op.emitError() << "dimension " << axis << " is out of range";
  values.addResult({}).setInteger(0, values.operands[0].getDim(axis));
  return success();
}

} // namespace moec::reference

//===----------------------------------------------------------------------===//
// Ops and functions
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<HostTensor>> moec::reference::evaluate(Operation *op, ArrayRef<HostTensor> operands) {
  if (operands.size() != op->getNumOperands())
    return op->emitError() << "expected " << op->getNumOperands() << " operands, found " << operands.size();
  for (auto [operand, value] : llvm::zip_equal(op->getOperands(), operands))
    if (!hasType(value, operand.getType()))
      return op->emitError() << "expected an operand of type " << operand.getType() << ", found " << describe(value);

  Values values(op, operands);
  auto run = [&](auto known) { return evaluateOp(known, values); };
  LogicalResult status =
      llvm::TypeSwitch<Operation *, LogicalResult>(op)
          .Case<moe::RouteOp, moe::LimitCapacityOp, moe::GroupOp, moe::ExpertsOp, moe::GroupedMatmulOp, moe::CombineOp,
                moe::PackPanelsOp, moe::DequantizeOp, moe::UnpackValuesOp, moe::OffsetValuesOp, moe::PackWordsOp,
                moe::LoadWeightOp>(run)
          .Case<nn::GatherOp, nn::GatherElementsOp, nn::GatherNdOp, nn::ScatterElementsOp, nn::ScatterNdOp, nn::TopKOp,
                nn::CumSumOp, nn::CountNonzeroOp, nn::NonzeroOp, nn::SoftmaxOp, nn::RmsNormOp, nn::LayerNormOp,
                nn::RotaryOp, nn::AttentionOp, nn::KvAppendOp>(run)
          .Case<arith::ConstantOp, arith::IndexCastOp, onnx::ConstantOp, tensor::CastOp, tensor::DimOp, tensor::EmptyOp,
                tensor::ExtractOp>(run)
          .Default([](Operation *unknown) { return unknown->emitError("has no reference evaluation"); });
  if (failed(status))
    return failure();
  for (auto [result, value] : llvm::zip_equal(op->getResults(), values.results))
    if (!hasType(value, result.getType()))
      return op->emitError() << "expected a result of type " << result.getType() << ", found " << describe(value);
  return SmallVector<HostTensor>(values.results.begin(), values.results.end());
}

FailureOr<SmallVector<HostTensor>> moec::reference::evaluateFunction(func::FuncOp function,
                                                                     ArrayRef<HostTensor> inputs) {
  if (!function.getBody().hasOneBlock())
    return function.emitError("expected a function of one block");
  Block &block = function.getBody().front();
  if (inputs.size() != block.getNumArguments())
    return function.emitError() << "expected " << block.getNumArguments() << " inputs, found " << inputs.size();
  DenseMap<Value, HostTensor> values;
  for (auto [argument, input] : llvm::zip_equal(block.getArguments(), inputs))
    values[argument] = input;
  for (Operation &op : block) {
    SmallVector<HostTensor> operands;
    for (Value operand : op.getOperands())
      operands.push_back(values.lookup(operand));
    if (isa<func::ReturnOp>(op))
      return operands;
    FailureOr<SmallVector<HostTensor>> results = evaluate(&op, operands);
    if (failed(results))
      return failure();
    for (auto [result, value] : llvm::zip_equal(op.getResults(), *results))
      values[result] = value;
  }
  return function.emitError("expected the function to end in func.return");
}
