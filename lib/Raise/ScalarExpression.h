//===- ScalarExpression.h - what an elementwise subgraph computes -----------===//
//
// An elementwise subgraph as one hash-consed expression of a single element, in a form where the order of factors and
// terms and the spelling of an activation do not matter. Leaves are columns of matrix products and gates. The
// recogniser of experts builds one from the nodes between two products and asks which activation it is.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_RAISE_SCALAREXPRESSION_H
#define MOEC_LIB_RAISE_SCALAREXPRESSION_H

#include "moec/Dialect/Moe/Moe.h"
#include <map>
#include <optional>

namespace moec::raise {

enum class ScalarKind {
  Column, // element start + step * i of source `source`, where i counts the features
  Gate,   // the gate of the row
  Constant,
  Product, // constant * children
  Sum,     // constant + children
  Min,     // min(child, constant)
  Max,     // max(child, constant)
  Sigmoid,
  Tanh,
  Erf,
  Exp,
  Inverse,
  Relu,
  Gelu,
  GeluTanh,
};

using ScalarId = unsigned;

struct ScalarNode {
  ScalarKind kind;
  double constant = 0;
  int64_t source = 0, start = 0, step = 0;
  llvm::SmallVector<ScalarId, 4> children = {};

  bool operator<(const ScalarNode &other) const {
    return std::tie(kind, constant, source, start, step, children) <
           std::tie(other.kind, other.constant, other.source, other.start, other.step, other.children);
  }
};

/// Places of the gate and the linear values of a gated activation, or of the values of a plain one (`linear` absent).
struct ActivationMatch {
  moe::ActivationKind kind;
  double alpha = 1, beta = 0;
  double limit = std::numeric_limits<double>::infinity();
  ScalarNode gate;
  std::optional<ScalarNode> linear;
};

class ScalarExpressions {
public:
  const ScalarNode &operator[](ScalarId id) const { return nodes[id]; }

  ScalarId column(int64_t source);
  ScalarId gate();
  ScalarId constant(double value);
  ScalarId multiply(ScalarId a, ScalarId b);
  ScalarId add(ScalarId a, ScalarId b);
  ScalarId minimum(ScalarId a, double bound);
  ScalarId maximum(ScalarId a, double bound);
  ScalarId inverse(ScalarId a);
  /// A function of one argument; kinds from Sigmoid on except Inverse.
  ScalarId apply(ScalarKind function, ScalarId a);
  /// The same expression for the features start, start + step, …
  ScalarId slice(ScalarId id, int64_t start, int64_t step);

  /// Divides by the gate if it is a factor exactly once; nullopt otherwise.
  std::optional<ScalarId> withoutGate(ScalarId id);
  bool usesGate(ScalarId id) const;

  /// The activation that `id` is, with every constant proven.
  std::optional<ActivationMatch> matchActivation(ScalarId id);

private:
  ScalarId intern(ScalarNode node);
  ScalarId rebuild(const ScalarNode &node, llvm::ArrayRef<ScalarId> children);
  bool isColumn(ScalarId id) const { return nodes[id].kind == ScalarKind::Column; }
  void collectColumns(ScalarId id, llvm::SmallVectorImpl<ScalarId> &columns) const;
  /// min(g, limit) for a column g.
  bool matchUpperBounded(ScalarId id, ScalarId &column, double &limit) const;
  bool matchLinear(ScalarId id, ActivationMatch &match) const;
  bool matchGateFunction(ScalarId id, ActivationMatch &match, ScalarId &value);
  std::optional<ActivationMatch> matchPlain(ScalarId id);

  std::vector<ScalarNode> nodes;
  std::map<ScalarNode, ScalarId> ids;
};

} // namespace moec::raise

#endif // MOEC_LIB_RAISE_SCALAREXPRESSION_H
