//===- GroupedProducts.cpp - products over rows sorted by expert ------------===//

#include "GroupedProducts.h"
#include "GraphPatterns.h"
#include "RoutedRegion.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::raise;

//===----------------------------------------------------------------------===//
// Ranges of rows and slices of weights
//===----------------------------------------------------------------------===//

/// The value below views that keep elements and their types.
static Value skipShapeChanges(Value value) {
  while (onnx::NodeOp node = producer(value)) {
    if (!node.is("Reshape") && !node.is("Squeeze") && !node.is("Unsqueeze") && !node.is("Flatten") &&
        !node.is("Identity"))
      break;
    value = node.getInputs()[0];
  }
  return value;
}

static bool isOnly(Value value, int64_t expected) {
  std::optional<SmallVector<int64_t>> elements = constantInts(value);
  return elements && elements->size() == 1 && elements->front() == expected;
}

/// The bounds of a slice along the first axis with step 1.
static std::optional<std::pair<Value, Value>> matchRowSlice(onnx::NodeOp node) {
  if (!node || !node.is("Slice") || node.getInputs().size() < 3 || (node.getInput(4) && !isOnly(node.getInput(4), 1)))
    return std::nullopt;
  RankedTensorType type = tensorTypeOf(node.getInputs()[0]), bound = tensorTypeOf(node.getInputs()[1]);
  bool isFirstAxis = node.getInput(3) ? isOnly(node.getInput(3), 0) : bound && bound.getShape() == ArrayRef<int64_t>{1};
  if (!type || !isFirstAxis)
    return std::nullopt;
  return std::pair(node.getInputs()[1], node.getInputs()[2]);
}

std::optional<Element> raise::matchElement(Value value) {
  value = skipShapeChanges(value);
  onnx::NodeOp node = producer(value);
  RankedTensorType type = node && !node.getInputs().empty() ? tensorTypeOf(node.getInputs()[0]) : nullptr;
  if (!type || type.getRank() == 0 || type.isDynamicDim(0))
    return std::nullopt;
  if (node.is("Split")) {
    bool isUnit =
        node->getNumResults() == type.getDimSize(0) && (!node.getInput(1) || filledWith(node.getInput(1)) == 1.0);
    if (!isUnit || node.getNodeAttr("split") || normalizeAxis(node.getInt("axis", 0), type.getRank()) != 0)
      return std::nullopt;
    return Element{node.getInputs()[0], cast<OpResult>(value).getResultNumber()};
  }
  std::optional<SmallVector<int64_t>> index;
  if (node.is("Gather") && normalizeAxis(node.getInt("axis", 0), type.getRank()) == 0) {
    index = constantInts(node.getInputs()[1]);
  } else if (auto bounds = matchRowSlice(node)) {
    index = constantInts(bounds->first);
    std::optional<SmallVector<int64_t>> end = constantInts(bounds->second);
    if (!index || !end || index->size() != 1 || end->size() != 1 || end->front() != index->front() + 1)
      return std::nullopt;
  }
  if (!index || index->size() != 1 || index->front() < 0 || index->front() >= type.getDimSize(0))
    return std::nullopt;
  return Element{node.getInputs()[0], index->front()};
}

namespace {
struct RowRange {
  Value rows, begin, end;
};
} // namespace

static std::optional<RowRange> matchRowRange(Value value) {
  onnx::NodeOp node = producer(value);
  if (auto bounds = matchRowSlice(node)) {
    if (constantInts(bounds->second))
      return std::nullopt;
    return RowRange{node.getInputs()[0], bounds->first, bounds->second};
  }
  if (!node || !node.is("Gather") || node.getInt("axis", 0) != 0)
    return std::nullopt;
  onnx::NodeOp range = producer(node.getInputs()[1], "Range");
  if (!range || !isOnly(range.getInputs()[2], 1))
    return std::nullopt;
  return RowRange{node.getInputs()[0], range.getInputs()[0], range.getInputs()[1]};
}

bool raise::resemblesGroupedProduct(onnx::NodeOp concat) {
  RankedTensorType type = concat.is("Concat") ? tensorTypeOf(concat.getResult(0)) : nullptr;
  if (!type || type.getRank() != 2 || normalizeAxis(concat.getInt("axis", 0), 2) != 0)
    return false;
  onnx::NodeOp product = producer(concat.getInputs()[0], "MatMul");
  return product && matchRowRange(product.getInputs()[0]);
}

std::optional<GroupedProduct> raise::matchGroupedProduct(onnx::NodeOp concat, std::string &reason) {
  GroupedProduct found{concat, {}, {}, {}, static_cast<int64_t>(concat.getInputs().size())};
  auto miss = [&](int64_t expert, const Twine &why) {
    reason = ("expert " + Twine(expert) + " " + why).str();
    return std::nullopt;
  };
  for (auto [expert, operand] : llvm::enumerate(concat.getInputs())) {
    onnx::NodeOp product = producer(operand, "MatMul");
    std::optional<RowRange> range = product ? matchRowRange(product.getInputs()[0]) : std::nullopt;
    std::optional<Element> matrix = range ? matchElement(product.getInputs()[1]) : std::nullopt;
    if (!matrix)
      return miss(expert, "is not a product of a range of rows and a slice of a stacked weight");
    std::optional<Element> begin = matchElement(skipReshapes(range->begin)),
                           end = matchElement(skipReshapes(range->end));
    bool fromStart = expert == 0 && isOnly(skipReshapes(range->begin), 0);
    if (!end || (!fromStart && !begin))
      return miss(expert, "has a range of rows that is not between two running sums");
    if (expert == 0)
      found = {concat, range->rows, matrix->source, skipReshapes(end->source), found.expertCount};
    int64_t index = expert;
    if (end->index != index || skipReshapes(end->source) != found.ends || (expert == 0 && !fromStart) ||
        (expert > 0 && (begin->index != index - 1 || skipReshapes(begin->source) != found.ends)))
      return miss(expert, "is not applied to the rows of expert " + Twine(expert));
    if (range->rows != found.rows || matrix->source != found.weight)
      return miss(expert, "has other rows or another stacked weight than the experts before it");
    if (matrix->index != index)
      return miss(expert, "is multiplied by the matrix of expert " + Twine(matrix->index));
  }
  RankedTensorType weight = tensorTypeOf(found.weight),
                   matrix = tensorTypeOf(producer(concat.getInputs()[0]).getInputs()[1]);
  RankedTensorType ends = tensorTypeOf(found.ends);
  if (weight.getRank() != 3 || !weight.hasStaticShape() || !matrix ||
      matrix.getShape() != weight.getShape().drop_front())
    return miss(0, "has a weight that is not a stack of matrices");
  if (weight.getDimSize(0) != found.expertCount || !ends || ends.getShape() != ArrayRef<int64_t>{found.expertCount})
    return miss(found.expertCount, "is missing: weights and row counts are given for another number of experts");
  return found;
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

/// The indices of a full ascending sort of a vector, and the vector.
static std::optional<Value> matchAscendingSort(Value order, const SymbolicShapes &shapes) {
  onnx::NodeOp sort = producer(order, "TopK");
  if (!sort || cast<OpResult>(order).getResultNumber() != 1 || sort.getInt("largest", 1) != 0 ||
      sort.getInt("sorted", 1) != 1)
    return std::nullopt;
  std::optional<ArrayRef<Extent>> extents = shapes.extents(sort.getInputs()[0]),
                                  count = shapes.contents(sort.getInputs()[1]);
  if (!extents || extents->size() != 1 || !count || count->size() != 1 || count->front() != extents->front())
    return std::nullopt;
  return sort.getInputs()[0];
}

/// Whether `value` is false in every element, given that `natural` has no negative one.
static bool isFalse(Value value, Value natural) {
  onnx::NodeOp node = producer(value);
  if (!node || node.getInputs().size() != 2)
    return false;
  if (node.is("And"))
    return isFalse(node.getInputs()[0], natural) || isFalse(node.getInputs()[1], natural);
  if (node.is("Less"))
    return node.getInputs()[0] == natural && isOnly(node.getInputs()[1], 0);
  Value other;
  auto isTrue = [](Value operand) { return isOnly(operand, 1); };
  return node.is("Equal") && splitCommutative(node, isTrue, other) && isFalse(other, natural);
}

/// order / divisor, which exporters round down by subtracting a correction that is 0 here.
static std::optional<std::pair<Value, int64_t>> matchQuotient(Value value) {
  value = skipReshapes(value);
  onnx::NodeOp node = producer(value);
  onnx::NodeOp correction = node && node.is("Sub") ? producer(node.getInputs()[1], "Cast") : nullptr;
  onnx::NodeOp division = correction ? producer(node.getInputs()[0]) : node;
  if (!division || !division.is("Div"))
    return std::nullopt;
  Value order = skipReshapes(division.getInputs()[0]);
  std::optional<SmallVector<int64_t>> divisor = constantInts(division.getInputs()[1]);
  if (!divisor || divisor->size() != 1 || (correction && !isFalse(correction.getInputs()[0], order)))
    return std::nullopt;
  return std::pair(order, divisor->front());
}

/// The data and indices of a gather of whole rows.
static std::optional<std::pair<Value, Value>> matchRowGather(Value value) {
  onnx::NodeOp node = producer(value);
  if (!node || !(node.is("Gather") || node.is("GatherND")))
    return std::nullopt;
  RankedTensorType indices = tensorTypeOf(node.getInputs()[1]);
  bool isRows = node.is("Gather") ? indices && indices.getRank() == 1 && node.getInt("axis", 0) == 0
                                  : indices && indices.getRank() == 2 && indices.getDimSize(1) == 1 &&
                                        node.getInt("batch_dims", 0) == 0;
  if (!isRows)
    return std::nullopt;
  return std::pair(node.getInputs()[0], skipReshapes(node.getInputs()[1]));
}

/// More experts than any model has, and few enough for f32 to hold their ids exactly.
static constexpr int64_t maxExperts = 1 << 16;

/// Whether a type holds ids and counts of rows exactly.
static bool keepsIntegers(Type type) {
  return type.isF32() || type.isF64() || type.isInteger(32) || type.isInteger(64);
}

/// The value below views and casts that keep ids and counts.
static Value skipIntegerCasts(Value value) {
  value = skipReshapes(value);
  for (onnx::NodeOp cast = producer(value, "Cast"); cast && keepsIntegers(getElementTypeOrSelf(value.getType()));
       cast = producer(value, "Cast"))
    value = skipReshapes(cast.getInputs()[0]);
  return value;
}

std::optional<SortedTokens> raise::matchSortedTokens(Value rows, const SymbolicShapes &shapes, std::string &reason) {
  auto miss = [&](const Twine &why) {
    reason = why.str();
    return std::nullopt;
  };
  auto gather = matchRowGather(rows);
  auto quotient = gather ? matchQuotient(gather->second) : std::nullopt;
  std::optional<Value> sorted = quotient ? matchAscendingSort(quotient->first, shapes) : std::nullopt;
  if (!sorted)
    return miss("the rows are not tokens gathered in the order of a sort");
  SortedTokens found;
  found.tokens = gather->first;
  found.order = quotient->first;
  found.sortedIds = found.order.getDefiningOp()->getResult(0);
  Value ids = found.ids = skipIntegerCasts(*sorted);
  onnx::NodeOp selection = producer(ids, "TopK");
  RankedTensorType idsType = tensorTypeOf(ids), scores = selection ? tensorTypeOf(selection.getInputs()[0]) : nullptr;
  if (!scores || cast<OpResult>(ids).getResultNumber() != 1 || idsType.getRank() < 2 ||
      ShapedType::isDynamic(idsType.getShape().back()) || ShapedType::isDynamic(scores.getShape().back()) ||
      normalizeAxis(selection.getInt("axis", -1), scores.getRank()) != scores.getRank() - 1)
    return miss("the sorted ids are not what a TopK selects among a known number of experts");
  found.slotCount = idsType.getShape().back();
  found.idBound = scores.getShape().back();
  if (found.idBound > maxExperts)
    return miss("there are more experts than ids are compared exactly for");
  if (quotient->second != found.slotCount)
    return miss("the order is divided by " + Twine(quotient->second) + ", expected " + Twine(found.slotCount) +
                " experts per token");
  std::optional<ArrayRef<Extent>> tokens = shapes.extents(found.tokens), slots = shapes.extents(ids);
  if (!tokens || tokens->size() != 2 || !slots || (*tokens)[0] != product(slots->drop_back()))
    return miss("the number of tokens cannot be proven to be that of the expert ids");
  return found;
}

//===----------------------------------------------------------------------===//
// Histogram
//===----------------------------------------------------------------------===//

/// One step of a scalar computation on an id; nullopt if it is not understood.
static std::optional<double> applyStep(onnx::NodeOp node, double value) {
  auto number = [&](unsigned operand) { return filledWith(node.getInput(operand)); };
  Type type = getElementTypeOrSelf(node.getResult(0).getType());
  bool isInteger = isa<IntegerType>(type);
  if (node.is("Clip")) {
    for (unsigned operand : {1u, 2u}) {
      std::optional<double> bound = node.getInput(operand) ? number(operand) : std::nullopt;
      if (node.getInput(operand) && !bound)
        return std::nullopt;
      if (bound)
        value = operand == 1 ? std::max(value, *bound) : std::min(value, *bound);
    }
    if (node.getNodeAttr("min") || node.getNodeAttr("max"))
      return std::nullopt;
  } else if (node.is("Div") || node.is("Sub")) {
    std::optional<double> other = number(1);
    if (!other || (node.is("Div") && *other == 0))
      return std::nullopt;
    value = node.is("Div") ? value / *other : value - *other;
  } else if (node.is("Floor")) {
    value = std::floor(value);
  } else if (!node.is("Cast")) {
    return std::nullopt;
  }
  if (!keepsIntegers(type))
    return std::nullopt;
  return isInteger ? std::trunc(value) : type.isF32() ? static_cast<float>(value) : value;
}

/// Whether `value` holds the expert ids in some order, computed in whatever way: proven for each possible id.
static bool holdsIds(Value value, const SortedTokens &sorted) {
  SmallVector<onnx::NodeOp> steps;
  while ((value = skipShapeChanges(value)) != sorted.sortedIds && value != sorted.ids) {
    onnx::NodeOp node = producer(value);
    if (!node || steps.size() > 16)
      return false;
    if (auto gather = matchRowGather(value); gather && gather->second == sorted.order) {
      value = gather->first;
      continue;
    }
    steps.push_back(node);
    value = node.getInputs()[0];
  }
  for (int64_t id : llvm::seq(sorted.idBound)) {
    std::optional<double> result = id;
    for (onnx::NodeOp step : llvm::reverse(steps))
      result = result ? applyStep(step, *result) : std::nullopt;
    if (result != static_cast<double>(id))
      return false;
  }
  return true;
}

bool raise::areGroupEnds(Value ends, const SortedTokens &sorted, int64_t expertCount) {
  onnx::NodeOp sums = producer(skipIntegerCasts(ends), "CumSum");
  if (!sums || !isOnly(sums.getInputs()[1], 0) || sums.getInt("exclusive", 0) != 0 || sums.getInt("reverse", 0) != 0)
    return false;
  onnx::NodeOp histogram = producer(skipIntegerCasts(sums.getInputs()[0]), "ScatterElements");
  RankedTensorType type = histogram ? tensorTypeOf(histogram.getResult(0)) : nullptr;
  return type && type.getShape() == ArrayRef<int64_t>{expertCount} && sorted.idBound <= expertCount &&
         histogram.getString("reduction", "none") == "add" && keepsIntegers(type.getElementType()) &&
         filledWith(histogram.getInputs()[0]) == 0.0 && filledWith(histogram.getInputs()[2]) == 1.0 &&
         holdsIds(histogram.getInputs()[1], sorted);
}

//===----------------------------------------------------------------------===//
// The way back
//===----------------------------------------------------------------------===//

Value raise::gatheredInOrder(Value value, const SortedTokens &sorted) {
  auto gather = matchRowGather(skipFloatCasts(skipShapeChanges(value)));
  if (!gather || gather->second != sorted.order)
    return {};
  RankedTensorType type = tensorTypeOf(gather->first);
  bool isPerRow = type && (type.getRank() == 1 || (type.getRank() == 2 && type.getDimSize(1) == 1));
  return isPerRow ? skipFloatCasts(skipShapeChanges(gather->first)) : Value();
}

/// Whether `node` writes row i of its updates to row order[i], over a tensor with as many rows.
static bool scattersByOrder(onnx::NodeOp node, const SortedTokens &sorted, const SymbolicShapes &shapes) {
  if (!node || !(node.is("ScatterND") || node.is("ScatterElements")) || node.getInputs().size() != 3)
    return false;
  RankedTensorType indices = tensorTypeOf(node.getInputs()[1]), data = tensorTypeOf(node.getInputs()[0]);
  bool isRows = node.is("ScatterND") ? indices && indices.getRank() == 2 && indices.getDimSize(1) == 1
                                     : data && data.getRank() == 1 && indices && indices.getRank() == 1;
  std::optional<ArrayRef<Extent>> extents = shapes.extents(node.getInputs()[0]), order = shapes.extents(sorted.order),
                                  updates = shapes.extents(node.getInputs()[2]);
  bool isWhole =
      extents && ((order && extents->front() == order->front()) || (updates && extents->front() == updates->front()));
  return isRows && isWhole && node.getString("reduction", "none") == "none" &&
         skipReshapes(node.getInputs()[1]) == sorted.order;
}

/// Whether `value` says for each token and slot which sorted row is its own.
static bool isInverse(Value value, const SortedTokens &sorted, const SymbolicShapes &shapes) {
  if (std::optional<Value> argument = matchAscendingSort(value, shapes))
    return skipReshapes(*argument) == sorted.order;
  onnx::NodeOp scatter = producer(value);
  if (!scattersByOrder(scatter, sorted, shapes))
    return false;
  onnx::NodeOp range = producer(scatter.getInputs()[2], "Range");
  return range && isOnly(range.getInputs()[0], 0) && isOnly(range.getInputs()[2], 1);
}

bool raise::restoresOrder(onnx::NodeOp node, Value rows, const SortedTokens &sorted, const SymbolicShapes &shapes) {
  if (auto gather = matchRowGather(node.getResult(0)))
    return gather->first == rows && isInverse(gather->second, sorted, shapes);
  return node.is("ScatterND") && node.getInputs()[2] == rows && scattersByOrder(node, sorted, shapes);
}
