//===- HoistWeightExpressions.cpp - compute weights when the file is written -===//

#include "WeightExpressions.h"

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Onnx/Onnx.h"
#include "moec/Transforms/Passes.h"

namespace moec {
#define GEN_PASS_DEF_HOISTWEIGHTEXPRESSIONS
#include "moec/Transforms/Passes.h.inc"
} // namespace moec

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

class ExpressionHoister {
public:
  explicit ExpressionHoister(ModuleOp module) : module(module), symbols(module) {}

  void run() {
    collect();
    chooseRoots();
    // Operands come before their users, so a root finds the roots it depends on hoisted.
    for (Operation *op : expressions)
      if (roots.lookup(op) == op)
        hoist(op);
    for (Operation *op : llvm::reverse(expressions))
      if (op->use_empty())
        op->erase();
    for (Operation *leaf : leaves)
      if (leaf->use_empty())
        leaf->erase();
  }

private:
  /// Finds the ops that the writer can compute.
  void collect() {
    module.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<WeightOp>(op))
        return WalkResult::skip();
      if (isWeightComputation(op) && llvm::all_of(op->getOperands(), [&](Value operand) { return isKnown(operand); }))
        addExpression(op);
      return WalkResult::advance();
    });
  }

  void addExpression(Operation *op) {
    expressions.insert(op);
    for (Value operand : op->getOperands())
      if (isWeightLeaf(operand.getDefiningOp()))
        leaves.insert(operand.getDefiningOp());
  }

  bool isKnown(Value value) {
    Operation *op = value.getDefiningOp();
    return op && (isWeightLeaf(op) || expressions.contains(op));
  }

  /// An op is computed inside the one expression that uses it; if several do, or other code does, it becomes a weight.
  void chooseRoots() {
    for (Operation *op : llvm::reverse(expressions)) {
      Operation *root = nullptr;
      for (Operation *user : op->getUsers()) {
        Operation *rootOfUser = roots.lookup(user);
        if (!rootOfUser || (root && root != rootOfUser))
          rootOfUser = op;
        root = rootOfUser;
      }
      if (root == op && !isWorthHoisting(op))
        root = nullptr;
      roots[op] = root;
    }
  }

  /// Integers stay, unless they are bytes or a stored weight: they may compute shapes. So does a tensor.empty, which
  /// costs nothing.
  static bool isWorthHoisting(Operation *op) {
    Type element = getElementTypeOrSelf(op->getResult(0).getType());
    return isa<PackPanelsOp>(op) || (!isa<tensor::EmptyOp>(op) && (isa<FloatType>(element) || element.isInteger(8)));
  }

  void hoist(Operation *root) {
    SetVector<Operation *> slice;
    StringRef name;
    collectSlice(root, slice, name);

    OpBuilder builder(module.getContext());
    auto type = cast<RankedTensorType>(root->getResult(0).getType());
    std::string symbol = (name.empty() ? "constant" : name.str()) + "." + root->getName().stripDialect().str();
    auto weight = WeightOp::create(builder, root->getLoc(), symbol, StringAttr(), type, Attribute());
    builder.createBlock(&weight.getExpression());
    IRMapping mapping;
    for (Operation *op : slice) {
      auto constant = dyn_cast<arith::ConstantOp>(op);
      if (!constant) {
        builder.clone(*op, mapping);
        continue;
      }
      auto elements = cast<ElementsAttr>(constant.getValue());
      mapping.map(constant.getResult(), onnx::ConstantOp::create(builder, op->getLoc(), elements).getResult());
    }
    YieldOp::create(builder, root->getLoc(), mapping.lookup(root->getResult(0)));
    symbols.insert(weight, module.getBody()->begin());

    builder.setInsertionPoint(root);
    auto load = LoadWeightOp::create(builder, root->getLoc(), type, weight.getSymName());
    root->getResult(0).replaceAllUsesWith(load);
    leaves.insert(load);
  }

  /// The ops that `op` is computed with, operands first, and the name of the first weight among them.
  void collectSlice(Operation *root, SetVector<Operation *> &slice, StringRef &name) {
    SmallVector<std::pair<Operation *, unsigned>> stack = {{root, 0}};
    while (!stack.empty()) {
      auto &[op, next] = stack.back();
      if (next == op->getNumOperands()) {
        slice.insert(op);
        auto load = dyn_cast<LoadWeightOp>(op);
        if (load && name.empty())
          name = load.getWeight();
        stack.pop_back();
        continue;
      }
      Operation *operand = op->getOperand(next++).getDefiningOp();
      if (!slice.contains(operand))
        stack.push_back({operand, 0});
    }
  }

  ModuleOp module;
  SymbolTable symbols;
  SetVector<Operation *> expressions, leaves;
  DenseMap<Operation *, Operation *> roots;
};

struct HoistWeightExpressions : moec::impl::HoistWeightExpressionsBase<HoistWeightExpressions> {
  void runOnOperation() override { ExpressionHoister(getOperation()).run(); }
};

} // namespace
