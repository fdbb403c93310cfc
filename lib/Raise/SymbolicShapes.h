//===- SymbolicShapes.h - extents and shape arithmetic as products ----------===//
//
// Which dynamic extents are equal, and which small integer tensors are known. An extent is a product of a constant and
// opaque atoms; an atom is a symbol of the importer, or a dimension or shape computation the analysis cannot see
// through. Equal computations get one atom. One pass over a function, in program order.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_SYMBOLICSHAPES_H
#define MOEC_LIB_RAISE_SYMBOLICSHAPES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "moec/Dialect/Onnx/Onnx.h"
#include "llvm/ADT/SetVector.h"
#include <map>
#include <optional>

namespace moec::raise {

/// factor * atoms[0] * atoms[1] * …
class Extent {
public:
  Extent(int64_t factor = 1) : factor(factor) {}
  static Extent atom(unsigned id) {
    Extent extent;
    extent.atoms.push_back(id);
    return extent;
  }

  std::optional<int64_t> constant() const {
    return atoms.empty() || factor == 0 ? std::optional(factor) : std::nullopt;
  }
  bool isOne() const { return atoms.empty() && factor == 1; }
  int64_t constantFactor() const { return factor; }
  llvm::ArrayRef<unsigned> opaqueFactors() const { return atoms; }
  Extent operator*(const Extent &other) const;
  /// The quotient, if the division is exact whatever the atoms are.
  std::optional<Extent> dividedBy(const Extent &other) const;
  bool operator==(const Extent &other) const { return factor == other.factor && atoms == other.atoms; }
  bool operator!=(const Extent &other) const { return !(*this == other); }
  bool operator<(const Extent &other) const;

private:
  int64_t factor;
  llvm::SmallVector<unsigned, 2> atoms; // sorted
};

using Extents = llvm::SmallVector<Extent, 4>;

Extent product(llvm::ArrayRef<Extent> extents);

class SymbolicShapes {
public:
  explicit SymbolicShapes(mlir::func::FuncOp function);

  /// The extents of a ranked tensor; nullopt for other values and values made after the analysis.
  std::optional<llvm::ArrayRef<Extent>> extents(mlir::Value value) const;
  /// The elements of a small integer or boolean tensor, in row-major order, if each is known as a product.
  std::optional<llvm::ArrayRef<Extent>> contents(mlir::Value value) const;
  /// As `contents`, if all are constants.
  std::optional<llvm::SmallVector<int64_t>> constants(mlir::Value value) const;

  /// Adds the atoms that `extent` is computed from and that are not computed themselves.
  void collectFreeAtoms(const Extent &extent, llvm::SetVector<unsigned> &atoms) const;
  /// The number that `extent` is where its free atoms are `atomValue`; nullopt if no extent can be that.
  std::optional<int64_t> evaluate(const Extent &extent, llvm::function_ref<int64_t(unsigned)> atomValue) const;

private:
  struct Transfer;
  void setExtents(mlir::Value value, std::optional<Extents> derived, mlir::ArrayAttr symbols);
  Extent symbol(llvm::StringRef text);
  Extent opaque();
  /// One atom for one computation `kind(a, b)`.
  Extent computed(llvm::StringRef kind, const Extent &a, const Extent &b);
  Extent sum(const Extent &a, const Extent &b);
  Extent difference(const Extent &a, const Extent &b);
  /// Whether `extent` is made of dimensions, which are never negative.
  bool isDimension(const Extent &extent) const;

  llvm::DenseMap<mlir::Value, Extents> shapes;
  llvm::DenseMap<mlir::Value, Extents> values;
  llvm::StringMap<unsigned> symbolAtoms;
  using Computation = std::tuple<std::string, Extent, Extent>;
  std::map<Computation, unsigned> computedAtoms;
  /// The keys of `computedAtoms` by atom.
  llvm::DenseMap<unsigned, const Computation *> computations;
  /// The terms of the atoms that are sums.
  std::map<Extent, std::pair<Extent, Extent>> sums;
  llvm::DenseSet<unsigned> dimensionAtoms;
  unsigned atomCount = 0;
};

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_SYMBOLICSHAPES_H
