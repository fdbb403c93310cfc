//===- ShapeTransfer.cpp - extents through one node ------------------------===//

#include "ShapeTransfer.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

std::optional<int64_t> raise::sliceLength(int64_t extent, int64_t start, int64_t end, int64_t step) {
  if (step <= 0)
    return std::nullopt;
  start = std::clamp<int64_t>(start < 0 ? start + extent : start, 0, extent);
  end = std::clamp<int64_t>(end < 0 ? end + extent : end, 0, extent);
  return end > start ? llvm::divideCeil(end - start, step) : 0;
}

static bool isElementwise(StringRef opType) {
  return llvm::StringSwitch<bool>(opType)
      .Cases({"Identity", "Cast", "Sigmoid", "Tanh", "Erf", "Relu", "Exp", "Log", "Neg", "Sqrt", "Reciprocal"}, true)
      .Cases({"Abs", "Gelu", "Swish", "Softplus", "Not", "Cos", "Sin", "Floor", "Ceil", "Sign", "IsNaN"}, true)
      .Cases({"Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Where", "Equal", "Less", "Greater"}, true)
      .Cases({"LessOrEqual", "GreaterOrEqual", "And", "Or", "Xor"}, true)
      .Default(false);
}

static bool keepsFirstShape(StringRef opType) {
  return llvm::StringSwitch<bool>(opType)
      .Cases({"Softmax", "LogSoftmax", "Clip", "CumSum", "ScatterElements", "ScatterND", "Trilu"}, true)
      .Cases({"LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization", "CastLike"}, true)
      .Default(false);
}

std::optional<Extents> SymbolicShapes::Transfer::shape(unsigned result) const {
  StringRef op = node.getOpType();
  if (!node.getDomain().empty() || node.getInputs().empty())
    return std::nullopt;
  if (keepsFirstShape(op))
    return copy(in(0));
  if (isElementwise(op))
    return broadcast(llvm::to_vector(node.getInputs()));
  if (op == "Reshape" || op == "Flatten")
    return reshape();
  if (op == "Squeeze" || op == "Unsqueeze")
    return squeezeOrUnsqueeze();
  if (op == "Expand" || op == "Tile")
    return expandOrTile();
  if (op == "Concat")
    return concat();
  if (op == "Slice")
    return slice();
  if (op == "Split")
    return split(result);
  if (op == "Gather" || op == "GatherND" || op == "GatherElements")
    return gather();
  if (op == "MatMul" || op == "Gemm")
    return matmul();
  if (op.starts_with("Reduce") || op == "ArgMax" || op == "ArgMin")
    return reduce();
  if (op == "Einsum") {
    std::optional<EinsumEquation> equation = einsumEquation(node);
    if (!equation)
      return std::nullopt;
    Extents result;
    for (char letter : equation->output)
      for (auto [index, letters] : llvm::enumerate(equation->inputs))
        if (size_t axis = letters.find(letter); axis != std::string::npos && in(index)) {
          result.push_back((*in(index))[axis]);
          break;
        }
    return result;
  }
  if (op == "OneHot") {
    std::optional<Extents> extents = copy(in(0));
    std::optional<ArrayRef<Extent>> depth = valuesOf(1);
    std::optional<int64_t> axis = extents ? normalizeAxis(node.getInt("axis", -1), extents->size() + 1) : std::nullopt;
    if (!axis || !depth || depth->size() != 1)
      return std::nullopt;
    extents->insert(extents->begin() + *axis, depth->front());
    return extents;
  }
  if (op == "ConstantOfShape")
    return copy(valuesOf(0));
  if (op == "Range") {
    std::optional<ArrayRef<Extent>> start = valuesOf(0), limit = valuesOf(1), delta = valuesOf(2);
    if (!start || !limit || !delta || start->size() != 1 || limit->size() != 1 || delta->size() != 1 ||
        !(*delta)[0].isOne())
      return std::nullopt;
    return Extents{shapes.difference((*limit)[0], (*start)[0])};
  }
  if (op == "TopK") {
    std::optional<Extents> extents = copy(in(0));
    std::optional<int64_t> axis = extents ? normalizeAxis(node.getInt("axis", -1), extents->size()) : std::nullopt;
    std::optional<ArrayRef<Extent>> k = valuesOf(1);
    if (!axis || !k || k->size() != 1)
      return std::nullopt;
    (*extents)[*axis] = k->front();
    return extents;
  }
  if (op == "Transpose") {
    std::optional<ArrayRef<Extent>> extents = in(0);
    if (!extents)
      return std::nullopt;
    SmallVector<int64_t> reversed(llvm::reverse(llvm::seq<int64_t>(extents->size())));
    SmallVector<int64_t> perm = node.getInts("perm").value_or(reversed);
    Extents permuted;
    for (int64_t axis : perm)
      if (axis >= 0 && axis < static_cast<int64_t>(extents->size()))
        permuted.push_back((*extents)[axis]);
    return permuted;
  }
  return std::nullopt;
}

void SymbolicShapes::Transfer::broadcastInto(Extents &result, ArrayRef<Extent> other) const {
  if (other.size() > result.size())
    result.insert(result.begin(), other.size() - result.size(), Extent(1));
  for (auto [mine, theirs] : llvm::zip(llvm::reverse(result), llvm::reverse(other))) {
    if (mine == theirs || theirs.isOne())
      continue;
    if (mine.isOne() || theirs.constant())
      mine = theirs;
    else if (!mine.constant())
      mine = shapes.computed("broadcast", std::min(mine, theirs), std::max(mine, theirs));
  }
}

std::optional<Extents> SymbolicShapes::Transfer::broadcast(ArrayRef<Value> operands) const {
  Extents result;
  for (Value operand : operands) {
    if (isa<NoneType>(operand.getType()))
      continue;
    std::optional<ArrayRef<Extent>> extents = shapes.extents(operand);
    if (!extents)
      return std::nullopt;
    broadcastInto(result, *extents);
  }
  return result;
}

std::optional<Extents> SymbolicShapes::Transfer::reshape() const {
  std::optional<ArrayRef<Extent>> source = in(0);
  if (!source)
    return std::nullopt;
  if (node.is("Flatten")) {
    int64_t axis = node.getInt("axis", 1);
    if (axis < 0)
      axis += source->size();
    if (axis < 0 || axis > static_cast<int64_t>(source->size()))
      return std::nullopt;
    return Extents{product(source->take_front(axis)), product(source->drop_front(axis))};
  }
  std::optional<ArrayRef<Extent>> wanted = valuesOf(1);
  if (!wanted)
    return std::nullopt;
  Extents result;
  std::optional<size_t> inferred;
  for (auto [index, extent] : llvm::enumerate(*wanted)) {
    result.push_back(extent);
    if (extent == Extent(-1)) {
      inferred = index;
      result.back() = Extent(1);
    } else if (extent == Extent(0) && node.getInt("allowzero", 0) == 0) {
      if (index >= source->size())
        return std::nullopt;
      result.back() = (*source)[index];
    }
  }
  if (inferred) {
    std::optional<Extent> rest = product(*source).dividedBy(product(result));
    if (!rest)
      rest = shapes.computed("div", product(*source), product(result));
    result[*inferred] = *rest;
  }
  return result;
}

std::optional<Extents> SymbolicShapes::Transfer::squeezeOrUnsqueeze() const {
  std::optional<ArrayRef<Extent>> source = in(0);
  if (!source)
    return std::nullopt;
  bool isSqueeze = node.is("Squeeze");
  Extents result(*source);
  if (isSqueeze && !node.getInts("axes") && !input(1)) {
    if (llvm::any_of(result, [](const Extent &extent) { return !extent.constant(); }))
      return std::nullopt;
    llvm::erase_if(result, [](const Extent &extent) { return extent.isOne(); });
    return result;
  }
  RankedTensorType type = tensorTypeOf(node.getResult(0));
  if (!type)
    return std::nullopt;
  std::optional<SmallVector<int64_t>> axes = constantAxes(node, isSqueeze ? source->size() : type.getRank());
  if (!axes)
    return std::nullopt;
  if (isSqueeze) {
    for (int64_t axis : llvm::reverse(*axes))
      result.erase(result.begin() + axis);
    return result;
  }
  for (int64_t axis : *axes)
    result.insert(result.begin() + axis, Extent(1));
  return result;
}

std::optional<Extents> SymbolicShapes::Transfer::expandOrTile() const {
  std::optional<ArrayRef<Extent>> source = in(0), wanted = valuesOf(1);
  if (!source || !wanted)
    return std::nullopt;
  if (node.is("Tile")) {
    if (source->size() != wanted->size())
      return std::nullopt;
    Extents result;
    for (auto [extent, repeats] : llvm::zip_equal(*source, *wanted))
      result.push_back(extent * repeats);
    return result;
  }
  Extents result(*wanted);
  if (source->size() > result.size())
    result.insert(result.begin(), source->size() - result.size(), Extent(1));
  for (auto [mine, theirs] : llvm::zip(llvm::reverse(result), llvm::reverse(*source))) {
    if (mine == theirs || theirs.isOne())
      continue;
    if (!mine.isOne())
      return std::nullopt;
    mine = theirs;
  }
  return result;
}

std::optional<Extents> SymbolicShapes::Transfer::concat() const {
  std::optional<Extents> result = copy(in(0));
  if (!result)
    return std::nullopt;
  std::optional<int64_t> axis = normalizeAxis(node.getInt("axis", 0), result->size());
  if (!axis)
    return std::nullopt;
  for (unsigned index : llvm::seq<unsigned>(1, node.getInputs().size())) {
    std::optional<ArrayRef<Extent>> extents = in(index);
    if (!extents || extents->size() != result->size())
      return std::nullopt;
    (*result)[*axis] = shapes.sum((*result)[*axis], (*extents)[*axis]);
  }
  return result;
}

std::optional<Extents> SymbolicShapes::Transfer::slice() const {
  std::optional<Extents> result = copy(in(0));
  std::optional<SmallVector<int64_t>> starts = intsOf(1), ends = intsOf(2), axes = intsOf(3), steps = intsOf(4);
  if (!result || !starts || !ends || (input(3) && !axes) || (input(4) && !steps))
    return std::nullopt;
  for (auto [index, start, end] : llvm::enumerate(*starts, *ends)) {
    std::optional<int64_t> axis = normalizeAxis(axes ? (*axes)[index] : static_cast<int64_t>(index), result->size());
    if (!axis)
      return std::nullopt;
    Extent &extent = (*result)[*axis];
    std::optional<int64_t> length;
    if (std::optional<int64_t> known = extent.constant())
      length = sliceLength(*known, start, end, steps ? (*steps)[index] : 1);
    if (!length)
      return std::nullopt;
    extent = Extent(*length);
  }
  return result;
}

std::optional<Extents> SymbolicShapes::Transfer::split(unsigned result) const {
  std::optional<Extents> extents = copy(in(0));
  if (!extents)
    return std::nullopt;
  std::optional<int64_t> axis = normalizeAxis(node.getInt("axis", 0), extents->size());
  if (!axis)
    return std::nullopt;
  Extent &extent = (*extents)[*axis];
  std::optional<SmallVector<int64_t>> sizes = node.getInts("split");
  if (!sizes && input(1))
    sizes = intsOf(1);
  if (sizes && result < sizes->size()) {
    extent = Extent((*sizes)[result]);
    return extents;
  }
  std::optional<int64_t> known = extent.constant();
  int64_t parts = node.getNumResults();
  if (input(1) || !known)
    return std::nullopt;
  int64_t chunk = llvm::divideCeil(*known, parts);
  extent = Extent(std::min(chunk, std::max<int64_t>(*known - chunk * result, 0)));
  return extents;
}

std::optional<Extents> SymbolicShapes::Transfer::gather() const {
  std::optional<ArrayRef<Extent>> data = in(0), indices = in(1);
  if (!data || !indices)
    return std::nullopt;
  if (node.is("GatherElements"))
    return Extents(*indices);
  Extents result;
  if (node.is("Gather")) {
    std::optional<int64_t> axis = normalizeAxis(node.getInt("axis", 0), data->size());
    if (!axis)
      return std::nullopt;
    result.append(data->begin(), data->begin() + *axis);
    llvm::append_range(result, *indices);
    result.append(data->begin() + *axis + 1, data->end());
    return result;
  }
  std::optional<int64_t> tuple = indices->empty() ? std::nullopt : indices->back().constant();
  int64_t skipped = tuple ? *tuple + node.getInt("batch_dims", 0) : 0;
  if (!tuple || skipped > static_cast<int64_t>(data->size()))
    return std::nullopt;
  llvm::append_range(result, indices->drop_back());
  llvm::append_range(result, data->drop_front(skipped));
  return result;
}

std::optional<Extents> SymbolicShapes::Transfer::matmul() const {
  std::optional<ArrayRef<Extent>> a = in(0), b = in(1);
  if (!a || !b || a->size() < 2 || b->size() < 2)
    return std::nullopt;
  if (node.is("Gemm"))
    return Extents{(*a)[node.getInt("transA", 0) ? 1 : 0], (*b)[node.getInt("transB", 0) ? 0 : 1]};
  Extents result(a->size() >= b->size() ? a->drop_back(2) : b->drop_back(2));
  broadcastInto(result, a->size() >= b->size() ? b->drop_back(2) : a->drop_back(2));
  result.push_back((*a)[a->size() - 2]);
  result.push_back(b->back());
  return result;
}

std::optional<Extents> SymbolicShapes::Transfer::reduce() const {
  std::optional<Extents> result = copy(in(0));
  std::optional<SmallVector<int64_t>> axes = result ? constantAxes(node, result->size()) : std::nullopt;
  if (result && node.getOpType().starts_with("Arg"))
    if (std::optional<int64_t> axis = normalizeAxis(node.getInt("axis", 0), result->size()))
      axes = SmallVector<int64_t>{*axis};
  if (!axes)
    return std::nullopt;
  for (int64_t axis : llvm::reverse(*axes)) {
    if (node.getInt("keepdims", 1))
      (*result)[axis] = Extent(1);
    else
      result->erase(result->begin() + axis);
  }
  return result;
}
