//===- SymbolicShapes.cpp - extents and shape arithmetic as products --------===//

#include "SymbolicShapes.h"
#include "GraphPatterns.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

/// Tensors with more elements are data, not shapes.
static constexpr int64_t maxContents = 16;

//===----------------------------------------------------------------------===//
// Extent
//===----------------------------------------------------------------------===//

Extent Extent::operator*(const Extent &other) const {
  Extent result(factor * other.factor);
  result.atoms = atoms;
  llvm::append_range(result.atoms, other.atoms);
  llvm::sort(result.atoms);
  return result;
}

std::optional<Extent> Extent::dividedBy(const Extent &other) const {
  if (other.factor == 0 || factor % other.factor != 0)
    return std::nullopt;
  Extent result(factor / other.factor);
  result.atoms = atoms;
  for (unsigned atom : other.atoms) {
    auto *found = llvm::find(result.atoms, atom);
    if (found == result.atoms.end())
      return std::nullopt;
    result.atoms.erase(found);
  }
  return result;
}

bool Extent::operator<(const Extent &other) const {
  return std::tie(factor, atoms) < std::tie(other.factor, other.atoms);
}

Extent raise::product(ArrayRef<Extent> extents) {
  Extent result;
  for (const Extent &extent : extents)
    result = result * extent;
  return result;
}

//===----------------------------------------------------------------------===//
// Transfer functions
//===----------------------------------------------------------------------===//

/// Derives shapes and contents of the results of one node from its inputs.
struct SymbolicShapes::Transfer {
  SymbolicShapes &shapes;
  mutable onnx::NodeOp node; // its accessors are not const

  Value input(unsigned index) const { return node.getInput(index); }
  std::optional<ArrayRef<Extent>> in(unsigned index) const {
    return input(index) ? shapes.extents(input(index)) : std::nullopt;
  }
  std::optional<ArrayRef<Extent>> valuesOf(unsigned index) const {
    return input(index) ? shapes.contents(input(index)) : std::nullopt;
  }
  std::optional<SmallVector<int64_t>> intsOf(unsigned index) const {
    return input(index) ? shapes.constants(input(index)) : std::nullopt;
  }
  static std::optional<Extents> copy(std::optional<ArrayRef<Extent>> extents) {
    return extents ? std::optional(Extents(*extents)) : std::nullopt;
  }

  std::optional<Extents> shape(unsigned result) const;
  std::optional<Extents> broadcast(ArrayRef<Value> operands) const;
  std::optional<Extents> reshape() const;
  std::optional<Extents> squeezeOrUnsqueeze() const;
  std::optional<Extents> expandOrTile() const;
  std::optional<Extents> concat() const;
  std::optional<Extents> slice() const;
  std::optional<Extents> split(unsigned result) const;
  std::optional<Extents> gather() const;
  std::optional<Extents> matmul() const;
  std::optional<Extents> reduce() const;
  std::optional<Extents> contents() const;
  std::optional<Extents> elementwiseContents() const;
  std::optional<Extents> sliceContents() const;
};

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
  if (op.starts_with("Reduce"))
    return reduce();
  if (op == "ConstantOfShape")
    return copy(valuesOf(0));
  if (op == "Range") {
    std::optional<ArrayRef<Extent>> start = valuesOf(0), limit = valuesOf(1), delta = valuesOf(2);
    if (!start || !limit || !delta || start->size() != 1 || limit->size() != 1 || delta->size() != 1 || !(*delta)[0].isOne())
      return std::nullopt;
    return Extents{shapes.difference((*limit)[0], (*start)[0])};
  }
  if (op == "TopK") {
    std::optional<Extents> extents = copy(in(0));
    std::optional<int64_t> axis =
        extents ? normalizeAxis(node.getInt("axis", -1), extents->size()) : std::nullopt;
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

/// Two extents that are neither equal nor constant make an opaque one, known only by its operands.
std::optional<Extents> SymbolicShapes::Transfer::broadcast(ArrayRef<Value> operands) const {
  Extents result;
  for (Value operand : operands) {
    if (isa<NoneType>(operand.getType()))
      continue;
    std::optional<ArrayRef<Extent>> extents = shapes.extents(operand);
    if (!extents)
      return std::nullopt;
    if (extents->size() > result.size())
      result.insert(result.begin(), extents->size() - result.size(), Extent(1));
    for (auto [mine, theirs] : llvm::zip(llvm::reverse(result), llvm::reverse(*extents))) {
      if (mine == theirs || theirs.isOne())
        continue;
      if (mine.isOne() || theirs.constant())
        mine = theirs;
      else if (!mine.constant())
        mine = shapes.computed("broadcast", std::min(mine, theirs), std::max(mine, theirs));
    }
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

/// How many of `extent` elements start:end:step selects.
static std::optional<int64_t> sliceLength(int64_t extent, int64_t start, int64_t end, int64_t step) {
  if (step <= 0)
    return std::nullopt;
  start = std::clamp<int64_t>(start < 0 ? start + extent : start, 0, extent);
  end = std::clamp<int64_t>(end < 0 ? end + extent : end, 0, extent);
  return end > start ? llvm::divideCeil(end - start, step) : 0;
}

std::optional<Extents> SymbolicShapes::Transfer::slice() const {
  std::optional<Extents> result = copy(in(0));
  std::optional<SmallVector<int64_t>> starts = intsOf(1), ends = intsOf(2), axes = intsOf(3), steps = intsOf(4);
  if (!result || !starts || !ends || (input(3) && !axes) || (input(4) && !steps))
    return std::nullopt;
  for (auto [index, start, end] : llvm::enumerate(*starts, *ends)) {
    std::optional<int64_t> axis =
        normalizeAxis(axes ? (*axes)[index] : static_cast<int64_t>(index), result->size());
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
  ArrayRef<Extent> shorter = a->size() >= b->size() ? b->drop_back(2) : a->drop_back(2);
  for (auto [mine, theirs] : llvm::zip(llvm::reverse(result), llvm::reverse(shorter))) {
    if (mine == theirs || theirs.isOne())
      continue;
    if (mine.isOne() || theirs.constant())
      mine = theirs;
    else if (!mine.constant())
      mine = shapes.computed("broadcast", std::min(mine, theirs), std::max(mine, theirs));
  }
  result.push_back((*a)[a->size() - 2]);
  result.push_back(b->back());
  return result;
}

std::optional<Extents> SymbolicShapes::Transfer::reduce() const {
  std::optional<Extents> result = copy(in(0));
  std::optional<SmallVector<int64_t>> axes = result ? constantAxes(node, result->size()) : std::nullopt;
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

//===----------------------------------------------------------------------===//
// Contents of shape tensors
//===----------------------------------------------------------------------===//

std::optional<Extents> SymbolicShapes::Transfer::contents() const {
  StringRef op = node.getOpType();
  if (!node.getDomain().empty() || node.getInputs().empty())
    return std::nullopt;
  if (op == "Shape") {
    std::optional<ArrayRef<Extent>> extents = in(0);
    if (!extents)
      return std::nullopt;
    int64_t rank = extents->size(), start = node.getInt("start", 0), end = node.getInt("end", rank);
    start = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
    end = std::clamp<int64_t>(end < 0 ? end + rank : end, start, rank);
    return Extents(extents->slice(start, end - start));
  }
  if (op == "Cast" || op == "Identity" || op == "Reshape" || op == "Squeeze" || op == "Unsqueeze" || op == "Flatten")
    return copy(valuesOf(0));
  if (op == "Concat") {
    Extents result;
    for (unsigned index : llvm::seq<unsigned>(node.getInputs().size())) {
      std::optional<ArrayRef<Extent>> part = valuesOf(index), shape = in(index);
      if (!part || !shape || shape->size() != 1)
        return std::nullopt;
      llvm::append_range(result, *part);
    }
    return result;
  }
  if (op == "Gather") {
    std::optional<ArrayRef<Extent>> data = valuesOf(0), shape = in(0);
    std::optional<SmallVector<int64_t>> indices = intsOf(1);
    if (!data || !indices || !shape || shape->size() != 1)
      return std::nullopt;
    Extents result;
    for (int64_t index : *indices) {
      std::optional<int64_t> place = normalizeAxis(index, data->size());
      if (!place)
        return std::nullopt;
      result.push_back((*data)[*place]);
    }
    return result;
  }
  if (op == "ConstantOfShape") {
    std::optional<ArrayRef<Extent>> shape = valuesOf(0);
    std::optional<int64_t> count = shape ? product(*shape).constant() : std::nullopt;
    auto fill = dyn_cast_or_null<DenseElementsAttr>(node.getNodeAttr("value"));
    if (!count || *count > maxContents || *count < 0 || !fill || !isa<IntegerType>(fill.getElementType()))
      return std::nullopt;
    return Extents(*count, Extent((*fill.value_begin<APInt>()).getSExtValue()));
  }
  if (op == "OneHot") {
    std::optional<SmallVector<int64_t>> indices = intsOf(0), depth = intsOf(1);
    std::optional<ArrayRef<Extent>> offOn = valuesOf(2);
    if (!indices || !depth || depth->size() != 1 || !offOn || offOn->size() != 2 || node.getInt("axis", -1) != -1)
      return std::nullopt;
    if (depth->front() < 1 || depth->front() * static_cast<int64_t>(indices->size()) > maxContents)
      return std::nullopt;
    Extents result;
    for (int64_t index : *indices)
      for (int64_t place : llvm::seq<int64_t>(depth->front()))
        result.push_back((*offOn)[place == index || place - depth->front() == index]);
    return result;
  }
  if (op == "Slice")
    return sliceContents();
  return elementwiseContents();
}

std::optional<Extents> SymbolicShapes::Transfer::sliceContents() const {
  std::optional<ArrayRef<Extent>> data = valuesOf(0), shape = in(0);
  std::optional<SmallVector<int64_t>> starts = intsOf(1), ends = intsOf(2), steps = intsOf(4);
  if (!data || !shape || shape->size() != 1 || !starts || !ends || starts->size() != 1 || (input(4) && !steps))
    return std::nullopt;
  int64_t extent = data->size(), step = steps ? steps->front() : 1;
  std::optional<int64_t> length = sliceLength(extent, starts->front(), ends->front(), step);
  if (!length)
    return std::nullopt;
  int64_t start = std::clamp<int64_t>(starts->front() < 0 ? starts->front() + extent : starts->front(), 0, extent);
  Extents result;
  for (int64_t place : llvm::seq<int64_t>(*length))
    result.push_back((*data)[start + place * step]);
  return result;
}

std::optional<Extents> SymbolicShapes::Transfer::elementwiseContents() const {
  StringRef op = node.getOpType();
  SmallVector<ArrayRef<Extent>, 3> operands;
  size_t count = 0;
  for (unsigned index : llvm::seq<unsigned>(node.getInputs().size())) {
    std::optional<ArrayRef<Extent>> values = valuesOf(index);
    if (!values)
      return std::nullopt;
    operands.push_back(*values);
    count = std::max(count, values->size());
  }
  auto element = [&](unsigned operand, size_t place) {
    return operands[operand].size() == 1 ? operands[operand][0] : operands[operand][place];
  };
  if (llvm::any_of(operands, [&](ArrayRef<Extent> values) { return values.size() != 1 && values.size() != count; }))
    return std::nullopt;
  Extents result;
  for (size_t place : llvm::seq(count)) {
    std::optional<Extent> value;
    Extent a = element(0, place), b = operands.size() > 1 ? element(1, place) : Extent();
    std::optional<int64_t> x = a.constant(), y = b.constant();
    if (op == "Mul" && operands.size() == 2)
      value = a * b;
    else if (op == "Neg")
      value = a * Extent(-1);
    else if (op == "Add" && operands.size() == 2)
      value = shapes.sum(a, b);
    else if (op == "Sub" && operands.size() == 2)
      value = shapes.difference(a, b);
    else if (op == "Div" && operands.size() == 2 && x && y && *y != 0)
      value = Extent(*x / *y);
    else if (op == "Div" && operands.size() == 2)
      value = a.dividedBy(b) ? *a.dividedBy(b) : shapes.computed("div", a, b);
    else if (op == "Equal" && x && y)
      value = Extent(*x == *y);
    else if (op == "Equal" && ((x && *x < 0 && shapes.isDimension(b)) || (y && *y < 0 && shapes.isDimension(a))))
      value = Extent(0);
    else if (op == "Where" && operands.size() == 3 && x)
      value = *x ? b : element(2, place);
    if (!value)
      return std::nullopt;
    result.push_back(*value);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// SymbolicShapes
//===----------------------------------------------------------------------===//

/// A raised op has the leading extents of its first operand; what its type says is added afterwards.
static std::optional<Extents> raisedShape(Operation &op, const SymbolicShapes &shapes, RankedTensorType type) {
  StringRef dialect = op.getName().getDialectNamespace();
  if ((dialect != "moe" && dialect != "nn") || op.getNumOperands() == 0)
    return std::nullopt;
  std::optional<ArrayRef<Extent>> first = shapes.extents(op.getOperand(0));
  if (!first || static_cast<int64_t>(first->size()) != type.getRank())
    return std::nullopt;
  return Extents(*first);
}

SymbolicShapes::SymbolicShapes(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments())
    setExtents(argument, std::nullopt, function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), "onnx.dims"));
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op == function)
      return;
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          setExtents(argument, std::nullopt, nullptr);
    auto node = dyn_cast<onnx::NodeOp>(op);
    for (OpResult result : op->getResults()) {
      RankedTensorType type = tensorTypeOf(result);
      if (!type)
        continue;
      std::optional<Extents> derived;
      ArrayAttr symbols;
      if (node) {
        derived = Transfer{*this, node}.shape(result.getResultNumber());
        if (ArrayAttr dims = node.getDimsAttr())
          symbols = dyn_cast<ArrayAttr>(dims[result.getResultNumber()]);
      } else {
        derived = raisedShape(*op, *this, type);
      }
      setExtents(result, derived, symbols);
      if (!isa<IntegerType>(type.getElementType()))
        continue;
      std::optional<SmallVector<int64_t>> known;
      if (auto constant = dyn_cast<onnx::ConstantOp>(op); constant && type.getNumElements() <= maxContents)
        known = constantInts(result);
      if (known)
        values[result] = Extents(known->begin(), known->end());
      else if (node && node.getNumResults() == 1)
        if (std::optional<Extents> elements = Transfer{*this, node}.contents();
            elements && static_cast<int64_t>(elements->size()) <= maxContents)
          values[result] = *elements;
    }
  });
}

void SymbolicShapes::setExtents(Value value, std::optional<Extents> derived, ArrayAttr symbols) {
  RankedTensorType type = tensorTypeOf(value);
  if (!type)
    return;
  if (derived && static_cast<int64_t>(derived->size()) != type.getRank())
    derived = std::nullopt;
  Extents extents;
  for (int64_t axis : llvm::seq(type.getRank())) {
    auto name = symbols && static_cast<int64_t>(symbols.size()) == type.getRank()
                    ? dyn_cast<StringAttr>(symbols[axis])
                    : StringAttr();
    if (!type.isDynamicDim(axis))
      extents.push_back(Extent(type.getDimSize(axis)));
    else if (derived)
      extents.push_back((*derived)[axis]);
    else if (name && !name.empty())
      extents.push_back(symbol(name));
    else
      extents.push_back(opaque());
  }
  shapes[value] = extents;
}

/// `a*b*2` is a product; anything else is one atom.
Extent SymbolicShapes::symbol(StringRef text) {
  Extent result;
  SmallVector<StringRef> factors;
  if (text.contains_insensitive("+") || text.contains('(') || text.contains('/') || text.contains('-'))
    factors.push_back(text);
  else
    text.split(factors, '*');
  for (StringRef factor : factors) {
    factor = factor.trim();
    int64_t number;
    if (!factor.getAsInteger(10, number)) {
      result = result * Extent(number);
      continue;
    }
    auto [entry, inserted] = symbolAtoms.try_emplace(factor, atomCount);
    atomCount += inserted;
    dimensionAtoms.insert(entry->second);
    result = result * Extent::atom(entry->second);
  }
  return result;
}

Extent SymbolicShapes::opaque() {
  dimensionAtoms.insert(atomCount);
  return Extent::atom(atomCount++);
}

Extent SymbolicShapes::computed(StringRef kind, const Extent &a, const Extent &b) {
  auto [entry, inserted] = computedAtoms.try_emplace({kind.str(), a, b}, atomCount);
  atomCount += inserted;
  return Extent::atom(entry->second);
}

bool SymbolicShapes::isDimension(const Extent &extent) const {
  return extent.constantFactor() >= 0 &&
         llvm::all_of(extent.opaqueFactors(), [&](unsigned atom) { return dimensionAtoms.contains(atom); });
}

Extent SymbolicShapes::sum(const Extent &a, const Extent &b) {
  std::optional<int64_t> x = a.constant(), y = b.constant();
  if (x && y)
    return Extent(*x + *y);
  if (x && *x == 0)
    return b;
  if (y && *y == 0)
    return a;
  Extent result = computed("add", std::min(a, b), std::max(a, b));
  sums.try_emplace(result, a, b);
  if (isDimension(a) && isDimension(b))
    dimensionAtoms.insert(result.opaqueFactors().front());
  return result;
}

Extent SymbolicShapes::difference(const Extent &a, const Extent &b) {
  std::optional<int64_t> x = a.constant(), y = b.constant();
  if (x && y)
    return Extent(*x - *y);
  if (y && *y == 0)
    return a;
  if (auto terms = sums.find(a); terms != sums.end()) {
    if (terms->second.first == b)
      return terms->second.second;
    if (terms->second.second == b)
      return terms->second.first;
  }
  return computed("sub", a, b);
}

std::optional<ArrayRef<Extent>> SymbolicShapes::extents(Value value) const {
  auto found = shapes.find(value);
  return found == shapes.end() ? std::nullopt : std::optional<ArrayRef<Extent>>(found->second);
}

std::optional<ArrayRef<Extent>> SymbolicShapes::contents(Value value) const {
  auto found = values.find(value);
  return found == values.end() ? std::nullopt : std::optional<ArrayRef<Extent>>(found->second);
}

std::optional<SmallVector<int64_t>> SymbolicShapes::constants(Value value) const {
  std::optional<ArrayRef<Extent>> elements = contents(value);
  if (!elements)
    return std::nullopt;
  SmallVector<int64_t> result;
  for (const Extent &element : *elements) {
    if (!element.constant())
      return std::nullopt;
    result.push_back(*element.constant());
  }
  return result;
}
