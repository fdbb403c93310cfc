//===- TensorEmitter.h - emits tensor ops with known extents --------*- C++ -*-===//
//
// What the rows build results from: linalg.generic in its few forms, views, slices, broadcasting. The emitter knows the
// extents of every tensor it has seen as values of IndexArithmetic, so that no row asks a tensor for its dimensions.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_ONNXTOLINALG_TENSOREMITTER_H
#define MOEC_LIB_CONVERSION_ONNXTOLINALG_TENSOREMITTER_H

#include "IndexArithmetic.h"
#include "ScalarBody.h"
#include "mlir/IR/BuiltinTypes.h"

namespace moec {

class TensorEmitter {
public:
  using Body = llvm::function_ref<mlir::Value(ScalarBody &, mlir::ValueRange)>;
  using Extents = llvm::SmallVector<mlir::Value>;

  TensorEmitter(mlir::ImplicitLocOpBuilder &builder, mlir::Block *block) : builder(builder), index(builder, block) {}

  /// What diagnostics and checks name from now on.
  void setNode(mlir::Operation *op, std::string label);
  mlir::InFlightDiagnostic error();
  mlir::InFlightDiagnostic remark();
  /// Fails the run with `what` unless `condition` holds, or compilation if it never does. A condition is checked once.
  mlir::LogicalResult check(mlir::Value condition, const llvm::Twine &what);

  //===--- extents ---===//
  mlir::Value extent(mlir::Value tensor, int64_t axis);
  Extents extents(mlir::Value tensor);
  /// Makes `extents` known for `tensor`; returns it.
  mlir::Value withExtents(mlir::Value tensor, llvm::ArrayRef<mlir::Value> extents);
  mlir::RankedTensorType typeOf(llvm::ArrayRef<mlir::Value> extents, mlir::Type element);
  void addSymbol(mlir::Value extent, mlir::StringAttr symbol);
  /// Equal for certain, or by the symbols of the model.
  bool equalOrSameSymbol(mlir::Value lhs, mlir::Value rhs);
  /// The one extent that both are; checked at run time if not provable. Fails if they are different constants.
  mlir::FailureOr<mlir::Value> unify(mlir::Value lhs, mlir::Value rhs, const llvm::Twine &what);
  mlir::LogicalResult unifyExtents(mlir::Value lhs, mlir::Value rhs, const llvm::Twine &what);

  //===--- constants and views ---===//
  mlir::Value constant(mlir::ElementsAttr value);
  /// A constant of shape `shape` with one value for all elements.
  mlir::Value splat(double value, llvm::ArrayRef<int64_t> shape, mlir::Type element);
  mlir::Value empty(llvm::ArrayRef<mlir::Value> extents, mlir::Type element);
  mlir::Value fill(llvm::ArrayRef<mlir::Value> extents, mlir::Value scalar);
  mlir::Value castTo(mlir::Value tensor, mlir::RankedTensorType type);
  /// The same elements in row-major order with other extents; the caller has made sure that the counts agree.
  mlir::Value reshape(mlir::Value tensor, llvm::ArrayRef<mlir::Value> extents);
  mlir::Value dropAxes(mlir::Value tensor, llvm::ArrayRef<int64_t> axes);
  mlir::Value insertAxes(mlir::Value tensor, llvm::ArrayRef<int64_t> axes);

  //===--- data movement ---===//
  mlir::Value transpose(mlir::Value tensor, llvm::ArrayRef<int64_t> permutation);
  mlir::Value slice(mlir::Value tensor, llvm::ArrayRef<mlir::Value> offsets, llvm::ArrayRef<mlir::Value> sizes,
                    llvm::ArrayRef<mlir::Value> strides);
  /// [offset, offset + size) along one axis.
  mlir::Value sliceAxis(mlir::Value tensor, int64_t axis, mlir::Value offset, mlir::Value size);
  mlir::FailureOr<mlir::Value> concat(llvm::ArrayRef<mlir::Value> tensors, int64_t axis);
  /// Surrounds `tensor` with `value`, a tensor of rank 0.
  mlir::Value pad(mlir::Value tensor, llvm::ArrayRef<mlir::Value> before, llvm::ArrayRef<mlir::Value> after,
                  mlir::Value value);
  mlir::Value gather(mlir::Value data, mlir::Value indices, int64_t axis);
  /// [start, start + step, …] of `count` i64 values.
  mlir::Value countUp(mlir::Value start, mlir::Value step, mlir::Value count);
  /// Values and indices of the k largest or smallest along the last axis.
  std::pair<mlir::Value, mlir::Value> topK(mlir::Value tensor, mlir::Value k, bool largest);

  //===--- computation ---===//
  /// One value per element of the broadcast inputs. `element` is the storage type of the result.
  mlir::FailureOr<mlir::Value> elementwise(llvm::ArrayRef<mlir::Value> inputs, mlir::Type element, bool isUnsigned,
                                           Body body);
  /// elementwise of one input, which cannot fail.
  mlir::Value map(mlir::Value input, mlir::Type element, bool isUnsigned, Body body);
  /// As elementwise for inputs that, right-aligned, have the extents of the result or constant 1. Constants whose
  /// elements are equal move into the body.
  mlir::Value compute(llvm::ArrayRef<mlir::Value> inputs, llvm::ArrayRef<mlir::Value> extents, mlir::Type element,
                      bool isUnsigned, Body body);
  /// A tensor computed from its indices.
  mlir::Value generate(llvm::ArrayRef<mlir::Value> extents, mlir::Type element, Body body);
  /// Combines all elements along `axes`, which disappear; starts with `init`. In the compute type of the input.
  mlir::Value reduce(mlir::Value input, llvm::ArrayRef<int64_t> axes, bool isUnsigned,
                     llvm::function_ref<mlir::Value(ScalarBody &, mlir::Type)> init, Body combine);
  /// The mean of all elements along `axes`, which disappear. In the compute type of the input.
  mlir::Value mean(mlir::Value input, llvm::ArrayRef<int64_t> axes, bool isUnsigned = false);
  /// sum over the labels that `result` lacks of lhs * rhs. Labels number the dimensions of each tensor. The result has
  /// the compute type.
  mlir::FailureOr<mlir::Value> contract(mlir::Value lhs, llvm::ArrayRef<int64_t> lhsLabels, mlir::Value rhs,
                                        llvm::ArrayRef<int64_t> rhsLabels, llvm::ArrayRef<int64_t> resultLabels);
  static bool isBoolean(mlir::Value tensor) {
    return mlir::cast<mlir::RankedTensorType>(tensor.getType()).getElementType().isInteger(1);
  }
  mlir::Value convertElements(mlir::Value tensor, mlir::Type element, bool fromUnsigned = false,
                              bool toUnsigned = false);
  /// The same bits as another type of the same width.
  mlir::Value reinterpret(mlir::Value tensor, mlir::Type element);

  //===--- broadcasting ---===//
  /// The extents ONNX broadcasting gives, without the last `trailing` dimensions of each operand, which stay as they
  /// are. Operands whose extents may turn out to be 1 at run time are expanded.
  mlir::FailureOr<Extents> broadcast(llvm::SmallVectorImpl<mlir::Value> &operands, int64_t trailing = 0);
  /// `tensor` broadcast together with a tensor of extents `shape`.
  mlir::FailureOr<mlir::Value> expand(mlir::Value tensor, llvm::ArrayRef<mlir::Value> shape);

  mlir::ImplicitLocOpBuilder &builder;
  IndexArithmetic index;

  /// Forgets at its end what became known since its begin.
  class Scope {
  public:
    explicit Scope(TensorEmitter &emitter)
        : indexScope(emitter.index), emitter(emitter), checked(emitter.checked), known(emitter.known) {}
    ~Scope() {
      emitter.checked = std::move(checked);
      emitter.known = std::move(known);
    }

  private:
    IndexArithmetic::Scope indexScope;
    TensorEmitter &emitter;
    llvm::DenseSet<mlir::Value> checked;
    llvm::DenseMap<mlir::Value, Extents> known;
  };

private:
  mlir::Value expandOnes(mlir::Value tensor, llvm::ArrayRef<mlir::Value> extents);
  mlir::Value broadcastExtent(llvm::ArrayRef<mlir::Value> extents, bool &decided);
  mlir::FailureOr<Extents> broadcastExtents(llvm::ArrayRef<Extents> sizes, llvm::MutableArrayRef<bool> expands);

  mlir::Operation *node = nullptr;
  std::string label;
  llvm::DenseSet<mlir::Value> checked;
  llvm::DenseMap<mlir::Value, Extents> known;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::StringAttr, 1>> symbols;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_ONNXTOLINALG_TENSOREMITTER_H
