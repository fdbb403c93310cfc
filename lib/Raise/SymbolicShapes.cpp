//===- SymbolicShapes.cpp - extents and shape arithmetic as products --------===//

#include "SymbolicShapes.h"
#include "ShapeTransfer.h"

using namespace mlir;
using namespace moec;
using namespace moec::raise;

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
      if (auto constant = dyn_cast<onnx::ConstantOp>(op); constant && type.getNumElements() <= maxShapeContents)
        known = constantInts(result);
      if (known)
        values[result] = Extents(known->begin(), known->end());
      else if (node && node.getNumResults() == 1)
        if (std::optional<Extents> elements = Transfer{*this, node}.contents();
            elements && static_cast<int64_t>(elements->size()) <= maxShapeContents)
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
    auto name = symbols && static_cast<int64_t>(symbols.size()) == type.getRank() ? dyn_cast<StringAttr>(symbols[axis])
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
  computations[entry->second] = &entry->first;
  return Extent::atom(entry->second);
}

void SymbolicShapes::collectFreeAtoms(const Extent &extent, llvm::SetVector<unsigned> &atoms) const {
  for (unsigned atom : extent.opaqueFactors()) {
    const Computation *computation = computations.lookup(atom);
    if (!computation) {
      atoms.insert(atom);
      continue;
    }
    collectFreeAtoms(std::get<1>(*computation), atoms);
    collectFreeAtoms(std::get<2>(*computation), atoms);
  }
}

/// `kind` of SymbolicShapes::computed() on numbers.
static std::optional<int64_t> compute(StringRef kind, int64_t a, int64_t b) {
  if (kind == "add")
    return a + b;
  if (kind == "sub")
    return a - b;
  if (kind == "broadcast")
    return a == 1 ? std::optional(b) : b == 1 || a == b ? std::optional(a) : std::nullopt;
  if (kind == "div")
    return b == 0 ? 0 : a / b;
  return std::nullopt;
}

std::optional<int64_t> SymbolicShapes::evaluate(const Extent &extent,
                                                llvm::function_ref<int64_t(unsigned)> atomValue) const {
  int64_t result = extent.constantFactor();
  for (unsigned atom : extent.opaqueFactors()) {
    const Computation *computation = computations.lookup(atom);
    std::optional<int64_t> value;
    if (!computation) {
      value = atomValue(atom);
    } else {
      const auto &[kind, first, second] = *computation;
      std::optional<int64_t> a = evaluate(first, atomValue), b = evaluate(second, atomValue);
      value = a && b ? compute(kind, *a, *b) : std::nullopt;
    }
    if (!value)
      return std::nullopt;
    result *= *value;
  }
  return result;
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
