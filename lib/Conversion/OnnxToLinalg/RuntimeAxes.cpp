//===- RuntimeAxes.cpp - axes that only the run tells -------------------------===//

#include "RuntimeAxes.h"

using namespace mlir;
using namespace moec;

using Predicate = arith::CmpIPredicate;

FailureOr<RuntimeAxes> RuntimeAxes::get(Binder &b, ArrayRef<Value> axes, int64_t rank) {
  IndexArithmetic &index = b.index;
  Value zero = index.constant(0), extent = index.constant(rank);
  RuntimeAxes result(index, {});
  for (Value axis : axes) {
    Value fromEnd = index.compare(Predicate::slt, axis, zero);
    Value normalized = index.select(fromEnd, index.add(axis, extent), axis);
    Value inRange = index.logicalAnd(index.compare(Predicate::sge, normalized, zero),
                                     index.compare(Predicate::slt, normalized, extent));
    if (failed(b.emit.check(inRange, "an axis is out of range for rank " + Twine(rank))))
      return failure();
    for (Value other : result.axes)
      if (failed(b.emit.check(index.compare(Predicate::ne, normalized, other), "an axis is given twice")))
        return failure();
    result.axes.push_back(normalized);
  }
  for (int64_t axis = 0; axis < rank; ++axis) {
    Value any = index.boolean(false);
    for (Value candidate : result.axes)
      any = index.logicalOr(any, result.isAt(candidate, axis));
    result.named.push_back(any);
  }
  return result;
}

FailureOr<std::optional<RuntimeAxes>> RuntimeAxes::find(Binder &b, unsigned input, int64_t rank) {
  if (!b.has(input))
    return std::optional<RuntimeAxes>();
  FailureOr<Extents> given = b.integers(input);
  if (failed(given))
    return failure();
  if (IndexArithmetic::asConstants(*given))
    return std::optional<RuntimeAxes>();
  FailureOr<RuntimeAxes> axes = get(b, *given, rank);
  if (failed(axes))
    return failure();
  return std::optional(*axes);
}

Value RuntimeAxes::isAt(Value position, int64_t expected) const {
  return index->compare(Predicate::eq, position, index->constant(expected));
}

Value RuntimeAxes::find(int64_t axis, ArrayRef<Value> values, Value otherwise) const {
  for (auto [candidate, value] : llvm::zip_equal(axes, values))
    otherwise = index->select(isAt(candidate, axis), value, otherwise);
  return otherwise;
}

Value RuntimeAxes::countBelow(int64_t axis) const {
  Value count = index->constant(0);
  for (Value flag : ArrayRef(named).take_front(axis))
    count = index->add(count, index->select(flag, index->constant(1), index->constant(0)));
  return count;
}

RuntimeAxes::Extents RuntimeAxes::drop(ArrayRef<Value> extents) const {
  int64_t rank = extents.size(), kept = rank - static_cast<int64_t>(axes.size());
  Extents result;
  for (int64_t place = 0; place < kept; ++place) {
    Value extent = index->constant(1);
    for (int64_t axis = place; axis < rank; ++axis) {
      Value position = index->sub(index->constant(axis), countBelow(axis));
      Value here = index->logicalAnd(index->logicalNot(named[axis]), isAt(position, place));
      extent = index->select(here, extents[axis], extent);
    }
    result.push_back(extent);
  }
  return result;
}

RuntimeAxes::Extents RuntimeAxes::insertOnes(ArrayRef<Value> extents) const {
  Extents result;
  for (int64_t place = 0, rank = named.size(); place < rank; ++place) {
    Value position = index->sub(index->constant(place), countBelow(place)), extent = index->constant(1);
    for (auto [axis, source] : llvm::enumerate(extents))
      extent = index->select(isAt(position, axis), source, extent);
    result.push_back(index->select(named[place], index->constant(1), extent));
  }
  return result;
}
