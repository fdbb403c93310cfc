//===- GraphPatterns.h - reading and writing onnx.node graphs ---------------===//
//
// What every recogniser needs: constants, axes, weights behind transposes and casts, and a builder for the few nodes
// that adapt shapes and types around a raised op.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_GRAPHPATTERNS_H
#define MOEC_LIB_RAISE_GRAPHPATTERNS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Onnx/Onnx.h"
#include <map>
#include <optional>

namespace moec::raise {

/// The node that produces `value` if it is `opType` of `domain`, else null.
onnx::NodeOp producer(mlir::Value value, llvm::StringRef opType, llvm::StringRef domain = "");

/// The node that produces `value`, else null.
onnx::NodeOp producer(mlir::Value value);

inline mlir::RankedTensorType tensorTypeOf(mlir::Value value) {
  return llvm::dyn_cast<mlir::RankedTensorType>(value.getType());
}

/// The elements of an integer constant, in row-major order.
std::optional<llvm::SmallVector<int64_t>> constantInts(mlir::Value value);

/// The one number, possibly infinite, that all elements of a float constant of any rank are.
std::optional<double> constantSplat(mlir::Value value);

/// The number that all elements of `value` have, also where its shape is computed or its type is an integer.
std::optional<double> filledWith(mlir::Value value);

/// Whether `actual` is `expected` up to the rounding of f32.
bool isNear(double actual, double expected);

/// The axis counted from the front; nullopt if it is out of range.
std::optional<int64_t> normalizeAxis(int64_t axis, int64_t rank);

/// The axes a reduction, squeeze or unsqueeze names by attribute or input, normalised for `rank` and sorted; nullopt if
/// they are not given or not constant.
std::optional<llvm::SmallVector<int64_t>> constantAxes(onnx::NodeOp node, int64_t rank);

/// Whether a reduction keeps the dimensions and reduces exactly the last axis.
bool reducesLastAxisKept(onnx::NodeOp node);

/// larger > smaller, or >=.
struct Comparison {
  mlir::Value larger, smaller;
  bool includesEqual;
};

/// What `node`, which may be null, compares if it is Greater or Less, with OrEqual or without.
std::optional<Comparison> matchComparison(onnx::NodeOp node);

/// The parts of a `Sum`, `Mul`, … in either order: true if one input satisfies `first`; `other` is then the other one.
bool splitCommutative(onnx::NodeOp node, llvm::function_ref<bool(mlir::Value)> first, mlir::Value &other);

/// The letters of the operands and of the result of an Einsum whose equation is explicit, without ellipsis and without
/// a letter twice in one of them.
struct EinsumEquation {
  llvm::SmallVector<std::string, 2> inputs;
  std::string output;
};
std::optional<EinsumEquation> einsumEquation(onnx::NodeOp node);

/// Skips Identity and Cast from a float type to the same or a wider one, which change no value.
mlir::Value skipFloatCasts(mlir::Value value);

/// Whether kernels compute values of this type in f32 without loss of range: f32, f16 and bf16.
bool isComputedInF32(mlir::Type elementType);

/// The only node that reads the elements of `value`, not just its shape.
onnx::NodeOp onlyReader(mlir::Value value);

/// A label for a layer: the name of the node, or its operator.
llvm::StringRef labelOf(onnx::NodeOp node);

/// Erases the nodes and constants that nothing uses any more.
void eraseUnusedNodes(mlir::ModuleOp module);

/// Turns values that are constant at compile time into expressions over moe.load_weight; each is made once.
class WeightBuilder {
public:
  explicit WeightBuilder(mlir::ModuleOp module) : module(module), symbols(module) {}

  /// The weight that `value` holds: loaded, a constant that becomes a moe.weight, or either behind Transpose, Reshape,
  /// Squeeze, Unsqueeze, Cast and Identity. Null if it is computed in another way.
  mlir::Value get(mlir::Value value);

  /// The weights `parts`, all of one type and known to get(), along a new first axis. Made once per block.
  mlir::Value stack(mlir::OpBuilder &builder, llvm::ArrayRef<mlir::Value> parts);

private:
  mlir::Value build(mlir::Value value);
  mlir::Value buildNode(onnx::NodeOp node);

  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  llvm::DenseMap<mlir::Value, mlir::Value> made;
  std::map<std::vector<void *>, mlir::Value> stacks;
};

/// Tensor-level operations on a weight, in the form that WeightExpression evaluates.
mlir::Value transposeWeight(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value weight,
                            llvm::ArrayRef<int64_t> permutation);
mlir::Value reshapeWeight(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value weight,
                          llvm::ArrayRef<int64_t> shape);

/// Builds the nodes around a raised op.
class NodeBuilder {
public:
  NodeBuilder(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}

  mlir::Value node(llvm::StringRef opType, int64_t version, mlir::ValueRange inputs, mlir::Type resultType,
                   llvm::ArrayRef<mlir::NamedAttribute> attrs = {});
  /// A constant of rank 1.
  mlir::Value ints(llvm::ArrayRef<int64_t> values);
  /// Reshape to static extents of which at most one is -1; `value` itself if it has that type already.
  mlir::Value reshape(mlir::Value value, llvm::ArrayRef<int64_t> shape);
  /// Reshape to `type`, whose dynamic extents are those of `like` at run time.
  mlir::Value reshapeLike(mlir::Value value, mlir::Value like, mlir::RankedTensorType type);
  /// Rows [N, H] to `type`, whose extents besides the last are those of `like`.
  mlir::Value reshapeRows(mlir::Value rows, mlir::Value like, mlir::RankedTensorType type);
  /// Cast to another element type; `value` itself if it has that already.
  mlir::Value cast(mlir::Value value, mlir::Type elementType);

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_GRAPHPATTERNS_H
