//===- WeightEvaluation.cpp - computes the bytes of weights -----------------===//

#include "moec/Artifact/WeightEvaluation.h"

#include "FloatRows.h"
#include "PanelPacking.h"
#include "WeightDequantization.h"
#include "WeightSources.h"

#include "moec/Dialect/Onnx/Onnx.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

#include <functional>

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

/// Evaluates one expression. Values are dropped after their last use.
class ExpressionEvaluator {
public:
  using LoadWeight = std::function<FailureOr<WeightView>(LoadWeightOp)>;

  explicit ExpressionEvaluator(LoadWeight loadWeight) : loadWeight(std::move(loadWeight)) {}

  /// Evaluates everything `value` depends on in its block.
  FailureOr<WeightView> evaluate(Value value);
  /// The operands of a moe.pack_panels.
  FailureOr<PanelPacking> evaluatePacking(PackPanelsOp op);

private:
  FailureOr<WeightView> compute(Operation *op);
  FailureOr<WeightView> slice(tensor::ExtractSliceOp op);
  FailureOr<WeightView> transpose(linalg::TransposeOp op);
  FailureOr<WeightView> expand(tensor::ExpandShapeOp op);
  FailureOr<WeightView> collapse(tensor::CollapseShapeOp op);
  FailureOr<WeightView> concat(tensor::ConcatOp op);
  FailureOr<WeightView> convert(Operation *op);
  FailureOr<WeightView> dequantize(DequantizeOp op);
  FailureOr<WeightView> pack(PackPanelsOp op);

  /// Forgets the operands of `op` that no later op uses.
  void dropOperands(Operation *op);

  LoadWeight loadWeight;
  DenseMap<Value, WeightView> values;
};

} // namespace

void ExpressionEvaluator::dropOperands(Operation *op) {
  for (Value operand : op->getOperands()) {
    auto isDone = [&](Operation *user) { return user == op || user->isBeforeInBlock(op); };
    if (llvm::all_of(operand.getUsers(), isDone))
      values.erase(operand);
  }
}

FailureOr<WeightView> ExpressionEvaluator::evaluate(Value value) {
  SetVector<Operation *> needed;
  SmallVector<Value> worklist = {value};
  while (!worklist.empty()) {
    Value next = worklist.pop_back_val();
    Operation *op = next.getDefiningOp();
    if (values.contains(next) || isa<tensor::EmptyOp>(op) || !needed.insert(op))
      continue;
    // The destination of a transposition holds nothing.
    if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
      worklist.push_back(transpose.getInput());
    else
      llvm::append_range(worklist, op->getOperands());
  }
  for (Operation &op : *value.getDefiningOp()->getBlock()) {
    if (!needed.contains(&op))
      continue;
    FailureOr<WeightView> result = compute(&op);
    if (failed(result))
      return failure();
    values[op.getResult(0)] = *result;
    dropOperands(&op);
  }
  return values.lookup(value);
}

FailureOr<PanelPacking> ExpressionEvaluator::evaluatePacking(PackPanelsOp op) {
  FailureOr<WeightView> w = evaluate(op.getW());
  if (failed(w))
    return failure();
  std::optional<WeightView> linear;
  if (op.getLinear()) {
    FailureOr<WeightView> second = evaluate(op.getLinear());
    if (failed(second))
      return failure();
    linear = *second;
  }
  return PanelPacking(*w, linear);
}

FailureOr<WeightView> ExpressionEvaluator::compute(Operation *op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  bool isLeaf = isa<LoadWeightOp, onnx::ConstantOp, arith::ConstantOp>(op);
  if (!isLeaf && WeightView::elementSize(type.getElementType()) == 0)
    return op->emitOpError("cannot compute elements of ") << type.getElementType() << ", which are parts of a byte";
  return llvm::TypeSwitch<Operation *, FailureOr<WeightView>>(op)
      .Case([&](LoadWeightOp load) { return loadWeight(load); })
      .Case([&](onnx::ConstantOp constant) { return readElements(constant.getValue()); })
      .Case([&](arith::ConstantOp constant) { return readElements(cast<ElementsAttr>(constant.getValue())); })
      .Case([&](tensor::ExtractSliceOp slice) { return this->slice(slice); })
      .Case([&](linalg::TransposeOp transpose) { return this->transpose(transpose); })
      .Case([&](tensor::ExpandShapeOp expand) { return this->expand(expand); })
      .Case([&](tensor::CollapseShapeOp collapse) { return this->collapse(collapse); })
      .Case([&](tensor::ConcatOp concat) { return this->concat(concat); })
      .Case<arith::ExtFOp, arith::TruncFOp>([&](Operation *conversion) { return convert(conversion); })
      .Case([&](DequantizeOp dequantize) { return this->dequantize(dequantize); })
      .Case([&](UnpackValuesOp unpack) -> FailureOr<WeightView> {
        return unpackValues(makeDense(values.lookup(unpack.getQ())), unpack.getBits(), unpack.getIsSigned(), type);
      })
      .Case([&](OffsetValuesOp offset) -> FailureOr<WeightView> {
        return offsetValues(makeDense(values.lookup(offset.getValues())), offset.getBits());
      })
      .Case([&](PackWordsOp pack) -> FailureOr<WeightView> {
        return packWords(makeDense(values.lookup(pack.getValues())), pack.getBits(), type);
      })
      .Case([&](PackPanelsOp pack) { return this->pack(pack); })
      .Default([](Operation *other) { return other->emitOpError("is not an op of weight expressions"); });
}

FailureOr<WeightView> ExpressionEvaluator::slice(tensor::ExtractSliceOp op) {
  auto isDynamic = [](ArrayRef<int64_t> values) { return llvm::any_of(values, ShapedType::isDynamic); };
  if (isDynamic(op.getStaticOffsets()) || isDynamic(op.getStaticSizes()) || isDynamic(op.getStaticStrides()))
    return op.emitOpError("needs static offsets, sizes and strides in the expression of a weight");
  WeightView source = values.lookup(op.getSource());
  WeightView result{op.getType(), source.data, {}, source.storage};
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [i, offset, stride] : llvm::enumerate(op.getStaticOffsets(), op.getStaticStrides())) {
    result.data += offset * source.strides[i] * source.elementSize();
    if (!dropped.test(i))
      result.strides.push_back(source.strides[i] * stride);
  }
  return result;
}

FailureOr<WeightView> ExpressionEvaluator::transpose(linalg::TransposeOp op) {
  WeightView source = values.lookup(op.getInput());
  WeightView result{cast<RankedTensorType>(op->getResult(0).getType()), source.data, {}, source.storage};
  for (int64_t dimension : op.getPermutation())
    result.strides.push_back(source.strides[dimension]);
  return result;
}

FailureOr<WeightView> ExpressionEvaluator::expand(tensor::ExpandShapeOp op) {
  WeightView source = values.lookup(op.getSrc());
  if (op.getReassociationIndices().empty())
    return WeightView::dense(op.getResultType(), source.data, source.storage);
  WeightView result{op.getResultType(), source.data, {}, source.storage};
  for (auto [i, group] : llvm::enumerate(op.getReassociationIndices())) {
    SmallVector<int64_t> shape;
    for (int64_t dimension : group)
      shape.push_back(op.getResultType().getDimSize(dimension));
    for (int64_t stride : WeightView::denseStrides(shape))
      result.strides.push_back(stride * source.strides[i]);
  }
  return result;
}

FailureOr<WeightView> ExpressionEvaluator::collapse(tensor::CollapseShapeOp op) {
  WeightView source = makeDense(values.lookup(op.getSrc()));
  return WeightView::dense(op.getResultType(), source.data, source.storage);
}

FailureOr<WeightView> ExpressionEvaluator::concat(tensor::ConcatOp op) {
  OwnedWeight result(cast<RankedTensorType>(op.getType()));
  int64_t offset = 0, dimension = op.getDim();
  int64_t step = result.view.strides[dimension] * result.view.elementSize();
  for (Value input : op.getInputs()) {
    WeightView piece = values.lookup(input);
    copyElements(piece, result.data + offset * step, result.view.strides);
    offset += piece.shape()[dimension];
  }
  return result.view;
}

FailureOr<WeightView> ExpressionEvaluator::convert(Operation *op) {
  WeightView source = makeDense(values.lookup(op->getOperand(0)));
  OwnedWeight result(cast<RankedTensorType>(op->getResult(0).getType()));
  int64_t from = source.elementSize(), to = result.view.elementSize();
  forRanges(source.count(), from + to, [&](int64_t first, int64_t last) {
    convertFloats(source.data + first * from, cast<FloatType>(source.type.getElementType()), result.data + first * to,
                  cast<FloatType>(result.view.type.getElementType()), last - first);
  });
  return result.view;
}

FailureOr<WeightView> ExpressionEvaluator::dequantize(DequantizeOp op) {
  QuantizedWeight weight;
  weight.bits = op.getBits();
  weight.block = op.getBlock();
  weight.values = makeDense(values.lookup(op.getQ()));
  weight.scales = makeDense(values.lookup(op.getScales()));
  if (op.getZeroPoints())
    weight.zeroPoints = makeDense(values.lookup(op.getZeroPoints()));
  return moec::dequantize(weight, op.getOut().getType());
}

FailureOr<WeightView> ExpressionEvaluator::pack(PackPanelsOp op) {
  std::optional<WeightView> linear;
  if (op.getLinear())
    linear = values.lookup(op.getLinear());
  PanelPacking packing(values.lookup(op.getW()), linear);
  OwnedWeight result(cast<RankedTensorType>(op.getPacked().getType()));
  packing.pack(0, packing.experts(), result.data);
  return result.view;
}

//===----------------------------------------------------------------------===//
// WeightEvaluator
//===----------------------------------------------------------------------===//

class WeightEvaluator::Implementation {
public:
  explicit Implementation(SymbolTable &symbols) : symbols(symbols) {}

  FailureOr<WeightView> evaluate(WeightOp weight);
  LogicalResult write(WeightOp weight, raw_ostream &stream);

private:
  FailureOr<WeightView> load(LoadWeightOp op);
  /// Packs and writes some experts at a time, so that the packed form is never whole in memory.
  LogicalResult writePanels(PackPanelsOp op, raw_ostream &stream);

  SymbolTable &symbols;
  WeightSources sources;
  /// The weights being evaluated, outermost first.
  SetVector<Operation *> active;
};

FailureOr<WeightView> WeightEvaluator::Implementation::load(LoadWeightOp op) {
  auto weight = symbols.lookup<WeightOp>(op.getWeight());
  if (!weight)
    return op.emitOpError("names ") << op.getWeightAttr() << ", which is not a moe.weight";
  return evaluate(weight);
}

FailureOr<WeightView> WeightEvaluator::Implementation::evaluate(WeightOp weight) {
  if (weight.getSource())
    return sources.read(weight);
  if (!active.insert(weight))
    return weight.emitOpError("is computed from itself");
  ExpressionEvaluator expression([&](LoadWeightOp op) { return load(op); });
  auto yield = cast<YieldOp>(weight.getExpression().front().getTerminator());
  FailureOr<WeightView> result = expression.evaluate(yield.getValue());
  active.pop_back();
  return result;
}

LogicalResult WeightEvaluator::Implementation::writePanels(PackPanelsOp op, raw_ostream &stream) {
  ExpressionEvaluator expression([&](LoadWeightOp load) { return this->load(load); });
  FailureOr<PanelPacking> packing = expression.evaluatePacking(op);
  if (failed(packing))
    return failure();
  constexpr int64_t bufferBytes = 64 << 20;
  int64_t step = std::clamp<int64_t>(bufferBytes / std::max<int64_t>(1, packing->expertBytes()), 1, packing->experts());
  std::vector<char> buffer(step * packing->expertBytes());
  for (int64_t first = 0; first < packing->experts(); first += step) {
    int64_t last = std::min(first + step, packing->experts());
    packing->pack(first, last, buffer.data());
    stream.write(buffer.data(), (last - first) * packing->expertBytes());
  }
  return success();
}

LogicalResult WeightEvaluator::Implementation::write(WeightOp weight, raw_ostream &stream) {
  if (!weight.getSource()) {
    auto yield = cast<YieldOp>(weight.getExpression().front().getTerminator());
    if (auto pack = yield.getValue().getDefiningOp<PackPanelsOp>()) {
      active.insert(weight);
      LogicalResult result = writePanels(pack, stream);
      active.pop_back();
      return result;
    }
  }
  FailureOr<WeightView> view = evaluate(weight);
  if (failed(view))
    return failure();
  WeightView bytes = makeDense(*view);
  stream.write(bytes.data, WeightView::byteCount(bytes.type));
  return success();
}

WeightEvaluator::WeightEvaluator(SymbolTable &symbols) : implementation(std::make_unique<Implementation>(symbols)) {}
WeightEvaluator::~WeightEvaluator() = default;

LogicalResult WeightEvaluator::write(WeightOp weight, raw_ostream &stream) {
  return implementation->write(weight, stream);
}
