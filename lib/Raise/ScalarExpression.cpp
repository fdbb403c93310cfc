//===- ScalarExpression.cpp - what an elementwise subgraph computes ---------===//

#include "ScalarExpression.h"
#include "GraphPatterns.h"
#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::raise;

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

ScalarId ScalarExpressions::intern(ScalarNode node) {
  auto [entry, inserted] = ids.try_emplace(node, nodes.size());
  if (inserted)
    nodes.push_back(std::move(node));
  return entry->second;
}

ScalarId ScalarExpressions::column(int64_t source) {
  return intern({.kind = ScalarKind::Column, .source = source, .start = 0, .step = 1});
}

ScalarId ScalarExpressions::gate() { return intern({.kind = ScalarKind::Gate}); }

ScalarId ScalarExpressions::constant(double value) { return intern({.kind = ScalarKind::Constant, .constant = value}); }

// Nested products are flattened, constants gathered, factors sorted.
ScalarId ScalarExpressions::multiply(ScalarId a, ScalarId b) {
  ScalarNode result{.kind = ScalarKind::Product, .constant = 1};
  for (ScalarId id : {a, b}) {
    const ScalarNode &node = nodes[id];
    if (node.kind == ScalarKind::Constant) {
      result.constant *= node.constant;
    } else if (node.kind == ScalarKind::Product) {
      result.constant *= node.constant;
      llvm::append_range(result.children, node.children);
    } else {
      result.children.push_back(id);
    }
  }
  if (result.children.empty())
    return constant(result.constant);
  if (result.children.size() == 1 && result.constant == 1)
    return result.children.front();
  llvm::sort(result.children);
  return intern(std::move(result));
}

ScalarId ScalarExpressions::add(ScalarId a, ScalarId b) {
  ScalarNode result{.kind = ScalarKind::Sum, .constant = 0};
  for (ScalarId id : {a, b}) {
    const ScalarNode &node = nodes[id];
    if (node.kind == ScalarKind::Constant) {
      result.constant += node.constant;
    } else if (node.kind == ScalarKind::Sum) {
      result.constant += node.constant;
      llvm::append_range(result.children, node.children);
    } else {
      result.children.push_back(id);
    }
  }
  if (result.children.empty())
    return constant(result.constant);
  if (result.children.size() == 1 && result.constant == 0)
    return result.children.front();
  llvm::sort(result.children);
  return intern(std::move(result));
}

ScalarId ScalarExpressions::minimum(ScalarId a, double bound) {
  return intern({.kind = ScalarKind::Min, .constant = bound, .children = {a}});
}

ScalarId ScalarExpressions::maximum(ScalarId a, double bound) {
  if (bound == 0)
    return apply(ScalarKind::Relu, a);
  return intern({.kind = ScalarKind::Max, .constant = bound, .children = {a}});
}

// 1 / (1 + exp(-a x)) is a sigmoid, however it is spelt.
ScalarId ScalarExpressions::inverse(ScalarId a) {
  const ScalarNode node = nodes[a];
  if (node.kind == ScalarKind::Constant)
    return constant(1 / node.constant);
  if (node.kind == ScalarKind::Sum && node.constant == 1 && node.children.size() == 1 &&
      nodes[node.children.front()].kind == ScalarKind::Exp) {
    ScalarId exponent = nodes[node.children.front()].children.front();
    return apply(ScalarKind::Sigmoid, multiply(constant(-1), exponent));
  }
  return intern({.kind = ScalarKind::Inverse, .children = {a}});
}

ScalarId ScalarExpressions::apply(ScalarKind function, ScalarId a) {
  return intern({.kind = function, .children = {a}});
}

ScalarId ScalarExpressions::rebuild(const ScalarNode &node, ArrayRef<ScalarId> children) {
  switch (node.kind) {
  case ScalarKind::Product:
  case ScalarKind::Sum: {
    ScalarId result = constant(node.constant);
    for (ScalarId child : children)
      result = node.kind == ScalarKind::Sum ? add(result, child) : multiply(result, child);
    return result;
  }
  default: {
    ScalarNode copy = node;
    copy.children.assign(children.begin(), children.end());
    return intern(std::move(copy));
  }
  }
}

ScalarId ScalarExpressions::slice(ScalarId id, int64_t start, int64_t step) {
  ScalarNode node = nodes[id];
  if (node.kind == ScalarKind::Column) {
    node.start += node.step * start;
    node.step *= step;
    return intern(node);
  }
  SmallVector<ScalarId> children =
      llvm::map_to_vector(node.children, [&](ScalarId child) { return slice(child, start, step); });
  return rebuild(node, children);
}

bool ScalarExpressions::usesGate(ScalarId id) const {
  const ScalarNode &node = nodes[id];
  return node.kind == ScalarKind::Gate || llvm::any_of(node.children, [&](ScalarId child) { return usesGate(child); });
}

std::optional<ScalarId> ScalarExpressions::withoutGate(ScalarId id) {
  const ScalarNode node = nodes[id];
  if (node.kind != ScalarKind::Product)
    return std::nullopt;
  ScalarId rest = constant(node.constant);
  int count = 0;
  for (ScalarId child : node.children) {
    if (nodes[child].kind == ScalarKind::Gate)
      ++count;
    else
      rest = multiply(rest, child);
  }
  if (count != 1 || usesGate(rest))
    return std::nullopt;
  return rest;
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

void ScalarExpressions::collectColumns(ScalarId id, SmallVectorImpl<ScalarId> &columns) const {
  if (isColumn(id)) {
    if (!llvm::is_contained(columns, id))
      columns.push_back(id);
    return;
  }
  for (ScalarId child : nodes[id].children)
    collectColumns(child, columns);
}

bool ScalarExpressions::matchUpperBounded(ScalarId id, ScalarId &column, double &limit) const {
  const ScalarNode &node = nodes[id];
  limit = std::numeric_limits<double>::infinity();
  column = id;
  if (node.kind == ScalarKind::Min) {
    limit = node.constant;
    column = node.children.front();
  }
  return isColumn(column);
}

// clamp(l, -limit, limit) + beta; the limit must be the one of the gate.
bool ScalarExpressions::matchLinear(ScalarId id, ActivationMatch &match) const {
  const ScalarNode *node = &nodes[id];
  if (node->kind == ScalarKind::Sum && node->children.size() == 1) {
    match.beta = node->constant;
    node = &nodes[node->children.front()];
  }
  double low = -std::numeric_limits<double>::infinity(), high = -low;
  while (node->kind == ScalarKind::Min || node->kind == ScalarKind::Max) {
    double &bound = node->kind == ScalarKind::Min ? high : low;
    if (std::isfinite(bound))
      return false;
    bound = node->constant;
    node = &nodes[node->children.front()];
  }
  if (node->kind != ScalarKind::Column || low != -high || high != match.limit)
    return false;
  match.linear = *node;
  return true;
}

/// f(G) for the gate functions; `value` is G.
bool ScalarExpressions::matchGateFunction(ScalarId id, ActivationMatch &match, ScalarId &value) {
  const ScalarNode node = nodes[id];
  match.alpha = 1;
  if (node.kind == ScalarKind::Relu || node.kind == ScalarKind::Gelu || node.kind == ScalarKind::GeluTanh) {
    match.kind = node.kind == ScalarKind::Relu   ? moe::ActivationKind::Reglu
                 : node.kind == ScalarKind::Gelu ? moe::ActivationKind::Geglu
                                                 : moe::ActivationKind::GegluTanh;
    value = node.children.front();
    return true;
  }
  if (node.kind != ScalarKind::Product || node.children.size() != 2)
    return false;
  for (unsigned place : {0u, 1u}) {
    ScalarId factor = node.children[place];
    const ScalarNode inner = nodes[node.children[1 - place]];
    value = factor;
    // x * sigmoid(alpha x)
    if (inner.kind == ScalarKind::Sigmoid && node.constant == 1) {
      const ScalarNode &argument = nodes[inner.children.front()];
      match.kind = moe::ActivationKind::Swiglu;
      if (inner.children.front() == factor)
        return true;
      if (argument.kind == ScalarKind::Product && argument.children.size() == 1 &&
          argument.children.front() == factor) {
        match.alpha = argument.constant;
        return true;
      }
    }
    if (inner.kind != ScalarKind::Sum || inner.constant != 1 || inner.children.size() != 1 || node.constant != 0.5)
      continue;
    const ScalarNode bell = nodes[inner.children.front()];
    if (bell.kind != ScalarKind::Erf && bell.kind != ScalarKind::Tanh)
      continue;
    const ScalarNode argument = nodes[bell.children.front()];
    // 0.5 x (1 + erf(x / sqrt(2)))
    if (bell.kind == ScalarKind::Erf && argument.kind == ScalarKind::Product &&
        isNear(argument.constant, std::sqrt(0.5)) && argument.children.size() == 1 &&
        argument.children.front() == factor) {
      match.kind = moe::ActivationKind::Geglu;
      return true;
    }
    // 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
    if (bell.kind == ScalarKind::Tanh && argument.kind == ScalarKind::Product && argument.children.size() == 1 &&
        isNear(argument.constant, std::sqrt(2 / M_PI))) {
      const ScalarNode sum = nodes[argument.children.front()];
      bool hasLinearTerm = llvm::is_contained(sum.children, factor);
      bool hasCube = llvm::any_of(sum.children, [&](ScalarId term) {
        const ScalarNode &cube = nodes[term];
        return cube.kind == ScalarKind::Product && isNear(cube.constant, 0.044715) && cube.children.size() == 3 &&
               llvm::all_equal(cube.children) && cube.children.front() == factor;
      });
      if (sum.kind == ScalarKind::Sum && sum.constant == 0 && sum.children.size() == 2 && hasLinearTerm && hasCube) {
        match.kind = moe::ActivationKind::GegluTanh;
        return true;
      }
    }
  }
  return false;
}

std::optional<ActivationMatch> ScalarExpressions::matchPlain(ScalarId id) {
  ActivationMatch match{.kind = moe::ActivationKind::Identity};
  if (isColumn(id)) {
    match.gate = nodes[id];
    return match;
  }
  const ScalarNode node = nodes[id];
  if (node.kind == ScalarKind::Product && node.constant == 1 && node.children.size() == 2 &&
      llvm::all_equal(node.children) && nodes[node.children.front()].kind == ScalarKind::Relu &&
      isColumn(nodes[node.children.front()].children.front())) {
    match.kind = moe::ActivationKind::Relu2;
    match.gate = nodes[nodes[node.children.front()].children.front()];
    return match;
  }
  ScalarId value;
  if (!matchGateFunction(id, match, value) || !isColumn(value) || match.alpha != 1)
    return std::nullopt;
  match.gate = nodes[value];
  switch (match.kind) {
  case moe::ActivationKind::Swiglu:
    match.kind = moe::ActivationKind::Silu;
    break;
  case moe::ActivationKind::Geglu:
    match.kind = moe::ActivationKind::Gelu;
    break;
  case moe::ActivationKind::GegluTanh:
    match.kind = moe::ActivationKind::GeluTanh;
    break;
  default:
    match.kind = moe::ActivationKind::Relu;
    break;
  }
  return match;
}

std::optional<ActivationMatch> ScalarExpressions::matchActivation(ScalarId id) {
  SmallVector<ScalarId> columns;
  collectColumns(id, columns);
  if (columns.size() == 1)
    return matchPlain(id);
  const ScalarNode node = nodes[id];
  if (columns.size() != 2 || node.kind != ScalarKind::Product)
    return std::nullopt;
  // One factor is the linear part; the others together must be the gate function of the other column.
  for (size_t place : llvm::seq(node.children.size())) {
    ScalarId rest = constant(node.constant);
    for (auto [index, child] : llvm::enumerate(node.children))
      if (index != place)
        rest = multiply(rest, child);
    ActivationMatch match{.kind = moe::ActivationKind::Swiglu};
    ScalarId value, gateColumn;
    if (!matchGateFunction(rest, match, value) || !matchUpperBounded(value, gateColumn, match.limit) ||
        !matchLinear(node.children[place], match))
      continue;
    if (match.limit <= 0 || !std::isfinite(match.alpha) || !std::isfinite(match.beta))
      continue;
    match.gate = nodes[gateColumn];
    if (*match.linear < match.gate || match.gate < *match.linear)
      return match;
  }
  return std::nullopt;
}
