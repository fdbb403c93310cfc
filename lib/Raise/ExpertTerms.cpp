//===- ExpertTerms.cpp - what a sum over experts adds up --------------------===//

#include "ExpertTerms.h"
#include "RoutedRegion.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

namespace {
class TermCollector {
public:
  explicit TermCollector(ExpertSum &sum) : sum(sum) {}

  /// Decomposes the value of `node`; false if it is no sum.
  bool visitNode(onnx::NodeOp node);

private:
  void visit(Value value);
  bool visitScatter(onnx::NodeOp node);
  bool visitWhere(onnx::NodeOp node);
  bool visitStack(onnx::NodeOp node);

  ExpertSum &sum;
};
} // namespace

/// What is added to rows `index` of `into` before they are put back: `updates` are these rows plus the result. Null if
/// they are not.
static Value addedRows(Value updates, Value into, Value index) {
  onnx::NodeOp add = producer(updates, "Add");
  Value term;
  auto isRows = [&](Value operand) {
    onnx::NodeOp gather = producer(operand);
    return gather && (gather.is("Gather") || gather.is("GatherND")) && gather.getInputs()[0] == into &&
           gather.getInt("axis", 0) == 0 && gather.getInt("batch_dims", 0) == 0 &&
           skipReshapes(gather.getInputs()[1]) == skipReshapes(index);
  };
  return add && splitCommutative(add, isRows, term) && !isRows(term) ? term : Value();
}

/// Whether a partial sum has no use besides the next ones.
static bool isOnlyAddedTo(Value value) {
  llvm::SmallDenseSet<Operation *> readers;
  for (Operation *user : value.getUsers()) {
    auto node = dyn_cast<onnx::NodeOp>(user);
    if (node && node.is("Shape"))
      continue;
    // Rows that are put back where they came from.
    onnx::NodeOp add = node && (node.is("Gather") || node.is("GatherND")) ? onlyReader(node.getResult(0)) : nullptr;
    onnx::NodeOp scatter = add && add.is("Add") ? onlyReader(add.getResult(0)) : nullptr;
    if (scatter && scatter.is("ScatterND") && scatter.getInputs()[0] == value)
      continue;
    // index_add looks at the shape of one row of its target.
    onnx::NodeOp only = node && node.is("Slice") ? onlyReader(node.getResult(0)) : onnx::NodeOp();
    if (node && node.is("Slice") && !only && llvm::all_of(node->getUsers(), [](Operation *reader) {
          auto shape = dyn_cast<onnx::NodeOp>(reader);
          return shape && shape.is("Shape");
        }))
      continue;
    readers.insert(user);
  }
  if (readers.size() <= 1)
    return true;
  // Where(mask, sum + term, sum) reads it twice.
  return readers.size() == 2 && llvm::any_of(readers, [&](Operation *reader) {
           auto where = dyn_cast<onnx::NodeOp>(reader);
           return where && where.is("Where") && where.getInputs()[2] == value &&
                  llvm::any_of(readers, [&](Operation *other) {
                    return other != reader && other == where.getInputs()[1].getDefiningOp();
                  });
         });
}

void TermCollector::visit(Value value) {
  if (filledWith(value) == 0.0) {
    sum.zeros.push_back(value);
    return;
  }
  if (onnx::NodeOp node = producer(value); node && isOnlyAddedTo(value) && visitNode(node)) {
    sum.inner.push_back(node);
    return;
  }
  sum.terms.push_back({value});
}

/// The index below Unsqueeze and an Expand.
static Value rowsOfExpandedIndex(Value index) {
  onnx::NodeOp expand = producer(index, "Expand");
  onnx::NodeOp unsqueeze = expand ? producer(expand.getInputs()[0], "Unsqueeze") : nullptr;
  RankedTensorType type = unsqueeze ? tensorTypeOf(unsqueeze.getResult(0)) : nullptr;
  return type && type.getRank() == 2 && type.getDimSize(1) == 1 ? unsqueeze.getInputs()[0] : Value();
}

/// Whether `index` is expanded to the shape of `updates`, which have a row for each of its own.
static bool isAsWideAs(Value index, Value updates) {
  onnx::NodeOp shape = producer(producer(index).getInputs()[1], "Shape");
  return shape && shape.getInputs()[0] == updates;
}

// ScatterND(sum, index, term, add), ScatterND(sum, index, sum[index] + term), ScatterElements(sum, index as wide as the
// term, term, add or, over zeros, none)
bool TermCollector::visitScatter(onnx::NodeOp node) {
  Value into = node.getInputs()[0], index = node.getInputs()[1], updates = node.getInputs()[2];
  RankedTensorType type = tensorTypeOf(into), indexType = tensorTypeOf(index), updateType = tensorTypeOf(updates);
  StringRef reduction = node.getString("reduction", "none");
  if (!type || !indexType || !updateType || type.getRank() != 2 || updateType.getRank() != 2 ||
      updateType.getDimSize(1) != type.getDimSize(1) || type.isDynamicDim(1))
    return false;
  if (node.is("ScatterND")) {
    if (indexType.getRank() != 2 || indexType.getDimSize(1) != 1)
      return false;
  } else {
    Value rows = normalizeAxis(node.getInt("axis", 0), 2) == 0 ? rowsOfExpandedIndex(index) : Value();
    // A single row that is repeated would be added more than once.
    if (!rows || (reduction != "none" && !isAsWideAs(index, updates)))
      return false;
    index = rows;
    // Each row of an Expand is the row it was, or all are the only one; so are those of the index.
    if (onnx::NodeOp expand = producer(updates, "Expand"); expand && reduction == "none")
      updates = expand.getInputs()[0];
  }
  if (Value added = reduction == "none" && node.is("ScatterND") ? addedRows(updates, into, index) : Value()) {
    sum.terms.push_back({.value = added, .tokenIndex = index, .overwrites = true});
    visit(into);
    return true;
  }
  bool overwrites = reduction == "none" && filledWith(into) == 0.0;
  if (reduction != "add" && !overwrites)
    return false;
  sum.terms.push_back({.value = updates, .tokenIndex = index, .overwrites = overwrites});
  visit(into);
  return true;
}

// Where(gate > 0, sum + term, sum)
bool TermCollector::visitWhere(onnx::NodeOp node) {
  onnx::NodeOp greater = producer(node.getInputs()[0], "Greater"), add = producer(node.getInputs()[1], "Add");
  Value before = node.getInputs()[2], term;
  auto isBefore = [&](Value operand) { return operand == before; };
  if (!greater || filledWith(greater.getInputs()[1]) != 0.0 || !add || !splitCommutative(add, isBefore, term) ||
      term == before || tensorTypeOf(term) != tensorTypeOf(node.getResult(0)))
    return false;
  sum.terms.push_back({.value = term, .positiveGate = greater.getInputs()[0]});
  sum.inner.push_back(add);
  visit(before);
  return true;
}

/// What `value` is with a new axis at `at`; null if it is anything else.
static Value unsqueezedAt(Value value, int64_t at) {
  onnx::NodeOp unsqueeze = producer(value, "Unsqueeze");
  std::optional<SmallVector<int64_t>> inserted =
      unsqueeze ? constantAxes(unsqueeze, tensorTypeOf(value).getRank()) : std::nullopt;
  return inserted && *inserted == SmallVector<int64_t>{at} ? unsqueeze.getInputs()[0] : Value();
}

// ReduceSum over the axis along which the experts are concatenated, [T, E, H] or [E, T, H], times a gate per expert or
// as they are.
bool TermCollector::visitStack(onnx::NodeOp node) {
  Value stack = node.getInputs()[0];
  RankedTensorType type = tensorTypeOf(stack);
  std::optional<SmallVector<int64_t>> axes = type ? constantAxes(node, type.getRank()) : std::nullopt;
  if (!axes || axes->size() != 1 || node.getInt("keepdims", 1) != 0 || type.getRank() < 3)
    return false;
  int64_t axis = axes->front(), rank = type.getRank();
  if (onnx::NodeOp concat = producer(stack, "Concat")) {
    SmallVector<Value> parts;
    for (Value part : concat.getInputs())
      parts.push_back(unsqueezedAt(part, axis));
    if (normalizeAxis(concat.getInt("axis", 0), rank) != axis || llvm::is_contained(parts, Value()))
      return false;
    for (Value part : parts)
      sum.terms.push_back({part});
    return true;
  }
  onnx::NodeOp product = producer(stack, "Mul");
  if (!product)
    return false;
  Value gates;
  onnx::NodeOp concat;
  auto isConcat = [&](Value operand) { return (concat = producer(operand, "Concat")) != nullptr; };
  if (!splitCommutative(product, isConcat, gates) || normalizeAxis(concat.getInt("axis", 0), rank) != axis ||
      tensorTypeOf(concat.getResult(0)).getRank() != rank || (axis != rank - 2 && axis != 0))
    return false;
  Value matrix = tensorTypeOf(gates).getRank() == rank ? unsqueezedAt(gates, rank - 1) : Value();
  if (axis != rank - 2 && matrix) {
    onnx::NodeOp transpose = producer(matrix, "Transpose");
    bool isSwap = transpose && rank == 3 &&
                  transpose.getInts("perm").value_or(SmallVector<int64_t>{1, 0}) == SmallVector<int64_t>{1, 0};
    matrix = isSwap ? transpose.getInputs()[0] : Value();
  }
  RankedTensorType matrixType = matrix ? tensorTypeOf(matrix) : nullptr;
  if (!matrixType || matrixType.getShape().back() != static_cast<int64_t>(concat.getInputs().size()))
    return false;
  for (auto [expert, part] : llvm::enumerate(concat.getInputs())) {
    Value value = unsqueezedAt(part, axis);
    if (!value)
      return false;
    sum.terms.push_back({.value = value, .gateMatrix = matrix, .expert = static_cast<int64_t>(expert)});
  }
  return true;
}

bool TermCollector::visitNode(onnx::NodeOp node) {
  if (!node.getDomain().empty() || node->getNumResults() != 1 || !tensorTypeOf(node.getResult(0)) ||
      !isa<FloatType>(tensorTypeOf(node.getResult(0)).getElementType()))
    return false;
  if (node.is("Add") || node.is("Sum")) {
    for (Value input : node.getInputs())
      visit(input);
    return true;
  }
  if (node.is("ScatterND") || node.is("ScatterElements"))
    return visitScatter(node);
  if (node.is("Where"))
    return visitWhere(node);
  return node.is("ReduceSum") && visitStack(node);
}

std::optional<ExpertSum> ExpertSum::of(onnx::NodeOp root) {
  ExpertSum sum;
  if (!TermCollector(sum).visitNode(root))
    return std::nullopt;
  sum.root = root.getResult(0);
  return sum;
}
