//===- ShapeTransfer.h - extents and contents through one node -------------===//
//
// The transfer functions of SymbolicShapes: what the shape of a node's result is, and the elements of small integer
// results.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_SHAPETRANSFER_H
#define MOEC_LIB_RAISE_SHAPETRANSFER_H

#include "GraphPatterns.h"
#include "SymbolicShapes.h"

namespace moec::raise {

/// Tensors with more elements are data, not shapes.
inline constexpr int64_t maxShapeContents = 16;

/// How many of `extent` elements start:end:step selects; nullopt for steps backwards.
std::optional<int64_t> sliceLength(int64_t extent, int64_t start, int64_t end, int64_t step);

/// Derives shapes and contents of the results of one node from its inputs.
struct SymbolicShapes::Transfer {
  SymbolicShapes &shapes;
  mutable onnx::NodeOp node; // its accessors are not const

  mlir::Value input(unsigned index) const { return node.getInput(index); }
  std::optional<llvm::ArrayRef<Extent>> in(unsigned index) const {
    return input(index) ? shapes.extents(input(index)) : std::nullopt;
  }
  std::optional<llvm::ArrayRef<Extent>> valuesOf(unsigned index) const {
    return input(index) ? shapes.contents(input(index)) : std::nullopt;
  }
  std::optional<llvm::SmallVector<int64_t>> intsOf(unsigned index) const {
    return input(index) ? shapes.constants(input(index)) : std::nullopt;
  }
  static std::optional<Extents> copy(std::optional<llvm::ArrayRef<Extent>> extents) {
    return extents ? std::optional(Extents(*extents)) : std::nullopt;
  }

  std::optional<Extents> shape(unsigned result) const;
  std::optional<Extents> broadcast(llvm::ArrayRef<mlir::Value> operands) const;
  /// Two extents that are neither equal nor constant make an opaque one, known only by its operands.
  void broadcastInto(Extents &result, llvm::ArrayRef<Extent> other) const;
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

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_SHAPETRANSFER_H
