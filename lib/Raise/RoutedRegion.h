//===- RoutedRegion.h - values around products with gathered weights --------===//
//
// Evaluates the values between the tokens, the products `W[ids] x` and the weighted sum of one routed layer: each is a
// layout (RoutedLayout.h) and an expression of one element (ScalarExpression.h).
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_ROUTEDREGION_H
#define MOEC_LIB_RAISE_ROUTEDREGION_H

#include "RoutedLayout.h"
#include "ScalarExpression.h"

namespace moec::raise {

/// A stacked weight of which `ids` selects one matrix (or bias) per row.
struct GatheredWeight {
  mlir::Value weight, ids;
};

/// `weight` of rank `rank` gathered along its first axis; nullopt if `value` is anything else.
std::optional<GatheredWeight> matchGatheredWeight(mlir::Value value, int64_t rank);

/// A MatMul of which one side is a gathered weight.
struct ExpertProduct {
  onnx::NodeOp node;
  GatheredWeight weight;
  unsigned dataOperand;

  mlir::Value data() const { return node->getOperand(dataOperand); }
};
std::optional<ExpertProduct> matchExpertProduct(onnx::NodeOp node);

/// Whether a node computes each element of its results from the elements at the same place, or picks some of them.
bool isElementwiseNode(onnx::NodeOp node);

/// The value below Reshape, Squeeze, Unsqueeze, Flatten, Identity and Cast.
mlir::Value skipReshapes(mlir::Value value);

/// What a column of an expression comes from.
struct RoutedSource {
  enum Kind { Tokens, Product, Bias } kind;
  /// The tokens, the stacked weight or the stacked bias.
  mlir::Value value;
  /// For products: the stacked bias added to it, if any; whether W[e] is [out, in]; the columns of its result; the rows
  /// it is applied to.
  mlir::Value bias = {};
  bool outByIn = true;
  int64_t columns = 0;
  ScalarId data = 0;
};

/// A product of rows with the matrix of their expert.
struct RowProduct {
  mlir::Value weight, data;
  mlir::Value bias = {};
  bool outByIn = false;
};

/// A MatMul or Einsum with a stack of matrices: each row along one axis of the result has the matrix of its place
/// there.
struct StackedProduct {
  onnx::NodeOp node;
  mlir::Value weight, data;
  bool outByIn = false;
  /// The axis of the data that is summed over, and for each axis of the result the one of the data it is, or -1: for
  /// the columns, and for the experts if the data are the same for all.
  int64_t contracted = 0;
  llvm::SmallVector<int64_t, 4> dataAxes = {};
  /// Axes of the result.
  int64_t expertAxis = 0, columnAxis = 0;
};
std::optional<StackedProduct> matchStackedProduct(onnx::NodeOp node);

struct RoutedValue {
  Layout layout;
  ScalarId expression;
};

class RoutedRegion {
public:
  RoutedRegion(RowSpace space, mlir::Value ids, const SymbolicShapes &shapes,
               llvm::SmallDenseSet<mlir::Operation *> products)
      : space(std::move(space)), ids(ids), shapes(shapes), products(std::move(products)) {}

  /// Declares that row r of `node`, one of the products, is row r of `data` times `weight[ids[r]]`, [in, out], for ids
  /// of rank 1. `data` are the tokens if it does not come from another product.
  void addRowProduct(mlir::Operation *node, mlir::Value weight, mlir::Value data) {
    rowProducts[node] = {weight, data};
  }
  /// The same for a region of one expert, whose weights are matrices.
  void addRowProduct(mlir::Operation *node, RowProduct product) {
    products.insert(node);
    rowProducts[node] = product;
  }
  /// Declares a product of which the axis of the experts runs over `expertIndex`: the slots, or one of the dimensions
  /// of the tokens.
  void addStackedProduct(StackedProduct product, int expertIndex) {
    products.insert(product.node);
    this->expertIndex = expertIndex;
    stackedProducts[product.node] = std::move(product);
  }
  /// Declares that `bias` holds one number per feature of the only expert.
  void addRowBias(mlir::Value bias) { rowBiases.insert(bias); }

  const RowSpace &rows() const { return space; }
  ScalarExpressions &expressions() { return pool; }
  const RoutedSource &source(int64_t index) const { return sources[index]; }
  /// The one value that all gates seen so far come from; null if there were none.
  mlir::Value gates() const { return gateValue; }

  /// What `value` is; failure with a reason if it is not an elementwise function of products and gates.
  std::optional<RoutedValue> evaluate(mlir::Value value);
  /// The product of `node`, which is one of the products given.
  std::optional<RoutedValue> evaluateProduct(onnx::NodeOp node);
  std::optional<Layout> layoutOfGates(mlir::Value value);
  /// A stacked bias gathered per row.
  std::optional<RoutedValue> evaluateBias(mlir::Value value);
  /// Whether `value` is computed elementwise from a product.
  bool dependsOnProduct(mlir::Value value) const;

  /// Lets a gate multiply the tokens in front of a product.
  void allowGatesOnInput() { gatesOnInput = true; }

  /// Why the first evaluation that failed did so.
  std::string reason;

private:
  std::optional<RoutedValue> fail(const llvm::Twine &why);
  std::optional<RoutedValue> evaluateNew(mlir::Value value);
  std::optional<RoutedValue> evaluateNode(onnx::NodeOp node, mlir::Value value);
  std::optional<RoutedValue> evaluateElementwise(onnx::NodeOp node);
  std::optional<RoutedValue> evaluateBinary(onnx::NodeOp node);
  std::optional<RoutedValue> evaluateClip(onnx::NodeOp node);
  std::optional<RoutedValue> evaluateBound(onnx::NodeOp node);
  std::optional<RoutedValue> evaluateSlice(onnx::NodeOp node);
  std::optional<RoutedValue> evaluateSplit(onnx::NodeOp node, unsigned result);
  std::optional<RoutedValue> evaluateInput(mlir::Value value);
  std::optional<RoutedValue> evaluateRowProduct(const RowProduct &product);
  std::optional<RoutedValue> evaluateStackedProduct(const StackedProduct &product);
  std::optional<RoutedValue> evaluateStackedBias(mlir::Value value);
  std::optional<RoutedValue> tokensBelow(mlir::Value value);
  std::optional<Layout> layoutOfIds(mlir::Value value) const;
  std::optional<Layout> layoutOfWeight(mlir::Value value) const;
  std::optional<ScalarId> addBias(ScalarId a, ScalarId b);
  int64_t addSource(RoutedSource source);

  RowSpace space;
  mlir::Value ids;
  const SymbolicShapes &shapes;
  llvm::SmallDenseSet<mlir::Operation *> products;
  llvm::DenseMap<mlir::Operation *, RowProduct> rowProducts;
  llvm::SmallDenseSet<mlir::Value> rowBiases;
  llvm::DenseMap<mlir::Operation *, StackedProduct> stackedProducts;
  int expertIndex = SlotIndex;
  ScalarExpressions pool;
  std::vector<RoutedSource> sources;
  mlir::Value gateValue;
  bool gatesOnInput = false;
  llvm::DenseMap<mlir::Value, std::optional<RoutedValue>> evaluated;
};

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_ROUTEDREGION_H
