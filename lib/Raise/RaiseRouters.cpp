//===- RaiseRouters.cpp - scoring and selection in front of moe.experts -----===//
//
// Accepts, with l the logits [.., E], p = Softmax(l), Sigmoid(l) or l itself:
//
//   choice = p (+ bias [E]) (limited to groups, see below)
//   TopK(choice, k) -> values, ids
//   gates  = values | GatherElements(p, ids) | Softmax or Sigmoid of (values | GatherElements(l, ids))
//            (/ sum over the slots | / (sum + eps) | / max(sum, eps)) (* constant)
//   moe.experts routed(ids, gates)
//
// The groups: choice as [T, G, E/G] -> the sum of its two largest or its largest per group -> TopK of groups ->
// ScatterElements of ones into zeros -> repeated to [T, E] -> Where(kept, choice, -inf or 0).
//
// Gates gathered from any other tensor [.., E] become the `mix` operand, and a choice computed in any other way stands
// for logits that are scores already: both are exact.
//
//===----------------------------------------------------------------------===//

#include "GraphPatterns.h"
#include "RoutedLayout.h"
#include "RoutedRegion.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moec/Raise/Passes.h"
#include <cmath>

namespace moec {
#define GEN_PASS_DEF_RAISEROUTERS
#include "moec/Raise/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::raise;

namespace {

class RouterMatcher {
public:
  RouterMatcher(moe::ExpertsOp experts, const SymbolicShapes &shapes) : experts(experts), shapes(shapes) {}

  LogicalResult match();
  void rewrite();
  StringRef reason() const { return why; }

private:
  /// How the gates come from the selection.
  enum class GateBase { Values, GatheredScores };
  /// A score function and what it is applied to.
  struct Scored {
    moe::Score score;
    Value logits;
  };

  LogicalResult miss(const Twine &text) {
    why = text.str();
    return failure();
  }
  LogicalResult matchSelection();
  LogicalResult matchGates(Value value);
  LogicalResult matchNormalization(onnx::NodeOp division, Value &value);
  LogicalResult matchGateBase(Value value);
  LogicalResult matchScores();
  bool matchGroups();
  bool matchKeptGroups(Value mask, bool isKept, Value scores);
  bool matchGroupScore(Value value, Value scores);
  Scored scoreOf(Value value) const;
  bool isExpertIds(Value value) { return skipReshapes(value) == topK.getResult(1); }
  bool isSame(Value a, Value b) const { return skipFloatCasts(a) == skipFloatCasts(b); }

  moe::ExpertsOp experts;
  const SymbolicShapes &shapes;
  std::string why;

  onnx::NodeOp topK;
  int64_t k = 0, expertCount = 0;
  /// What TopK selects by.
  Value choice;
  GateBase base = GateBase::Values;
  Value gathered;
  std::optional<moe::Score> overSelected;

  Value logits, bias, mix;
  moe::Score score = moe::Score::Identity;
  moe::Over over = moe::Over::All;
  moe::Renormalize renormalize = moe::Renormalize::None;
  double eps = 0, scale = 1;
  int64_t groups = 1, keptGroups = 1;
  moe::GroupScore groupScore = moe::GroupScore::Max;
  moe::Dropped dropped = moe::Dropped::NegInf;
};

} // namespace

//===----------------------------------------------------------------------===//
// Selection and gates
//===----------------------------------------------------------------------===//

LogicalResult RouterMatcher::match() {
  if (failed(matchSelection()) || failed(matchGates(experts.getGates())) || failed(matchScores()))
    return failure();
  if (!std::isfinite(scale) || !std::isfinite(eps) || eps < 0)
    return miss("the scale or the epsilon of the gates is not a number a router can have");
  for (Value value : {logits, bias, mix})
    if (value && !isComputedInF32(getElementTypeOrSelf(value.getType())))
      return miss("the router computes in double precision");
  return success();
}

LogicalResult RouterMatcher::matchSelection() {
  Value ids = skipReshapes(experts.getExperts());
  topK = producer(ids, "TopK");
  if (!topK || cast<OpResult>(ids).getResultNumber() != 1)
    return miss("the expert ids do not come from a TopK");
  RankedTensorType type = tensorTypeOf(topK.getInputs()[0]);
  std::optional<SmallVector<int64_t>> count = shapes.constants(topK.getInput(1));
  if (!type || type.getRank() < 2 || ShapedType::isDynamic(type.getShape().back()) ||
      !isa<FloatType>(type.getElementType()))
    return miss("'" + labelOf(topK) + "' does not select among a known number of experts");
  if (normalizeAxis(topK.getInt("axis", -1), type.getRank()) != type.getRank() - 1 || topK.getInt("largest", 1) != 1)
    return miss("'" + labelOf(topK) + "' does not select the largest along the last axis");
  if (!count || count->size() != 1 || count->front() != experts.getSelectedCount())
    return miss("'" + labelOf(topK) + "' selects another number of experts than a token uses");
  if (count->front() > type.getShape().back() || !isComputedInF32(type.getElementType()))
    return miss("'" + labelOf(topK) + "' selects more experts than there are, or in double precision");
  k = count->front();
  expertCount = type.getShape().back();
  choice = skipFloatCasts(topK.getInputs()[0]);
  return success();
}

// From the outside in: scale, normalisation, score over the selected, selection.
LogicalResult RouterMatcher::matchGates(Value value) {
  while (true) {
    value = skipReshapes(value);
    onnx::NodeOp node = producer(value);
    Value other;
    std::optional<double> factor;
    auto isConstant = [&](Value operand) { return (factor = constantSplat(operand)).has_value(); };
    if (node && node.is("Mul") && renormalize == moe::Renormalize::None && splitCommutative(node, isConstant, other)) {
      scale *= *factor;
      value = other;
      continue;
    }
    if (node && node.is("Div") && renormalize == moe::Renormalize::None) {
      if (failed(matchNormalization(node, value)))
        return failure();
      continue;
    }
    return matchGateBase(value);
  }
}

LogicalResult RouterMatcher::matchNormalization(onnx::NodeOp division, Value &value) {
  Value numerator = division.getInputs()[0], denominator = skipFloatCasts(division.getInputs()[1]);
  onnx::NodeOp node = producer(denominator);
  renormalize = moe::Renormalize::SumPlusEps;
  std::optional<double> bound;
  auto isConstant = [&](Value operand) { return (bound = constantSplat(operand)).has_value(); };
  Value sum = denominator;
  if (node && (node.is("Add") || node.is("Max")) && splitCommutative(node, isConstant, sum)) {
    eps = *bound;
    if (node.is("Max"))
      renormalize = moe::Renormalize::MaxEps;
  } else if (node && node.is("Clip")) {
    bound = node.getInput(1) ? constantSplat(node.getInput(1)) : std::nullopt;
    if (!bound || node.getInput(2))
      return miss("'" + labelOf(node) + "' does not bound the sum of the gates from below by a constant");
    eps = *bound;
    renormalize = moe::Renormalize::MaxEps;
    sum = node.getInputs()[0];
  }
  onnx::NodeOp reduction = producer(skipFloatCasts(sum), "ReduceSum");
  if (!reduction || !reducesLastAxisKept(reduction) || !isSame(reduction.getInputs()[0], numerator))
    return miss("'" + labelOf(division) + "' does not divide the gates by their sum over the slots");
  value = numerator;
  return success();
}

static std::optional<moe::Score> scoreFunction(onnx::NodeOp node) {
  if (!node || !node.getDomain().empty())
    return std::nullopt;
  if (node.is("Sigmoid"))
    return moe::Score::Sigmoid;
  RankedTensorType type = node.is("Softmax") ? tensorTypeOf(node.getInputs()[0]) : nullptr;
  if (type &&
      normalizeAxis(node.getInt("axis", node.getVersion() >= 13 ? -1 : 1), type.getRank()) == type.getRank() - 1)
    return moe::Score::Softmax;
  return std::nullopt;
}

LogicalResult RouterMatcher::matchGateBase(Value value) {
  if (std::optional<moe::Score> function = scoreFunction(producer(value)); function && value != choice) {
    overSelected = function;
    value = skipFloatCasts(producer(value).getInputs()[0]);
  }
  if (value == topK.getResult(0)) {
    base = GateBase::Values;
    return success();
  }
  onnx::NodeOp gather = producer(value, "GatherElements");
  if (!gather || !isExpertIds(gather.getInputs()[1]))
    return miss("the gates are not values that the TopK selected");
  RankedTensorType type = tensorTypeOf(gather.getInputs()[0]), idsType = tensorTypeOf(gather.getInputs()[1]);
  if (!type || !idsType || type.getRank() != idsType.getRank() || type.getShape().back() != expertCount ||
      normalizeAxis(gather.getInt("axis", 0), type.getRank()) != type.getRank() - 1)
    return miss("'" + labelOf(gather) + "' does not gather along the experts");
  base = GateBase::GatheredScores;
  gathered = skipFloatCasts(gather.getInputs()[0]);
  return success();
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

RouterMatcher::Scored RouterMatcher::scoreOf(Value value) const {
  onnx::NodeOp node = producer(value);
  if (std::optional<moe::Score> function = scoreFunction(node))
    return {*function, skipFloatCasts(node.getInputs()[0])};
  return {moe::Score::Identity, value};
}

/// Whether `value` is one number per expert.
static bool isPerExpert(Value value, int64_t expertCount) {
  RankedTensorType type = tensorTypeOf(value);
  return type && type.hasStaticShape() && type.getNumElements() == expertCount && type.getRank() >= 1 &&
         type.getShape().back() == expertCount;
}

LogicalResult RouterMatcher::matchScores() {
  Value limited = choice;
  bool isLimited = matchGroups(); // replaces choice by what it is before dropping groups
  onnx::NodeOp add = producer(choice, "Add");
  auto isBias = [&](Value operand) { return isPerExpert(operand, expertCount); };
  Value scores = choice;
  if (add && splitCommutative(add, isBias, scores)) {
    bias = add.getInputs()[add.getInputs()[0] == scores ? 1 : 0];
    scores = skipFloatCasts(scores);
  }

  if (overSelected) {
    // The score function sees the selected logits, which must not carry a bias or a mask of zeros.
    bool valuesAreLogits = base == GateBase::Values && !bias && (!isLimited || dropped == moe::Dropped::NegInf);
    if (!valuesAreLogits && !(base == GateBase::GatheredScores && gathered == scores))
      return miss("the score function over the selected experts is not applied to the logits that select them");
    over = moe::Over::Selected;
    score = *overSelected;
    logits = scores;
    return success();
  }
  if (base == GateBase::Values) {
    // The values are scores unless a bias or a mask of zeros is in them.
    if (bias || (isLimited && dropped == moe::Dropped::Zero)) {
      bias = nullptr;
      groups = keptGroups = 1;
      logits = limited;
      return success();
    }
    Scored scored = scoreOf(scores);
    score = scored.score;
    logits = scored.logits;
    return success();
  }
  if (gathered == scores) {
    Scored scored = scoreOf(scores);
    score = scored.score;
    logits = scored.logits;
    return success();
  }
  mix = gathered;
  logits = scores;
  return success();
}

// Where(dropped, fill, scores), Where(kept, scores, fill)
bool RouterMatcher::matchGroups() {
  onnx::NodeOp where = producer(choice, "Where");
  if (!where)
    return false;
  bool isKept = constantSplat(where.getInputs()[2]).has_value();
  std::optional<double> fill = constantSplat(where.getInputs()[isKept ? 2 : 1]);
  Value scores = skipFloatCasts(where.getInputs()[isKept ? 1 : 2]);
  if (!fill || (*fill != 0 && *fill != -std::numeric_limits<double>::infinity()))
    return false;
  if (!matchKeptGroups(where.getInputs()[0], isKept, scores)) {
    groups = keptGroups = 1;
    return false;
  }
  dropped = *fill == 0 ? moe::Dropped::Zero : moe::Dropped::NegInf;
  choice = scores;
  return true;
}

// A boolean [T, E] that is true for the experts of kept (or dropped) groups.
bool RouterMatcher::matchKeptGroups(Value mask, bool isKept, Value scores) {
  onnx::NodeOp node = producer(mask);
  auto isZero = [](Value operand) { return constantSplat(operand) == 0.0; };
  Value number = mask;
  while (node && getElementTypeOrSelf(number.getType()).isInteger(1)) {
    if (node.is("Not")) {
      isKept = !isKept;
      number = node.getInputs()[0];
    } else if (node.is("Equal") && splitCommutative(node, isZero, number)) {
      isKept = !isKept;
    } else if (node.is("Cast") || node.is("Identity")) {
      number = node.getInputs()[0];
    } else {
      return false;
    }
    node = producer(number);
  }
  number = skipReshapes(number);
  onnx::NodeOp expand = producer(number, "Expand");
  if (!isKept || !expand)
    return false;
  std::optional<ArrayRef<Extent>> from = shapes.extents(expand.getInputs()[0]), to = shapes.extents(number);
  if (!from || !to || from->size() < 2 || from->size() != to->size() || !from->back().isOne() ||
      from->drop_back() != to->drop_back())
    return false;
  std::optional<int64_t> groupCount = (*to)[to->size() - 2].constant(), groupSize = to->back().constant();
  onnx::NodeOp scatter = producer(skipReshapes(expand.getInputs()[0]), "ScatterElements");
  if (!groupCount || !groupSize || *groupCount * *groupSize != expertCount || !scatter ||
      scatter.getString("reduction", "none") != "none")
    return false;
  std::optional<ArrayRef<Extent>> groupShape = shapes.extents(scatter.getResult(0));
  if (!groupShape || groupShape->back() != Extent(*groupCount) ||
      normalizeAxis(scatter.getInt("axis", 0), groupShape->size()) != static_cast<int64_t>(groupShape->size()) - 1 ||
      filledWith(scatter.getInputs()[0]) != 0.0 || filledWith(scatter.getInputs()[2]) != 1.0)
    return false;
  onnx::NodeOp groupTopK = producer(skipReshapes(scatter.getInputs()[1]), "TopK");
  std::optional<SmallVector<int64_t>> kept = groupTopK ? shapes.constants(groupTopK.getInput(1)) : std::nullopt;
  if (!kept || kept->size() != 1 || skipReshapes(scatter.getInputs()[1]) != groupTopK.getResult(1) ||
      groupTopK.getInt("largest", 1) != 1 || kept->front() * *groupSize < k || kept->front() < 1 ||
      kept->front() > *groupCount)
    return false;
  std::optional<ArrayRef<Extent>> scoreShape = shapes.extents(groupTopK.getInputs()[0]);
  if (!scoreShape || scoreShape->back() != Extent(*groupCount) ||
      normalizeAxis(groupTopK.getInt("axis", -1), scoreShape->size()) != static_cast<int64_t>(scoreShape->size()) - 1)
    return false;
  groups = *groupCount;
  keptGroups = kept->front();
  return matchGroupScore(groupTopK.getInputs()[0], scores);
}

// The largest score of a group, or the sum of its two largest.
bool RouterMatcher::matchGroupScore(Value value, Value scores) {
  onnx::NodeOp reduction = producer(skipFloatCasts(value));
  if (!reduction || !(reduction.is("ReduceMax") || reduction.is("ReduceSum")))
    return false;
  Value grouped = skipFloatCasts(reduction.getInputs()[0]);
  std::optional<ArrayRef<Extent>> extents = shapes.extents(grouped);
  std::optional<SmallVector<int64_t>> axes = extents ? constantAxes(reduction, extents->size()) : std::nullopt;
  if (!axes || axes->size() != 1 || axes->front() != static_cast<int64_t>(extents->size()) - 1)
    return false;
  groupScore = moe::GroupScore::Max;
  if (reduction.is("ReduceSum")) {
    onnx::NodeOp topTwo = producer(grouped, "TopK");
    std::optional<SmallVector<int64_t>> two = topTwo ? shapes.constants(topTwo.getInput(1)) : std::nullopt;
    if (!two || two->size() != 1 || two->front() != 2 || grouped != topTwo.getResult(0) ||
        topTwo.getInt("largest", 1) != 1)
      return false;
    grouped = topTwo.getInputs()[0];
    extents = shapes.extents(grouped);
    if (!extents ||
        normalizeAxis(topTwo.getInt("axis", -1), extents->size()) != static_cast<int64_t>(extents->size()) - 1)
      return false;
    groupScore = moe::GroupScore::Top2Sum;
  }
  return extents->size() >= 2 && extents->back() == Extent(expertCount / groups) &&
         (*extents)[extents->size() - 2] == Extent(groups) && skipReshapes(grouped) == skipReshapes(scores);
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

void RouterMatcher::rewrite() {
  OpBuilder builder(experts);
  NodeBuilder nodes(builder, experts.getLoc());
  bool isLimited = groups != keptGroups;
  auto router = moe::RouterAttr::get(
      builder.getContext(), score, over, k, isLimited ? moe::Select::GroupLimited : moe::Select::TopK,
      isLimited ? groups : 1, isLimited ? keptGroups : 1, isLimited ? groupScore : moe::GroupScore::Max,
      isLimited ? dropped : moe::Dropped::NegInf, renormalize, APFloat(eps), APFloat(scale));
  Value rows = nodes.reshape(logits, {-1, expertCount});
  Value perExpert = bias ? nodes.reshape(bias, {expertCount}) : Value();
  Value gates = mix ? nodes.reshape(mix, {-1, expertCount}) : Value();
  auto route = moe::RouteOp::create(builder, topK.getLoc(), experts.getExperts().getType(),
                                    experts.getGates().getType(), rows, perExpert, gates, router);
  experts.getExpertsMutable().assign(route.getExperts());
  experts.getGatesMutable().assign(route.getGates());
}

/// Where every expert sees every token, or has rows of its own, nothing is selected.
static bool selectsExperts(moe::ExpertsOp experts) {
  return experts.getForm() != "dense" && experts.getForm() != "dispatched" && experts.getForm() != "chosen";
}

namespace {
struct RaiseRouters : moec::impl::RaiseRoutersBase<RaiseRouters> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      SmallVector<moe::ExpertsOp> layers;
      function.walk([&](moe::ExpertsOp experts) {
        if (!experts.getExperts().getDefiningOp<moe::RouteOp>() && selectsExperts(experts))
          layers.push_back(experts);
      });
      if (layers.empty())
        continue;
      SymbolicShapes shapes(function);
      for (moe::ExpertsOp experts : layers) {
        RouterMatcher matcher(experts, shapes);
        if (succeeded(matcher.match()))
          matcher.rewrite();
        else
          experts->emitRemark("the router is not raised: ") << matcher.reason();
      }
    }
    eraseUnusedNodes(getOperation());
  }
};
} // namespace
