//===- RaisedGraphs.h - a plain graph and its raised copy side by side ------===//
#ifndef MOEC_LIB_RAISE_RAISEDGRAPHS_H
#define MOEC_LIB_RAISE_RAISEDGRAPHS_H

#include "SymbolicShapes.h"
#include "moec/Raise/RaisedStructures.h"

namespace moec {

class RaisedStructures::Graphs {
public:
  Graphs(mlir::ModuleOp raised, mlir::ModuleOp plain);

  /// The value of the plain graph that `value` of the raised graph is a copy of; null for what raising made.
  mlir::Value toPlain(mlir::Value value) const;
  /// The value of the raised graph that holds what `plainValue` does: its copy, or what stands for it; null if none
  /// does.
  mlir::Value toRaised(mlir::Value plainValue) const;
  /// The plain value that `value`, made by raising, stands for; null if only other such values read it.
  mlir::Value standsFor(mlir::Value value) const { return replacedBy.lookup(value); }
  /// The block of the raised graph that is a copy of `plainBlock`; null if raising replaced the node it belongs to.
  mlir::Block *toRaised(mlir::Block *plainBlock) const;
  /// Of several plain values for which one raised value stands, always the same one.
  mlir::Value canonical(mlir::Value plainValue) const;
  /// Whether a structure may take this value as it comes, since it can be anything: an argument, a product with a
  /// weight, a normalised value, what another structure gives.
  bool isFree(mlir::Value plainValue) const;
  /// Whether the extents of a plain value are computed from those of arguments, not from data.
  bool hasKnownShape(mlir::Value plainValue) const;
  /// Treats a copy as made by raising. Returns false if it has no results. Then findStructures() is due.
  bool disown(mlir::Operation *copy);
  void findStructures();
  /// Visits the arguments of the plain graph and of its subgraphs.
  void forEachArgument(llvm::function_ref<void(mlir::BlockArgument)> visit) const;

  mlir::ModuleOp raised, plain;
  mlir::func::FuncOp raisedEntry, plainEntry;
  mlir::Block &raisedBody, &plainBody;
  raise::SymbolicShapes shapes;
  std::vector<RaisedStructure> structures;

private:
  void match();
  bool isCopy(mlir::Value value, mlir::Value plainValue) const;
  void describe(RaisedStructure &structure) const;
  /// Whether a value that raising made is the choice or the gates of a router, which depend on each other.
  bool isRouted(mlir::Value made) const;

  llvm::DenseMap<mlir::Operation *, mlir::Operation *> plainOf, raisedOf;
  /// Both ways between what raising made and what it stands for.
  llvm::DenseMap<mlir::Value, mlir::Value> replacedBy, replacement;
  /// What the extents of arguments are computed from, those of subgraphs included.
  llvm::SetVector<unsigned> argumentAtoms;
};

} // namespace moec

#endif // MOEC_LIB_RAISE_RAISEDGRAPHS_H
