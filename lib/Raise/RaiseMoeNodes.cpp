//===- RaiseMoeNodes.cpp - com.microsoft MoE and QMoE nodes -----------------===//
//
// Accepts
//
//   MoE (x, logits, fc1, b1?, fc2, b2?, fc3?, b3?)
//   QMoE(x, logits, fc1, s1, b1?, fc2, s2, b2?, fc3?, s3?, b3?, z1?, z2?, z3?, router_weights?)
//
// where the kernels of ONNX Runtime disagree, in the reading that its CPU and the producers' own references share:
//   * `router_probs` are logits. MoE: softmax over all experts, top k, divided by their sum if
//   normalize_routing_weights.
//     QMoE: softmax over the selected, whatever the flag says; with `router_weights` the gates are its entries, divided
//     by their sum if the flag is set.
//   * gelu is the tanh approximation.
//   * fc3 means a gated activation, which has one meaning for silu and for swiglu: silu(fc1 x) * (fc3 x).
//   * weights are [E, out, in]; the legacy order [E, in, out] of MoE is recognised by shape.
//   * quantised bytes are raw; prepacked ones cannot be told apart by their bytes and are refused by attribute and
//   shape.
//
//===----------------------------------------------------------------------===//

#include "GraphPatterns.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"
#include <cmath>

namespace moec {
#define GEN_PASS_DEF_RAISEMOENODES
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

static constexpr StringRef msDomain = "com.microsoft";

namespace {

/// Where the inputs of a node are; -1 where the operator has none.
struct InputPlaces {
  int fc[3], scales[3], bias[3], zeroPoints[3];
  int routerWeights, firstUnknown;
};
constexpr InputPlaces moePlaces = {{2, 4, 6}, {-1, -1, -1}, {3, 5, 7}, {-1, -1, -1}, -1, 8};
constexpr InputPlaces qmoePlaces = {{2, 5, 8}, {3, 6, 9}, {4, 7, 10}, {11, 12, 13}, 14, 15};

class MoeNodeRaiser {
public:
  MoeNodeRaiser(onnx::NodeOp node, WeightBuilder &weights)
      : node(node), weights(weights), isQuantized(node.getOpType() == "QMoE"),
        places(isQuantized ? qmoePlaces : moePlaces), builder(node), nodes(builder, node.getLoc()) {}

  LogicalResult raise();

private:
  /// An error at the node: "node 'n' (MoE): what".
  InFlightDiagnostic error() { return node.emitError("node '") << labelOf(node) << "' (" << node.getOpType() << "): "; }
  InFlightDiagnostic attributeError(StringRef attr, StringRef expected) {
    return error() << "attribute " << attr << ": expected " << expected << ", found ";
  }
  LogicalResult checkAttributes();
  LogicalResult readWeights();
  LogicalResult readDense(unsigned index);
  LogicalResult readQuantized(unsigned index);
  LogicalResult useCanonicalOrder();
  LogicalResult checkShapes();
  LogicalResult chooseActivation();
  LogicalResult buildRoute(Value &experts, Value &gates);
  Value input(int place) { return place < 0 ? Value() : node.getInput(place); }

  onnx::NodeOp node;
  WeightBuilder &weights;
  bool isQuantized;
  const InputPlaces &places;
  OpBuilder builder;
  NodeBuilder nodes;

  Value fc[3], bias[3];
  int64_t hidden = 0, expertCount = 0, inner = 0;
  moe::ActivationAttr activation;
};

} // namespace

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

LogicalResult MoeNodeRaiser::checkAttributes() {
  auto known = {"k",
                "activation_type",
                "normalize_routing_weights",
                "use_sparse_mixer",
                "swiglu_fusion",
                "swiglu_limit",
                "activation_alpha",
                "activation_beta",
                "num_shared_experts"};
  auto knownQuantized = {"expert_weight_bits", "block_size", "quant_type", "weights_prepacked", "accuracy_level"};
  for (NamedAttribute attr : node.getAttrs()) {
    StringRef name = attr.getName();
    if (!llvm::is_contained(known, name) && !(isQuantized && llvm::is_contained(knownQuantized, name)))
      return error() << "unknown attribute " << name;
  }
  if (int64_t value = node.getInt("use_sparse_mixer", 0))
    return attributeError("use_sparse_mixer", "0") << value;
  if (int64_t value = node.getInt("num_shared_experts", 0))
    return attributeError("num_shared_experts", "0") << value;
  if (int64_t value = node.getInt("weights_prepacked", 0); value == 1)
    return attributeError("weights_prepacked", "0 (raw weights)") << value;
  if (StringRef value = node.getString("quant_type", "int"); value != "int")
    return attributeError("quant_type", "\"int\"") << '"' << value << '"';
  int64_t bits = node.getInt("expert_weight_bits", 4);
  if (bits != 2 && bits != 4 && bits != 8)
    return attributeError("expert_weight_bits", "2, 4 or 8") << bits;
  for (unsigned place :
       llvm::seq<unsigned>(places.firstUnknown, std::max<unsigned>(node.getInputs().size(), places.firstUnknown)))
    if (node.getInput(place))
      return error() << "input " << place << " has no known meaning for integer weights";
  return success();
}

LogicalResult MoeNodeRaiser::readDense(unsigned index) {
  fc[index] = weights.get(input(places.fc[index]));
  if (!fc[index])
    return error() << "fc" << index + 1 << "_experts_weights must be constant";
  if (typeOf(fc[index]).getRank() != 3 || !isa<FloatType>(typeOf(fc[index]).getElementType()))
    return error() << "fc" << index + 1 << "_experts_weights: expected a float tensor of rank 3, found "
                   << typeOf(fc[index]);
  return success();
}

LogicalResult MoeNodeRaiser::readQuantized(unsigned index) {
  int64_t bits = node.getInt("expert_weight_bits", 4), block = std::max<int64_t>(node.getInt("block_size", 0), 0);
  std::string name = "fc" + std::to_string(index + 1);
  Value q = weights.get(input(places.fc[index]));
  Value scalesInput = input(places.scales[index]), zeroInput = input(places.zeroPoints[index]);
  Value scales = scalesInput ? weights.get(scalesInput) : Value(),
        zeroPoints = zeroInput ? weights.get(zeroInput) : Value();
  if (!q || !scales || (zeroInput && !zeroPoints))
    return error() << name << "_experts_weights, scales and zero points must be given and constant";
  RankedTensorType type = typeOf(q);
  if (type.getRank() != 3 || !type.getElementType().isUnsignedInteger(8))
    return error() << name << "_experts_weights: expected a tensor of rank 3 of uint8, found " << type;
  int64_t rows = type.getDimSize(1), columns = type.getDimSize(2) * 8 / bits;
  SmallVector<int64_t> scaleShape = {type.getDimSize(0), rows};
  if (block > 0)
    scaleShape.push_back(llvm::divideCeil(columns, block));
  if (typeOf(scales).getShape() != ArrayRef(scaleShape) || !isa<FloatType>(typeOf(scales).getElementType()))
    return error() << name << "_scales: expected floats of shape "
                   << RankedTensorType::get(scaleShape, typeOf(scales).getElementType()) << ", found "
                   << typeOf(scales);
  SmallVector<int64_t> zeroShape = scaleShape;
  zeroShape.back() = llvm::divideCeil(zeroShape.back() * bits, 8);
  if (zeroPoints && (typeOf(zeroPoints).getShape() != ArrayRef(zeroShape) ||
                     !typeOf(zeroPoints).getElementType().isUnsignedInteger(8)))
    return error() << name << "_zero_points: expected " << RankedTensorType::get(zeroShape, type.getElementType())
                   << ", found " << typeOf(zeroPoints);
  auto result = RankedTensorType::get({type.getDimSize(0), rows, columns}, builder.getF32Type());
  fc[index] = moe::DequantizeOp::create(builder, node.getLoc(), result, q, scales, zeroPoints, bits, block);
  return success();
}

LogicalResult MoeNodeRaiser::readWeights() {
  for (unsigned index : {0u, 1u, 2u}) {
    if (!input(places.fc[index])) {
      if (index < 2)
        return error() << "fc" << index + 1 << "_experts_weights is missing";
      if (input(places.bias[index]))
        return error() << "fc3_experts_bias without fc3_experts_weights";
      continue;
    }
    if (failed(isQuantized ? readQuantized(index) : readDense(index)))
      return failure();
    if (Value given = input(places.bias[index])) {
      bias[index] = weights.get(given);
      if (!bias[index])
        return error() << "fc" << index + 1 << "_experts_bias must be constant";
    }
  }
  return success();
}

/// MoE models from before 2025 hold [E, in, out]. Where in = out the newer order is assumed.
LogicalResult MoeNodeRaiser::useCanonicalOrder() {
  auto isOrder = [&](int64_t inAxis) {
    return typeOf(fc[0]).getDimSize(inAxis) == hidden && typeOf(fc[1]).getDimSize(3 - inAxis) == hidden;
  };
  if (isOrder(2))
    return success();
  if (isQuantized || !isOrder(1))
    return error() << "expected fc1_experts_weights [E, N, " << hidden << "] and fc2_experts_weights [E, " << hidden
                   << ", I], found " << typeOf(fc[0]) << " and " << typeOf(fc[1])
                   << (isQuantized ? " (prepacked weights are not supported)" : "");
  for (Value &weight : fc)
    if (weight)
      weight = transposeWeight(builder, node.getLoc(), weight, {0, 2, 1});
  return success();
}

LogicalResult MoeNodeRaiser::checkShapes() {
  inner = typeOf(fc[1]).getDimSize(2);
  bool isFused =
      activation.getLayout() == moe::GateLayout::Concatenated || activation.getLayout() == moe::GateLayout::Interleaved;
  int64_t rows[] = {isFused ? 2 * inner : inner, hidden, inner}, columns[] = {hidden, inner, hidden};
  for (unsigned index : {0u, 1u, 2u}) {
    if (!fc[index])
      continue;
    RankedTensorType type = typeOf(fc[index]);
    auto wanted = RankedTensorType::get({expertCount, rows[index], columns[index]}, type.getElementType());
    if (type != wanted)
      return error() << "fc" << index + 1 << "_experts_weights: expected " << wanted << ", found " << type;
    if (bias[index] && typeOf(bias[index]).getShape() != ArrayRef({expertCount, rows[index]}))
      return error() << "fc" << index + 1 << "_experts_bias: expected shape [" << expertCount << ", " << rows[index]
                     << "], found " << typeOf(bias[index]);
  }
  return success();
}

LogicalResult MoeNodeRaiser::chooseActivation() {
  StringRef name = node.getString("activation_type", "relu");
  int64_t fusion = node.getInt("swiglu_fusion", 0);
  double alpha = node.getFloat("activation_alpha", 1.0f), beta = node.getFloat("activation_beta", 0.0f);
  double limit = node.getFloat("swiglu_limit", std::numeric_limits<float>::infinity());
  if (!std::isfinite(alpha))
    return attributeError("activation_alpha", "a finite number") << alpha;
  if (!std::isfinite(beta))
    return attributeError("activation_beta", "a finite number") << beta;
  if (!(limit > 0))
    return attributeError("swiglu_limit", "a positive number") << limit;
  auto make = [&](moe::ActivationKind kind, moe::GateLayout layout) {
    activation =
        moe::ActivationAttr::get(node.getContext(), kind, layout, APFloat(alpha), APFloat(beta), APFloat(limit));
    return success();
  };
  if (fusion < 0 || fusion > 2)
    return attributeError("swiglu_fusion", "0, 1 or 2") << fusion;
  bool hasLinear = fc[2] != nullptr;
  if (name == "swiglu") {
    if (hasLinear != (fusion == 0))
      return error() << "swiglu with swiglu_fusion = " << fusion << (hasLinear ? " and" : " without")
                     << " fc3_experts_weights has no known meaning";
    return make(moe::ActivationKind::Swiglu, fusion == 0   ? moe::GateLayout::Separate
                                             : fusion == 1 ? moe::GateLayout::Interleaved
                                                           : moe::GateLayout::Concatenated);
  }
  if (fusion != 0)
    return attributeError("swiglu_fusion", "0 without swiglu") << fusion;
  if (alpha != 1)
    return attributeError("activation_alpha", "1 without swiglu") << alpha;
  if (beta != 0)
    return attributeError("activation_beta", "0 without swiglu") << beta;
  if (std::isfinite(limit))
    return attributeError("swiglu_limit", "none without swiglu") << limit;
  std::optional<moe::ActivationKind> kind =
      llvm::StringSwitch<std::optional<moe::ActivationKind>>(name)
          .Case("identity", moe::ActivationKind::Identity)
          .Case("relu", moe::ActivationKind::Relu)
          .Case("gelu", moe::ActivationKind::GeluTanh)
          .Case("silu", hasLinear ? moe::ActivationKind::Swiglu : moe::ActivationKind::Silu)
          .Default(std::nullopt);
  if (!kind)
    return attributeError("activation_type", "relu, gelu, silu, swiglu or identity") << '"' << name << '"';
  if (hasLinear && name != "silu")
    return error() << "fc3_experts_weights with activation_type \"" << name << "\" has no known meaning";
  return make(*kind, hasLinear ? moe::GateLayout::Separate : moe::GateLayout::NotGated);
}

LogicalResult MoeNodeRaiser::buildRoute(Value &experts, Value &gates) {
  int64_t k = node.getInt("k", 1);
  if (k < 1 || k > expertCount)
    return attributeError("k", "a number from 1 to " + std::to_string(expertCount)) << k;
  Value logits = input(1), mix = input(places.routerWeights);
  for (Value *matrix : {&logits, &mix}) {
    if (!*matrix)
      continue;
    RankedTensorType type = tensorTypeOf(*matrix);
    if (!type || type.getRank() < 2 || type.getShape().back() != expertCount)
      return error() << (matrix == &mix ? "router_weights" : "router_probs") << ": expected [T, " << expertCount
                     << "], found " << matrix->getType();
    if (type.getRank() > 2)
      *matrix = nodes.reshape(*matrix, {-1, expertCount});
  }
  bool normalize = node.getInt("normalize_routing_weights", 0) != 0;
  moe::Score score = mix ? moe::Score::Identity : moe::Score::Softmax;
  moe::Over over = isQuantized && !mix ? moe::Over::Selected : moe::Over::All;
  bool divides = normalize && over == moe::Over::All;
  auto router = moe::RouterAttr::get(
      node.getContext(), score, over, k, moe::Select::TopK, 1, 1, moe::GroupScore::Max, moe::Dropped::NegInf,
      divides ? moe::Renormalize::SumPlusEps : moe::Renormalize::None, APFloat(0.0), APFloat(1.0),
      APFloat(0.0));
  SmallVector<int64_t> shape = {typeOf(logits).getDimSize(0), k};
  auto route = moe::RouteOp::create(builder, node.getLoc(), RankedTensorType::get(shape, builder.getI32Type()),
                                    RankedTensorType::get(shape, builder.getF32Type()), logits, Value(), mix, router);
  experts = route.getExperts();
  gates = route.getGates();
  return success();
}

LogicalResult MoeNodeRaiser::raise() {
  Value x = input(0);
  RankedTensorType type = x ? tensorTypeOf(x) : nullptr;
  if (!type || (type.getRank() != 2 && type.getRank() != 3) || ShapedType::isDynamic(type.getShape().back()) ||
      !isa<FloatType>(type.getElementType()) || !input(1))
    return error() << "input: expected floats [T, H] or [B, S, H] with a known H and router_probs, found "
                   << (x ? x.getType() : NoneType::get(node.getContext()));
  hidden = type.getShape().back();
  if (failed(checkAttributes()) || failed(readWeights()) || failed(useCanonicalOrder()) || failed(chooseActivation()))
    return failure();
  expertCount = typeOf(fc[0]).getDimSize(0);
  Value experts, gates;
  if (failed(checkShapes()) || failed(buildRoute(experts, gates)))
    return failure();

  Value rows = nodes.reshape(x, {-1, hidden});
  Value y = moe::ExpertsOp::create(builder, node.getLoc(), rows.getType(), rows, experts, gates, fc[0], fc[1], fc[2],
                                   bias[0], bias[1], bias[2], activation, moe::WeightOn::Output,
                                   builder.getStringAttr(node.getOpType()), builder.getStringAttr(labelOf(node)));
  y = nodes.reshapeLike(y, x, type);
  if (node.getResult(0).getType() != y.getType())
    y = tensor::CastOp::create(builder, node.getLoc(), node.getResult(0).getType(), y);
  node.getResult(0).replaceAllUsesWith(y);
  node.erase();
  return success();
}

namespace {
struct RaiseMoeNodes : moec::impl::RaiseMoeNodesBase<RaiseMoeNodes> {
  void runOnOperation() override {
    SmallVector<onnx::NodeOp> candidates;
    getOperation().walk([&](onnx::NodeOp node) {
      if (node.is("MoE", msDomain) || node.is("QMoE", msDomain))
        candidates.push_back(node);
    });
    WeightBuilder weights(getOperation());
    for (onnx::NodeOp node : candidates)
      if (failed(MoeNodeRaiser(node, weights).raise()))
        return signalPassFailure();
    eraseUnusedNodes(getOperation());
  }
};
} // namespace
