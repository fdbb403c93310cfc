//===- NnScatterGpuKernels.cpp - scatters on GPUs ---------------------------===//
//
// Updates do not cross the lines of a result: all of it for tuples, what lies behind the axis for elements. A block
// owns a part of a line. It copies the data there, then looks at all updates of the line in turn, as many at a time as
// it has threads, and keeps those that hit its part in a list in shared memory. Every thread walks the list and
// applies, in order, what falls on its own elements, so that no result depends on the order of threads.
//
//===----------------------------------------------------------------------===//

#include "CopyRuns.h"
#include "GpuKernels.h"
#include "WarpReductions.h"

#include "moec/Dialect/Nn/Nn.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

namespace {

/// Where an update goes, in its line, where it comes from, and whether there is such a place.
struct ScatterUpdate {
  Value target, source, isValid;
};

/// A line is what follows the dimensions before the axis.
class ElementScatter {
public:
  ElementScatter(nn::ScatterElementsOp op, const LoopEmitter &emit, ValueRange operands)
      : emit(emit), axis(op.getAxis()), indices(operands[1]), rank(rankOf(operands[0])),
        dataExtents(emit.extents(operands[0], 0, rank)), extents(emit.extents(operands[1], 0, rank)),
        perLine(emit.product(ArrayRef(extents).drop_front(axis))) {
    lines = emit.product(ArrayRef(dataExtents).take_front(axis));
    elements = emit.product(ArrayRef(dataExtents).drop_front(axis));
    slice = emit.index(1);
    for (int64_t dim = 0; dim < rank; ++dim) {
      if (dim != axis)
        conditions.push_back(emit.compare(arith::CmpIPredicate::ule, extents[dim], dataExtents[dim]));
      conditions.push_back(emit.equal(extents[dim], emit.extent(operands[2], dim)));
    }
  }

  static int64_t lineDimension(nn::ScatterElementsOp op) { return op.getAxis(); }

  Value updateCount(Value line) const {
    Value count = perLine;
    for (auto [coordinate, extent] : llvm::zip(coordinatesOf(line), extents))
      count = emit.select(emit.less(coordinate, extent), count, emit.index(0));
    return count;
  }

  ScatterUpdate locate(const GpuBlockBuilder &block, const step::GpuKernelContext &context, Value line,
                       Value update) const {
    Value outer = emit.linearize(coordinatesOf(line), ArrayRef(extents).take_front(axis));
    Value source = emit.add(emit.mul(outer, perLine), update);
    auto [at, isValid] = loadIndex(block, context, indices, source, dataExtents[axis]);
    SmallVector<Value> target = emit.delinearize(update, ArrayRef(extents).drop_front(axis));
    target.front() = at;
    return {emit.linearize(target, ArrayRef(dataExtents).drop_front(axis)), source, isValid};
  }

  Value lines, elements, slice;
  /// What the extents must meet.
  SmallVector<Value> conditions;

private:
  SmallVector<Value> coordinatesOf(Value line) const {
    return emit.delinearize(line, ArrayRef(dataExtents).take_front(axis));
  }

  const LoopEmitter &emit;
  int64_t axis;
  Value indices;
  int64_t rank;
  SmallVector<Value> dataExtents, extents;
  Value perLine;
};

/// All is one line.
class TupleScatter {
public:
  TupleScatter(nn::ScatterNdOp op, const LoopEmitter &emit, ValueRange operands)
      : emit(emit), indices(operands[1]), size(cast<ShapedType>(op.getIndices().getType()).getShape().back()),
        extents(emit.extents(operands[0], 0, size)), tuples(emit.elements(indices, 0, rankOf(indices) - 1)) {
    lines = emit.index(1);
    elements = emit.elements(operands[0]);
    slice = emit.elements(operands[0], size, rankOf(operands[0]));
    conditions.push_back(emit.equal(emit.elements(operands[2]), emit.mul(tuples, slice)));
  }

  static int64_t lineDimension(nn::ScatterNdOp) { return 0; }

  Value updateCount(Value) const { return tuples; }

  ScatterUpdate locate(const GpuBlockBuilder &block, const step::GpuKernelContext &context, Value, Value update) const {
    Value row = emit.index(0), isValid = block.boolean(true);
    for (int64_t i = 0; i < size; ++i) {
      auto [at, inRange] = loadIndex(block, context, indices, emit.add(emit.mul(update, size), i), extents[i]);
      row = emit.add(emit.mul(row, extents[i]), at);
      isValid = block.both(isValid, inRange);
    }
    return {emit.mul(row, slice), emit.mul(update, slice), isValid};
  }

  Value lines, elements, slice;
  SmallVector<Value> conditions;

private:
  const LoopEmitter &emit;
  Value indices;
  int64_t size;
  SmallVector<Value> extents;
  Value tuples;
};

/// What a block does with its part.
template <typename Scatter> class ScatterBlock {
public:
  ScatterBlock(const GpuBlockBuilder &block, const LoopEmitter &emit, const step::GpuKernelContext &context,
               const Scatter &scatter, nn::ScatterReduction reduction, ValueRange operands, Value result)
      : block(block), emit(emit), context(context), scatter(scatter), reduction(reduction), data(block, operands[0]),
        updates(block, operands[2]), out(block, result), threads(context.shape.threads),
        list(block.sharedPointer(context.shared)) {}

  static int64_t sharedBytes(int64_t threads) { return threads * entryBytes + BlockThreads::bytesFor(threads, 1); }

  void emitPart(int64_t width) {
    Value parts = emit.div(context.blockCount, scatter.lines);
    line = emit.div(context.block, parts);
    base = emit.mul(line, scatter.elements);
    Value length = emit.roundUp(emit.div(emit.sub(emit.add(scatter.elements, parts), emit.index(1)), parts),
                                threads * maxAccessBytes);
    from = emit.min(emit.mul(emit.rem(context.block, parts), length), scatter.elements);
    to = emit.min(emit.add(from, length), scatter.elements);
    Value first = emit.add(from, emit.mul(context.thread, width));
    block.loop(first, to, emit.index(threads * width), [&](Value element) {
      Value place = emit.add(base, element);
      data.copy(place, out, place, width);
    });
    // Runs were copied by other threads than those that change their elements.
    block.barrier();
    Value count = scatter.updateCount(line);
    for (Value condition : scatter.conditions) {
      context.emitCheck(block.builder, block.loc, condition, MOERT_KERNEL_INDEX_OUT_OF_RANGE);
      count = emit.select(condition, count, emit.index(0));
    }
    block.loop(emit.index(0), count, emit.index(threads), [&](Value chunk) {
      Value hits = listHits(chunk, count);
      block.barrier();
      block.loop(emit.index(0), hits, emit.index(1), [&](Value entry) { applyEntry(entry); });
      block.barrier();
    });
  }

private:
  static constexpr int64_t entryBytes = 16;

  Value entryAt(Value entry) const { return block.at(list, block.mul(block.toI32(entry), entryBytes)); }

  /// Notes which of the updates from `chunk` on hit the part, in order; returns their number.
  Value listHits(Value chunk, Value count) const {
    Value own = emit.add(chunk, context.thread), exists = emit.less(own, count);
    Value update = emit.min(own, emit.sub(count, emit.index(1)));
    ScatterUpdate found = scatter.locate(block, context, line, update);
    Value begins = emit.less(found.target, to), ends = emit.less(from, emit.add(found.target, scatter.slice));
    Value isHit = block.both(block.both(exists, found.isValid), block.both(begins, ends));
    BlockThreads all{block.toI32(context.thread), threads, block.at(list, threads * entryBytes)};
    Value one = block.make<arith::ExtUIOp>(block.builder.getI32Type(), isHit);
    ThreadSums sums = sumThroughThread(block, all, one);
    block.ifThen(isHit, [&] {
      Value entry = entryAt(emit.toIndex(block.sub(sums.through, 1)));
      block.store(block.toI64(found.target), entry);
      block.store(block.toI64(found.source), block.at(entry, entryBytes / 2));
    });
    return emit.toIndex(sums.total);
  }

  /// Applies what an update has for the elements of this thread.
  void applyEntry(Value entry) const {
    Type i64 = block.builder.getI64Type();
    Value target = emit.toIndex(block.load(i64, entryAt(entry)));
    Value source = emit.toIndex(block.load(i64, block.at(entryAt(entry), entryBytes / 2)));
    Value begin = emit.max(target, from), end = emit.min(emit.add(target, scatter.slice), to);
    Value owner = emit.rem(emit.sub(begin, from), threads);
    Value distance = emit.rem(emit.sub(emit.add(context.thread, emit.index(threads)), owner), threads);
    block.loop(emit.add(begin, distance), end, emit.index(threads),
               [&](Value element) { change(emit.add(base, element), emit.add(source, emit.sub(element, target))); });
  }

  void change(Value place, Value source) const {
    if (reduction == nn::ScatterReduction::None)
      return updates.copy(source, out, place, 1);
    Value old = load(out, place), update = load(updates, source);
    bool isReal = isa<FloatType>(old.getType());
    Value result;
    switch (reduction) {
    case nn::ScatterReduction::None:
      llvm_unreachable("copied above");
    case nn::ScatterReduction::Add:
      result = isReal ? block.addFloat(old, update) : block.add(old, update);
      break;
    case nn::ScatterReduction::Mul:
      result = isReal ? block.mulFloat(old, update) : block.mul(old, update);
      break;
    case nn::ScatterReduction::Max:
      result = isReal ? block.make<arith::MaximumFOp>(old, update) : block.max(old, update);
      break;
    case nn::ScatterReduction::Min:
      result = isReal ? block.make<arith::MinimumFOp>(old, update) : block.min(old, update);
      break;
    }
    isReal ? out.storeReals(result, place) : out.store(result, place);
  }

  static Value load(const ElementRuns &runs, Value place) {
    Value value = runs.load(place);
    return isa<FloatType>(value.getType()) ? runs.loadReals(place, 1)[0] : value;
  }

  const GpuBlockBuilder &block;
  const LoopEmitter &emit;
  const step::GpuKernelContext &context;
  const Scatter &scatter;
  nn::ScatterReduction reduction;
  ElementRuns data, updates, out;
  int64_t threads;
  Value list;
  /// The line, its first element, and the part [from, to) of it.
  Value line, base, from, to;
};

template <typename OpTy, typename Scatter>
struct ScatterGpuKernel : step::GpuKernelOpInterface::ExternalModel<ScatterGpuKernel<OpTy, Scatter>, OpTy> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    auto scatter = cast<OpTy>(op);
    Type element = cast<ShapedType>(scatter.getData().getType()).getElementType();
    bool isCombined = element.isF32() || element.isF16() || element.isBF16() || element.isInteger(8) ||
                      element.isInteger(32) || element.isInteger(64);
    if (getStoredBytes(element) == 0 || (scatter.getReduction() != nn::ScatterReduction::None && !isCombined))
      return std::nullopt;
    int64_t threads = threadsFor(scatter);
    return step::GpuLaunchShape{.threads = threads, .sharedBytes = ScatterBlock<Scatter>::sharedBytes(threads)};
  }

  /// As many parts of a line as keep the machine busy, unless they become short: each looks at all updates.
  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &machine) const {
    LoopEmitter host(builder, loc);
    auto scatterOp = cast<OpTy>(op);
    int64_t threads = threadsFor(scatterOp);
    Scatter scatter(scatterOp, host, op->getOperands());
    Value resident = host.index(machine.processors * machine.threadsPerProcessor / threads);
    Value wanted = host.div(resident, host.max(scatter.lines, host.index(1)));
    Value most = host.ceilDiv(scatter.elements, threads * maxAccessBytes);
    return host.mul(scatter.lines, host.max(host.min(wanted, most), host.index(1)));
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    GpuBlockBuilder block(builder, loc);
    LoopEmitter emit(builder, loc);
    auto scatterOp = cast<OpTy>(op);
    Scatter scatter(scatterOp, emit, operands);
    ScatterBlock<Scatter>(block, emit, context, scatter, scatterOp.getReduction(), operands, results[0])
        .emitPart(getRunWidth(typeOf(scatterOp).getElementType(), lineFactor(scatterOp)));
    return success();
  }

private:
  static ShapedType typeOf(OpTy op) { return cast<ShapedType>(op.getData().getType()); }
  static int64_t lineFactor(OpTy op) {
    return getKnownFactor(typeOf(op).getShape(), Scatter::lineDimension(op), typeOf(op).getRank());
  }

  /// Short lines, of which there are many, are worth a warp.
  static int64_t threadsFor(OpTy op) {
    ArrayRef<int64_t> line = typeOf(op).getShape().drop_front(Scatter::lineDimension(op));
    bool isShort = Scatter::lineDimension(op) > 0 && !ShapedType::isDynamicShape(line) && lineFactor(op) <= 1024;
    return isShort ? warpLanes : 256;
  }
};

} // namespace

void moec::attachNnScatterGpuKernels(MLIRContext *context) {
  nn::ScatterElementsOp::attachInterface<ScatterGpuKernel<nn::ScatterElementsOp, ElementScatter>>(*context);
  nn::ScatterNdOp::attachInterface<ScatterGpuKernel<nn::ScatterNdOp, TupleScatter>>(*context);
}
