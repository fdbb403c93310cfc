//===- RoutedExperts.cpp - from the sources of a region to moe.experts ------===//

#include "RoutedExperts.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

RoutedExperts::RoutedExperts(const RoutedRegion &region, ActivationMatch match, RoutedSource down, Value downBias)
    : activation(std::move(match)), gate(region.source(activation.gate.source)), down(std::move(down)),
      downBias(downBias) {
  if (activation.linear)
    linear = region.source(activation.linear->source);
  inner = typeOf(this->down.value).getDimSize(this->down.outByIn ? 2 : 1);
}

RoutedExperts::RoutedExperts(ActivationMatch match, RoutedSource gate, std::optional<RoutedSource> linear,
                             RoutedSource down, Value downBias)
    : activation(std::move(match)), gate(std::move(gate)), down(std::move(down)), linear(std::move(linear)),
      downBias(downBias) {
  inner = typeOf(this->down.value).getDimSize(this->down.outByIn ? 2 : 1);
}

int64_t RoutedExperts::expertCount() const { return typeOf(down.value).getDimSize(0); }

LogicalResult RoutedExperts::check(WeightBuilder &weights, ArrayRef<Type> rowTypes, std::string &reason) const {
  auto miss = [&](const Twine &text) {
    reason = text.str();
    return failure();
  };
  Type elementType = typeOf(down.value).getElementType();
  if (!isComputedInF32(elementType))
    return miss("the weights are not f32, f16 or bf16");
  SmallVector<const RoutedSource *> sources = {&gate, &down};
  if (linear)
    sources.push_back(&*linear);
  for (const RoutedSource *source : sources) {
    if (typeOf(source->value).getDimSize(0) != expertCount())
      return miss("the weights have different numbers of experts");
    if (typeOf(source->value).getElementType() != elementType ||
        llvm::any_of(rowTypes, [&](Type type) { return getElementTypeOrSelf(type) != elementType; }))
      return miss("the weights and the tokens have different element types");
    if (!weights.get(source->value))
      return miss("the stacked weights are not constant");
  }
  // A bias of one column would be repeated.
  auto isBias = [&](Value bias, int64_t columns) {
    return !bias || (weights.get(bias) && typeOf(bias).getShape().back() == columns &&
                     typeOf(bias).getNumElements() == expertCount() * columns);
  };
  if (!isBias(downBias, typeOf(down.value).getDimSize(down.outByIn ? 1 : 2)) || !isBias(gate.bias, gate.columns) ||
      (linear && !isBias(linear->bias, linear->columns)))
    return miss("a stacked bias is not a constant with a row per expert and an element per column");
  auto isInside = [&](const ScalarNode &column, const RoutedSource &source) {
    return column.start + column.step * (inner - 1) < source.columns;
  };
  if (!isInside(activation.gate, gate) || (linear && !isInside(*activation.linear, *linear)))
    return miss("the activation reads past the columns of the first product");
  return success();
}

moe::GateLayout RoutedExperts::gateLayout() const {
  if (!activation.linear)
    return moe::GateLayout::NotGated;
  const ScalarNode &g = activation.gate, &l = *activation.linear;
  bool isWhole = g.source == l.source && gate.columns == 2 * inner && g.start == 0;
  if (isWhole && g.step == 1 && l.step == 1 && l.start == inner)
    return moe::GateLayout::Concatenated;
  if (isWhole && g.step == 2 && l.step == 2 && l.start == 1)
    return moe::GateLayout::Interleaved;
  return moe::GateLayout::Separate;
}

/// The rows of a stacked weight or bias that a column stands for.
static Value sliceRows(OpBuilder &builder, Value weight, const ScalarNode &column, int64_t count) {
  RankedTensorType type = typeOf(weight);
  if (column.start == 0 && column.step == 1 && type.getDimSize(1) == count)
    return weight;
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0)),
      strides(type.getRank(), builder.getIndexAttr(1)), sizes;
  for (int64_t extent : type.getShape())
    sizes.push_back(builder.getIndexAttr(extent));
  offsets[1] = builder.getIndexAttr(column.start);
  strides[1] = builder.getIndexAttr(column.step);
  sizes[1] = builder.getIndexAttr(count);
  return tensor::ExtractSliceOp::create(builder, weight.getLoc(), weight, offsets, sizes, strides);
}

moe::ExpertsOp RoutedExperts::create(OpBuilder &builder, Location loc, WeightBuilder &weights, Value tokens,
                                     Value experts, Value gates, moe::WeightOn weightOn, StringRef form,
                                     StringRef label) const {
  auto canonical = [&](const RoutedSource &source) {
    Value weight = weights.get(source.value);
    return source.outByIn ? weight : transposeWeight(builder, weight.getLoc(), weight, {0, 2, 1});
  };
  auto weightRows = [&](const RoutedSource &source, const ScalarNode &column) {
    return sliceRows(builder, canonical(source), column, inner);
  };
  // [E, 1, N] has the rows of [E, N].
  auto canonicalBias = [&](Value bias) {
    Value weight = weights.get(bias);
    return reshapeWeight(builder, weight.getLoc(), weight, {expertCount(), typeOf(weight).getShape().back()});
  };
  auto biasRows = [&](const RoutedSource &source, const ScalarNode &column) {
    return source.bias ? sliceRows(builder, canonicalBias(source.bias), column, inner) : Value();
  };
  moe::GateLayout layout = gateLayout();
  bool isFused = layout == moe::GateLayout::Concatenated || layout == moe::GateLayout::Interleaved;
  Value w1, w3, b1, b3;
  if (layout == moe::GateLayout::Separate) {
    w3 = weightRows(*linear, *activation.linear);
    b3 = biasRows(*linear, *activation.linear);
  }
  w1 = isFused ? canonical(gate) : weightRows(gate, activation.gate);
  if (gate.bias)
    b1 = isFused ? canonicalBias(gate.bias) : biasRows(gate, activation.gate);
  Value w2 = canonical(down), b2 = downBias ? canonicalBias(downBias) : Value();
  Value x = NodeBuilder(builder, loc).reshape(tokens, {-1, typeOf(w1).getDimSize(2)});
  auto attr = moe::ActivationAttr::get(builder.getContext(), activation.kind, layout, APFloat(activation.alpha),
                                       APFloat(activation.beta), APFloat(activation.limit));
  auto type = RankedTensorType::get({typeOf(x).getDimSize(0), typeOf(w2).getDimSize(1)}, typeOf(x).getElementType());
  return moe::ExpertsOp::create(builder, loc, type, x, experts, gates, w1, w2, w3, b1, b2, b3, attr, weightOn,
                                builder.getStringAttr(form), builder.getStringAttr(label));
}

LogicalResult moec::raise::matchLayerInput(RoutedRegion &region, int64_t sourceIndex, bool gatesAfter, Value &tokens,
                                           moe::WeightOn &weightOn, std::string &reason) {
  auto miss = [&](StringRef text) {
    reason = text.str();
    return failure();
  };
  ScalarExpressions &pool = region.expressions();
  const RoutedSource &source = region.source(sourceIndex);
  if (source.kind != RoutedSource::Product)
    return miss("the activation is not a function of the first product");
  ScalarId rows = source.data;
  if (pool.usesGate(rows)) {
    std::optional<ScalarId> rest = pool.withoutGate(rows);
    if (!rest || gatesAfter)
      return miss("the gates multiply more than once");
    weightOn = moe::WeightOn::Input;
    rows = *rest;
  }
  const ScalarNode &column = pool[rows];
  if (column.kind != ScalarKind::Column || region.source(column.source).kind != RoutedSource::Tokens)
    return miss("the first product is not applied to the tokens");
  Value found = region.source(column.source).value;
  if (tokens && tokens != found)
    return miss("the two products in front of the activation have different inputs");
  tokens = found;
  return success();
}
