//===- IndexingOps.cpp - reference evaluation of gather, scatter, scan ------===//

#include "OpEvaluators.h"

using namespace mlir;
using namespace moec;
using namespace moec::nn;
using namespace moec::reference;

FailureOr<int64_t> reference::normalizeIndex(Operation *op, int64_t index, int64_t extent) {
  if (-extent <= index && index < extent)
    return index < 0 ? index + extent : index;
  return op->emitError() << "index " << index << " is out of range for an extent of " << extent;
}

/// Rows of `indices` (all but its last dimension) as positions along the leading dimensions of `data`, behind `prefix`.
static LogicalResult appendTuple(Operation *op, const HostTensor &data, const HostTensor &indices,
                                 ArrayRef<int64_t> row, SmallVectorImpl<int64_t> &position) {
  SmallVector<int64_t> entry(row);
  entry.push_back(0);
  for (; entry.back() < indices.getShape().back(); ++entry.back()) {
    FailureOr<int64_t> index = normalizeIndex(op, indices.integer(entry), data.getDim(position.size()));
    if (failed(index))
      return failure();
    position.push_back(*index);
  }
  return success();
}

static void reduceElement(ScatterReduction reduction, HostTensor &out, int64_t position, const HostTensor &updates,
                          int64_t update) {
  auto reduce = [&](auto a, auto b) {
    switch (reduction) {
    case ScatterReduction::None:
      return b;
    case ScatterReduction::Add:
      return a + b;
    case ScatterReduction::Mul:
      return a * b;
    case ScatterReduction::Max:
      return std::max(a, b);
    case ScatterReduction::Min:
      return std::min(a, b);
    }
    llvm_unreachable("all reductions are handled");
  };
  if (out.isFloat())
    out.setReal(position, reduce(out.real(position), updates.real(update)));
  else
    out.setInteger(position, reduce(out.integer(position), updates.integer(update)));
}

LogicalResult reference::evaluateOp(GatherOp op, Values &values) {
  const HostTensor &data = values[op.getData()], &indices = values[op.getIndices()];
  int64_t axis = op.getAxis(), indexRank = indices.getRank();
  SmallVector<int64_t> shape(data.getShape().take_front(axis));
  llvm::append_range(shape, indices.getShape());
  llvm::append_range(shape, data.getShape().drop_front(axis + 1));
  HostTensor &out = values.addResult(shape);
  return tryForEachIndex(shape, [&](ArrayRef<int64_t> index) {
    FailureOr<int64_t> chosen = normalizeIndex(op, indices.integer(index.slice(axis, indexRank)), data.getDim(axis));
    if (failed(chosen))
      return failure();
    SmallVector<int64_t> source(index.take_front(axis));
    source.push_back(*chosen);
    llvm::append_range(source, index.drop_front(axis + indexRank));
    out.copyElement(out.offset(index), data, data.offset(source));
    return success();
  });
}

LogicalResult reference::evaluateOp(GatherElementsOp op, Values &values) {
  const HostTensor &data = values[op.getData()], &indices = values[op.getIndices()];
  HostTensor &out = values.addResult(indices.getShape());
  return tryForEachIndex(indices.getShape(), [&](ArrayRef<int64_t> index) {
    FailureOr<int64_t> chosen = normalizeIndex(op, indices.integer(index), data.getDim(op.getAxis()));
    if (failed(chosen))
      return failure();
    SmallVector<int64_t> source(index);
    source[op.getAxis()] = *chosen;
    out.copyElement(out.offset(index), data, data.offset(source));
    return success();
  });
}

LogicalResult reference::evaluateOp(GatherNdOp op, Values &values) {
  const HostTensor &data = values[op.getData()], &indices = values[op.getIndices()];
  int64_t batchDims = op.getBatchDims(), rowRank = indices.getRank() - 1, tuple = indices.getShape().back();
  SmallVector<int64_t> shape(indices.getShape().drop_back());
  llvm::append_range(shape, data.getShape().drop_front(batchDims + tuple));
  HostTensor &out = values.addResult(shape);
  return tryForEachIndex(shape, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> source(index.take_front(batchDims));
    if (failed(appendTuple(op, data, indices, index.take_front(rowRank), source)))
      return failure();
    llvm::append_range(source, index.drop_front(rowRank));
    out.copyElement(out.offset(index), data, data.offset(source));
    return success();
  });
}

LogicalResult reference::evaluateOp(ScatterElementsOp op, Values &values) {
  const HostTensor &data = values[op.getData()], &indices = values[op.getIndices()];
  const HostTensor &updates = values[op.getUpdates()];
  HostTensor &out = values.addResult(data.getShape());
  out = data;
  return tryForEachIndex(indices.getShape(), [&](ArrayRef<int64_t> index) {
    FailureOr<int64_t> chosen = normalizeIndex(op, indices.integer(index), data.getDim(op.getAxis()));
    if (failed(chosen))
      return failure();
    SmallVector<int64_t> target(index);
    target[op.getAxis()] = *chosen;
    reduceElement(op.getReduction(), out, out.offset(target), updates, updates.offset(index));
    return success();
  });
}

LogicalResult reference::evaluateOp(ScatterNdOp op, Values &values) {
  const HostTensor &data = values[op.getData()], &indices = values[op.getIndices()];
  const HostTensor &updates = values[op.getUpdates()];
  int64_t rowRank = indices.getRank() - 1;
  HostTensor &out = values.addResult(data.getShape());
  out = data;
  return tryForEachIndex(updates.getShape(), [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> target;
    if (failed(appendTuple(op, data, indices, index.take_front(rowRank), target)))
      return failure();
    llvm::append_range(target, index.drop_front(rowRank));
    reduceElement(op.getReduction(), out, out.offset(target), updates, updates.offset(index));
    return success();
  });
}

/// The positions of a row in the order of nn.top_k.
static SmallVector<int64_t> sortRow(const HostTensor &x, int64_t first, int64_t extent, bool largest) {
  auto order = llvm::to_vector(llvm::seq<int64_t>(extent));
  auto before = [&](int64_t a, int64_t b) {
    if (!x.isFloat()) {
      int64_t left = x.integer(first + a), right = x.integer(first + b);
      return largest ? left > right : left < right;
    }
    double left = x.real(first + a), right = x.real(first + b);
    return largest ? ranksBefore(left, right) : ranksBefore(-left, -right);
  };
  llvm::sort(order, [&](int64_t a, int64_t b) { return before(a, b) || (!before(b, a) && a < b); });
  return order;
}

LogicalResult reference::evaluateOp(TopKOp op, Values &values) {
  const HostTensor &x = values[op.getX()];
  int64_t k = values[op.getK()].integer(0), extent = x.getShape().back();
  if (k < 0 || k > extent)
    return op.emitError() << "k = " << k << " is out of range for an extent of " << extent;
  SmallVector<int64_t> shape(x.getShape());
  shape.back() = k;
  HostTensor &chosen = values.addResult(shape);
  HostTensor &indices = values.addResult(shape);
  for (int64_t row : llvm::seq(extent == 0 ? 0 : x.getSize() / extent)) {
    SmallVector<int64_t> order = sortRow(x, row * extent, extent, op.getLargest());
    for (int64_t i : llvm::seq(k)) {
      chosen.copyElement(row * k + i, x, row * extent + order[i]);
      indices.setInteger(row * k + i, order[i]);
    }
  }
  return success();
}

LogicalResult reference::evaluateOp(CumSumOp op, Values &values) {
  const HostTensor &x = values[op.getX()];
  int64_t axis = op.getAxis(), extent = x.getDim(axis);
  HostTensor &out = values.addResult(x.getShape());
  forEachIndex(x.getShape(), [&](ArrayRef<int64_t> index) {
    int64_t at = index[axis], inclusive = op.getExclusive() ? 0 : 1;
    int64_t begin = op.getReverse() ? at + 1 - inclusive : 0, end = op.getReverse() ? extent : at + inclusive;
    SmallVector<int64_t> source(index);
    double sum = 0.0;
    int64_t integerSum = 0;
    for (source[axis] = begin; source[axis] < end; ++source[axis]) {
      if (x.isFloat())
        sum += x.real(source);
      else
        integerSum += x.integer(source);
    }
    if (x.isFloat())
      out.setReal(index, sum);
    else
      out.setInteger(index, integerSum);
  });
  return success();
}

LogicalResult reference::evaluateOp(CountNonzeroOp op, Values &values) {
  const HostTensor &x = values[op.getX()];
  HostTensor &count = values.addResult({1});
  count.setInteger(0, llvm::count_if(llvm::seq(x.getSize()), [&](int64_t i) { return !x.isZero(i); }));
  return success();
}

LogicalResult reference::evaluateOp(NonzeroOp op, Values &values) {
  const HostTensor &x = values[op.getX()];
  int64_t count = values[op.getCount()].integer(0), column = 0;
  HostTensor &indices = values.addResult({x.getRank(), count});
  forEachIndex(x.getShape(), [&](ArrayRef<int64_t> index) {
    if (x.isZero(x.offset(index)))
      return;
    for (auto [axis, position] : llvm::enumerate(index))
      if (column < count)
        indices.setInteger({static_cast<int64_t>(axis), column}, position);
    ++column;
  });
  if (column == count)
    return success();
  return op.emitError() << "expected count " << column << ", found " << count;
}
