//===- NnCumSumGpuKernel.cpp - running sums on GPUs -------------------------===//
//
// A warp walks a row, one element a lane at a time: lanes add up what stands before them, and the sum of all goes on to
// the next step. Along other axes a thread walks a column, next to the threads of its neighbours.
//
//===----------------------------------------------------------------------===//

#include "ElementRuns.h"
#include "GpuKernels.h"
#include "RowGroup.h"
#include "UnitLoop.h"

#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

namespace {

constexpr int64_t warpsPerBlock = 4;

/// Running sums of one type over the lanes of a warp.
class LaneSums {
public:
  LaneSums(const GpuBlockBuilder &block, Type type) : block(block), type(type), lane(block.lane()) {}

  Value zero() const { return block.make<arith::ConstantOp>(cast<TypedAttr>(block.builder.getZeroAttr(type))); }
  Value add(Value a, Value b) const { return isa<FloatType>(type) ? block.addFloat(a, b) : block.add(a, b); }

  /// The value of the lane `distance` before this one; zero where there is none.
  Value before(Value value, int64_t distance) const {
    Values words = toWords(block, value);
    for (Value &word : words)
      word = block.shuffleUp(word, distance);
    return block.select(block.less(lane, distance), zero(), fromWords(block, type, words));
  }

  /// The sum of this lane and those before it.
  Value through(Value value) const {
    for (int64_t distance = 1; distance < warpLanes; distance *= 2)
      value = add(before(value, distance), value);
    return value;
  }

  /// The value of the last lane, for all.
  Value last(Value value) const {
    Values words = toWords(block, value);
    for (Value &word : words)
      word = block.shuffle(word, block.i32(warpLanes - 1));
    return fromWords(block, type, words);
  }

private:
  const GpuBlockBuilder &block;
  Type type;
  Value lane;
};

struct CumSumGpuKernel : step::GpuKernelOpInterface::ExternalModel<CumSumGpuKernel, nn::CumSumOp> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    auto sum = cast<nn::CumSumOp>(op);
    auto type = cast<ShapedType>(sum.getX().getType());
    Type element = type.getElementType();
    bool isSummed =
        element.isF32() || element.isF16() || element.isBF16() || element.isInteger(32) || element.isInteger(64);
    if (!isSummed)
      return std::nullopt;
    return isAlongRows(sum) ? step::GpuLaunchShape{.threads = warpsPerBlock * warpLanes} : getUnitLaunchShape();
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &machine) const {
    LoopEmitter host(builder, loc);
    Value x = op->getOperand(0);
    if (!isAlongRows(cast<nn::CumSumOp>(op)))
      return buildUnitBlockCount(host, machine, Columns(cast<nn::CumSumOp>(op), host, x).count(host));
    return host.ceilDiv(host.elements(x, 0, rankOf(x) - 1), warpsPerBlock);
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    GpuBlockBuilder block(builder, loc);
    LoopEmitter emit(builder, loc);
    auto sum = cast<nn::CumSumOp>(op);
    if (!isAlongRows(sum)) {
      Columns columns(sum, emit, operands[0]);
      emitUnitLoop(emit, context, columns.count(emit), [&](Value column) {
        emitColumn(sum, block, ElementRuns(block, operands[0]), ElementRuns(block, results[0]), columns, column);
      });
      return success();
    }
    int64_t last = rankOf(operands[0]) - 1;
    Value rows = emit.elements(operands[0], 0, last), extent = emit.extent(operands[0], last);
    Value warp = emit.div(context.thread, warpLanes), lane = emit.rem(context.thread, warpLanes);
    Value row = emit.add(emit.mul(context.block, warpsPerBlock), warp);
    ElementRuns x(block, operands[0]), out(block, results[0]);
    block.ifThen(emit.less(row, rows), [&] { emitRow(sum, block, x, out, emit.mul(row, extent), extent, lane); });
    return success();
  }

private:
  static bool isAlongRows(nn::CumSumOp op) {
    return static_cast<int64_t>(op.getAxis()) + 1 == cast<ShapedType>(op.getX().getType()).getRank();
  }

  /// The columns along an axis: what lies before it, along it, and behind it.
  struct Columns {
    Columns(nn::CumSumOp op, const LoopEmitter &emit, Value x)
        : outer(emit.elements(x, 0, op.getAxis())), extent(emit.extent(x, op.getAxis())),
          inner(emit.elements(x, op.getAxis() + 1, rankOf(x))) {}
    Value count(const LoopEmitter &emit) const { return emit.mul(outer, inner); }

    Value outer, extent, inner;
  };

  static void emitColumn(nn::CumSumOp op, const GpuBlockBuilder &block, const ElementRuns &x, const ElementRuns &out,
                         const Columns &columns, Value column) {
    LoopEmitter emit(block.builder, block.loc);
    Type element = cast<ShapedType>(op.getX().getType()).getElementType();
    bool isReal = isa<FloatType>(element);
    LaneSums sums(block, isReal ? block.builder.getF32Type() : element);
    Value plane = emit.mul(emit.div(column, columns.inner), columns.extent), inPlane = emit.rem(column, columns.inner);
    block.loop(emit.index(0), columns.extent, emit.index(1), sums.zero(), [&](Value step, ValueRange carried) {
      Value row = op.getReverse() ? emit.sub(emit.sub(columns.extent, emit.index(1)), step) : step;
      Value place = emit.add(emit.mul(emit.add(plane, row), columns.inner), inPlane);
      Value through = sums.add(carried[0], isReal ? x.loadReals(place, 1)[0] : x.load(place));
      Value result = op.getExclusive() ? carried[0] : through;
      isReal ? out.storeReals(result, place) : out.store(result, place);
      return Values{through};
    });
  }

  static void emitRow(nn::CumSumOp op, const GpuBlockBuilder &block, const ElementRuns &x, const ElementRuns &out,
                      Value base, Value extent, Value lane) {
    LoopEmitter emit(block.builder, block.loc);
    Type element = cast<ShapedType>(op.getX().getType()).getElementType();
    bool isReal = isa<FloatType>(element);
    LaneSums sums(block, isReal ? block.builder.getF32Type() : element);
    block.loop(emit.index(0), extent, emit.index(warpLanes), sums.zero(), [&](Value start, ValueRange carried) {
      Value step = emit.add(start, lane), exists = emit.less(step, extent);
      Value column = op.getReverse() ? emit.sub(emit.sub(extent, emit.index(1)), step) : step;
      Value place = emit.add(base, column);
      auto read = [&] { return isReal ? x.loadReals(place, 1) : x.load(place, 1); };
      Value own = block.ifElse(exists, read, [&] { return Values{sums.zero()}; })[0];
      Value through = sums.through(own);
      Value result = sums.add(carried[0], op.getExclusive() ? sums.before(through, 1) : through);
      block.ifThen(exists, [&] { isReal ? out.storeReals(result, place) : out.store(result, place); });
      return Values{sums.add(carried[0], sums.last(through))};
    });
  }
};

} // namespace

void moec::attachNnCumSumGpuKernel(MLIRContext *context) { nn::CumSumOp::attachInterface<CumSumGpuKernel>(*context); }
