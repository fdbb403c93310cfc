//===- RaisedStructures.h - what raising replaced, and by what --------------===//
//
// Two copies of a graph, one of them raised, differ where a recogniser replaced something. Each value of the raised
// copy that a recogniser made and that an op reads which stands in both copies is a structure: it can be taken out in
// both forms as a graph of its own, to be run on any inputs, and it can be put back to its plain form. Recognisers take
// no part in this.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_RAISE_RAISEDSTRUCTURES_H
#define MOEC_RAISE_RAISEDSTRUCTURES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Regex.h"
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace moec {

/// Numbers the ops of a graph that have no number in the attribute `moe.number`, so that copies of them are found
/// again.
void numberOps(mlir::ModuleOp module);
/// Removes the numbers, and the names of values (ImportOptions::namesValues).
void removeNumbers(mlir::ModuleOp module);

/// A value that raising made, and the value of the plain copy it stands for.
struct RaisedStructure {
  /// "routed layer and router"
  std::string description;
  /// Whether it holds none of the ops that graphs are raised to: what differs here may be made good further on.
  bool isRewrite;
  mlir::Value raised;
  mlir::Value plain;
  /// Where `raised` is read in the place of `plain`.
  llvm::SmallVector<mlir::OpOperand *> uses;
};

/// A structure as a graph at the stage `raise` with two results: the raised form's and the plain form's.
struct StructureGraph {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// The same for structures that differ in names and in the contents of large constants alone.
  std::string key;
  uint64_t weightBytes = 0;
  /// For each symbol that the inputs' extents are computed from, whether it counts sequences.
  llvm::SmallVector<bool> isBatch;
  /// The shapes of the inputs where the symbols have these values; nullopt if there are none.
  std::function<std::optional<llvm::SmallVector<llvm::SmallVector<int64_t>>>(llvm::ArrayRef<int64_t> symbols)> shapes;
};

class RaisedStructures {
public:
  /// Compares `raised` with `plain`, a copy of it from before, after numberOps(). Both must outlive this.
  RaisedStructures(mlir::ModuleOp raised, mlir::ModuleOp plain);
  ~RaisedStructures();

  llvm::ArrayRef<RaisedStructure> get() const;

  /// Takes a structure out in both forms. Inputs are arguments of the model, results of products with weights, results
  /// of other structures, and what only gives its shape. Fails with a reason for what cannot be taken out. The graph
  /// must not outlive this.
  std::optional<StructureGraph> extract(const RaisedStructure &structure, std::string &reason) const;

  /// Counts the ops that read these structures, given by their index, as made by raising too, and finds the structures
  /// again. Returns false if there are no such ops.
  bool extend(llvm::ArrayRef<size_t> rewrites);

  /// Puts structures, given by their index, back to their plain form.
  void restore(llvm::ArrayRef<size_t> rejected);

  /// Adds a result to the raised graph for each value that the plain one names and `wanted` matches, in its order, if
  /// it is there or something stands for it. Returns how many.
  unsigned expose(llvm::Regex &wanted);

private:
  class Graphs;
  class Extraction;
  std::unique_ptr<Graphs> graphs;
};

} // namespace moec

#endif // MOEC_RAISE_RAISEDSTRUCTURES_H
