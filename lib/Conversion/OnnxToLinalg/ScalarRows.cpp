//===- ScalarRows.cpp - shape arithmetic on single elements -------------------===//
//
// Rows for tensors whose elements are known one by one. What is not handled here (a type, a length, an attribute) falls
// back to the operator's row on tensors, so these rows only ever say yes to the plain cases.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"

using namespace mlir;
using namespace moec;

using Scalars = ArrayRef<ScalarTensor>;
using Result = std::optional<ScalarTensor>;
using Extents = SmallVector<Value>;
using Predicate = arith::CmpIPredicate;

static constexpr size_t maxScalars = ValueMap::maxScalars;

static bool isBoolean(const ScalarTensor &x) { return x.element && x.element.isInteger(1); }

//===----------------------------------------------------------------------===//
// Element by element
//===----------------------------------------------------------------------===//

/// i32 constants wrap; what is computed from extents is taken to fit.
static Value wrap(Binder &b, Value value, Type element) {
  if (!element.isInteger(32))
    return value;
  if (std::optional<int64_t> known = IndexArithmetic::asConstant(value))
    return b.index.constant(static_cast<int32_t>(*known));
  return value;
}

static Result broadcast(Binder &b, Scalars inputs, Type element, function_ref<Value(ArrayRef<Value>)> compute) {
  size_t size = 1, rank = 0;
  for (const ScalarTensor &input : inputs) {
    if (input.elements.size() != 1) {
      if (size != 1 && size != input.elements.size())
        return std::nullopt;
      size = input.elements.size();
    }
    rank = std::max(rank, input.shape.size());
  }
  if (rank > 1)
    return std::nullopt;
  ScalarTensor result{{}, SmallVector<int64_t>(rank, size), element};
  for (size_t place = 0; place < size; ++place) {
    Extents operands;
    for (const ScalarTensor &input : inputs)
      operands.push_back(input.elements[input.elements.size() == 1 ? 0 : place]);
    result.elements.push_back(wrap(b, compute(operands), element));
  }
  return result;
}

template <Value (IndexArithmetic::*compute)(Value, Value)> static Result arithmetic(Binder &b, Scalars inputs) {
  if (isBoolean(inputs[0]))
    return std::nullopt;
  return broadcast(b, inputs, inputs[0].element, [&](ArrayRef<Value> v) {
    Value result = v[0];
    for (Value next : v.drop_front())
      result = (b.index.*compute)(result, next);
    return result;
  });
}

template <Value (IndexArithmetic::*compute)(Value, Value)> static Result logic(Binder &b, Scalars inputs) {
  if (!isBoolean(inputs[0]))
    return std::nullopt;
  return broadcast(b, inputs, inputs[0].element, [&](ArrayRef<Value> v) { return (b.index.*compute)(v[0], v[1]); });
}

template <Predicate predicate> static Result comparison(Binder &b, Scalars inputs) {
  if (isBoolean(inputs[0]))
    return std::nullopt;
  return broadcast(b, inputs, b.emit.builder.getI1Type(),
                   [&](ArrayRef<Value> v) { return b.index.compare(predicate, v[0], v[1]); });
}

static Result mod(Binder &b, Scalars inputs) {
  return b.integer("fmod", 0) == 0 ? arithmetic<&IndexArithmetic::mod>(b, inputs) : std::nullopt;
}

static Result negate(Binder &b, Scalars inputs) {
  return broadcast(b, inputs, inputs[0].element,
                   [&](ArrayRef<Value> v) { return b.index.sub(b.index.constant(0), v[0]); });
}

static Result logicalNot(Binder &b, Scalars inputs) {
  return broadcast(b, inputs, inputs[0].element, [&](ArrayRef<Value> v) { return b.index.logicalNot(v[0]); });
}

static Result where(Binder &b, Scalars inputs) {
  return broadcast(b, inputs, inputs[1].element, [&](ArrayRef<Value> v) { return b.index.select(v[0], v[1], v[2]); });
}

// Integers keep their value; that i32 holds it is what the graph's author expects of a shape.
static Result cast(Binder &b, Scalars inputs) {
  Type element = b.resultElement(0);
  if (isBoolean(inputs[0]) || element.isInteger(1))
    return inputs[0].element == element ? Result(inputs[0]) : std::nullopt;
  return broadcast(b, inputs, element, [](ArrayRef<Value> v) { return v[0]; });
}

//===----------------------------------------------------------------------===//
// Rearrangement
//===----------------------------------------------------------------------===//

static std::optional<SmallVector<int64_t>> constants(const ScalarTensor &x) {
  SmallVector<int64_t> result;
  for (Value element : x.elements) {
    std::optional<int64_t> known = IndexArithmetic::asConstant(element);
    if (!known)
      return std::nullopt;
    result.push_back(*known);
  }
  return result;
}

static Result vectorOf(ArrayRef<Value> elements, Type element) {
  return elements.size() <= maxScalars ? Result(ScalarTensor::vector(elements, element)) : std::nullopt;
}

static Result identity(Binder &, Scalars inputs) { return inputs[0]; }

static Result concat(Binder &, Scalars inputs) {
  Extents elements;
  for (const ScalarTensor &input : inputs) {
    if (!input.isVector())
      return std::nullopt;
    llvm::append_range(elements, input.elements);
  }
  return vectorOf(elements, inputs[0].element);
}

static Result gather(Binder &b, Scalars inputs) {
  std::optional<SmallVector<int64_t>> places = constants(inputs[1]);
  int64_t size = inputs[0].elements.size();
  if (!places || !inputs[0].isVector())
    return std::nullopt;
  ScalarTensor result{{}, inputs[1].shape, inputs[0].element};
  for (int64_t place : *places) {
    if (place < -size || place >= size)
      return std::nullopt;
    result.elements.push_back(inputs[0].elements[place < 0 ? place + size : place]);
  }
  return result;
}

static Result slice(Binder &b, Scalars inputs) {
  int64_t size = inputs[0].elements.size();
  std::optional<SmallVector<int64_t>> starts = constants(inputs[1]), ends = constants(inputs[2]);
  std::optional<SmallVector<int64_t>> steps =
      inputs.size() > 4 && inputs[4].element ? constants(inputs[4]) : SmallVector<int64_t>{1};
  if (!inputs[0].isVector() || !starts || !ends || !steps || starts->size() != 1 || steps->size() != 1 ||
      ends->size() != 1 || steps->front() == 0)
    return std::nullopt;
  int64_t step = steps->front();
  auto clamp = [&](int64_t place, int64_t low, int64_t high) {
    return std::clamp(place < 0 ? place + size : place, low, std::max(low, high));
  };
  int64_t last = step > 0 ? size : size - 1, first = step > 0 ? 0 : -1;
  // From below, a start before the first element means the first.
  int64_t start = clamp(starts->front(), step > 0 ? 0 : std::min<int64_t>(0, last), last);
  int64_t end = ends->front() < -size ? first : clamp(ends->front(), first, last);
  Extents elements;
  for (int64_t place = start; step > 0 ? place < end : place > end; place += step)
    elements.push_back(inputs[0].elements[place]);
  return vectorOf(elements, inputs[0].element);
}

static Result squeeze(Binder &, Scalars inputs) {
  if (!inputs[0].isVector() || inputs[0].elements.size() != 1)
    return std::nullopt;
  return ScalarTensor::scalar(inputs[0].elements[0], inputs[0].element);
}

static Result unsqueeze(Binder &, Scalars inputs) {
  if (!inputs[0].isScalar() || inputs.size() < 2 || inputs[1].elements.size() != 1)
    return std::nullopt;
  return ScalarTensor::vector(inputs[0].elements, inputs[0].element);
}

// To a vector or a scalar, of any shape.
static Result reshape(Binder &b, Scalars inputs) {
  std::optional<SmallVector<int64_t>> shape = constants(inputs[1]);
  int64_t size = inputs[0].elements.size();
  if (!shape || shape->size() > 1)
    return std::nullopt;
  if (shape->empty() ? size != 1 : shape->front() != -1 && shape->front() != size)
    return std::nullopt;
  return shape->empty() ? ScalarTensor::scalar(inputs[0].elements[0], inputs[0].element)
                        : ScalarTensor::vector(inputs[0].elements, inputs[0].element);
}

static Result expand(Binder &, Scalars inputs) {
  std::optional<SmallVector<int64_t>> shape = constants(inputs[1]);
  if (!shape || shape->size() != 1 || inputs[0].elements.size() != 1 || shape->front() < 1 ||
      shape->front() > static_cast<int64_t>(maxScalars))
    return std::nullopt;
  return vectorOf(Extents(shape->front(), inputs[0].elements[0]), inputs[0].element);
}

static Result constantOfShape(Binder &b, Scalars inputs) {
  std::optional<SmallVector<int64_t>> shape = constants(inputs[0]);
  Type element = b.resultElement(0);
  auto value = dyn_cast_or_null<DenseElementsAttr>(b.attribute("value"));
  if (!shape || shape->size() > 1 || !value || (shape->size() == 1 && shape->front() > int64_t(maxScalars)))
    return std::nullopt;
  APInt constant = value.getSplatValue<APInt>();
  Value filler = element.isInteger(1) ? b.index.boolean(!constant.isZero()) : b.index.constant(constant.getSExtValue());
  return shape->empty() ? ScalarTensor::scalar(filler, element)
                        : vectorOf(Extents(std::max<int64_t>(shape->front(), 0), filler), element);
}

static Result range(Binder &b, Scalars inputs) {
  std::optional<SmallVector<int64_t>> starts = constants(inputs[0]), limits = constants(inputs[1]);
  std::optional<SmallVector<int64_t>> deltas = constants(inputs[2]);
  if (!starts || !limits || !deltas || deltas->front() == 0)
    return std::nullopt;
  Extents elements;
  int64_t delta = deltas->front(), limit = limits->front();
  for (int64_t value = starts->front(); delta > 0 ? value < limit : value > limit; value += delta) {
    if (elements.size() == maxScalars)
      return std::nullopt;
    elements.push_back(b.index.constant(value));
  }
  return vectorOf(elements, inputs[0].element);
}

// Exporters say "which dimension is repeated, and how often" in one hot vector: the repeats of a tile.
static Result oneHot(Binder &b, Scalars inputs) {
  std::optional<SmallVector<int64_t>> place = constants(inputs[0]), depth = constants(inputs[1]);
  if (!place || place->size() != 1 || !depth || depth->size() != 1 || inputs[2].elements.size() != 2 ||
      inputs[0].shape.size() > 1 || depth->front() < 1 || depth->front() > static_cast<int64_t>(maxScalars))
    return std::nullopt;
  int64_t hot = place->front() < 0 ? place->front() + depth->front() : place->front();
  ScalarTensor result{Extents(depth->front(), inputs[2].elements[0]), inputs[0].shape, inputs[2].element};
  if (hot >= 0 && hot < depth->front())
    result.elements[hot] = inputs[2].elements[1];
  // The new dimension comes before or behind one of extent 1: the elements are the same.
  int64_t rank = inputs[0].shape.size(), axis = b.integer("axis", -1);
  if (axis < -rank - 1 || axis > rank)
    return std::nullopt;
  result.shape.insert(result.shape.begin() + (axis < 0 ? axis + rank + 1 : axis), depth->front());
  return result;
}

//===----------------------------------------------------------------------===//
// Reductions of a vector
//===----------------------------------------------------------------------===//

template <Value (IndexArithmetic::*combine)(Value, Value), int64_t init>
static Result reduction(Binder &b, Scalars inputs) {
  if (!inputs[0].isVector() || isBoolean(inputs[0]) || b.integer("noop_with_empty_axes", 0) != 0)
    return std::nullopt;
  Value result = b.index.constant(init);
  for (Value element : inputs[0].elements)
    result = (b.index.*combine)(result, element);
  result = wrap(b, result, inputs[0].element);
  return b.integer("keepdims", 1) != 0 ? ScalarTensor::vector(result, inputs[0].element)
                                       : ScalarTensor::scalar(result, inputs[0].element);
}

ArrayRef<ScalarRow> moec::scalarRows() {
  using I = IndexArithmetic;
  static const ScalarRow rows[] = {
      {"Add", arithmetic<&I::add>},
      {"And", logic<&I::logicalAnd>},
      {"Cast", cast},
      {"Concat", concat},
      {"ConstantOfShape", constantOfShape},
      {"Div", arithmetic<&I::div>},
      {"Equal", comparison<Predicate::eq>},
      {"Expand", expand},
      {"Gather", gather},
      {"Greater", comparison<Predicate::sgt>},
      {"GreaterOrEqual", comparison<Predicate::sge>},
      {"Identity", identity},
      {"Less", comparison<Predicate::slt>},
      {"LessOrEqual", comparison<Predicate::sle>},
      {"Max", arithmetic<&I::max>},
      {"Min", arithmetic<&I::min>},
      {"Mod", mod},
      {"Mul", arithmetic<&I::mul>},
      {"Neg", negate},
      {"Not", logicalNot},
      {"OneHot", oneHot},
      {"Or", logic<&I::logicalOr>},
      {"Range", range},
      {"ReduceProd", reduction<&I::mul, 1>},
      {"ReduceSum", reduction<&I::add, 0>},
      {"Reshape", reshape},
      {"Slice", slice},
      {"Squeeze", squeeze},
      {"Sub", arithmetic<&I::sub>},
      {"Unsqueeze", unsqueeze},
      {"Where", where},
      {"Xor", logic<&I::logicalXor>},
  };
  return rows;
}
