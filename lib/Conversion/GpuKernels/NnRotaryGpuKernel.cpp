//===- NnRotaryGpuKernel.cpp - rotary position embedding on GPUs ------------===//
//
// A thread rotates a run of neighbouring pairs of one head at one position, or copies a run of the rest.
//
//===----------------------------------------------------------------------===//

#include "ElementRuns.h"
#include "GpuKernels.h"
#include "UnitLoop.h"

#include "moec/Dialect/Nn/Nn.h"
#include "moert/moert_kernel_abi.h"

#include <numeric>

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The static sizes of an op.
struct RotaryShape {
  explicit RotaryShape(nn::RotaryOp op)
      : size(typeOf(op.getX()).getDimSize(3)), pairs(typeOf(op.getCos()).getDimSize(2)),
        isInterleaved(op.getInterleaved()) {
    Type element = typeOf(op.getX()).getElementType(), angle = typeOf(op.getCos()).getElementType();
    // Pairs of neighbours are loaded at once.
    width = getRunWidth({element, angle}, {size, pairs}, isInterleaved ? maxAccessBytes / 2 : maxAccessBytes);
  }

  int64_t pairRuns() const { return pairs / width; }
  int64_t runs() const { return pairRuns() + (size - 2 * pairs) / width; }

  int64_t size, pairs;
  bool isInterleaved;
  int64_t width;
};

/// One head at one position.
struct RotaryHead {
  const GpuBlockBuilder &block;
  const RotaryShape &shape;
  ElementRuns x, out, cos, sin;
  /// The first elements of the head and of its angles, `index`.
  Value base, angles;

  /// Rotates the run of pairs that starts with the `first`.
  void emitPairs(Value first) const {
    int64_t width = shape.width;
    Value angle = block.add(angles, first);
    Values cosines = cos.loadReals(angle, width), sines = sin.loadReals(angle, width);
    if (shape.isInterleaved) {
      Value place = block.add(base, block.mul(first, 2));
      // Heads of odd sizes are aligned to single elements only.
      int64_t together = std::gcd(2 * width, shape.size);
      Values values;
      for (int64_t i = 0; i < 2 * width; i += together)
        values.append(x.loadReals(block.add(place, i), together));
      for (int64_t i = 0; i < width; ++i)
        rotate(values[2 * i], values[2 * i + 1], cosines[i], sines[i]);
      for (int64_t i = 0; i < 2 * width; i += together)
        out.storeReals(ValueRange(values).slice(i, together), block.add(place, i));
      return;
    }
    Value low = block.add(base, first), high = block.add(low, shape.pairs);
    Values lows = x.loadReals(low, width), highs = x.loadReals(high, width);
    for (int64_t i = 0; i < width; ++i)
      rotate(lows[i], highs[i], cosines[i], sines[i]);
    out.storeReals(lows, low);
    out.storeReals(highs, high);
  }

private:
  void rotate(Value &first, Value &second, Value cosine, Value sine) const {
    Value turned = block.make<arith::SubFOp>(block.mulFloat(first, cosine), block.mulFloat(second, sine));
    second = block.addFloat(block.mulFloat(second, cosine), block.mulFloat(first, sine));
    first = turned;
  }
};

struct RotaryGpuKernel : step::GpuKernelOpInterface::ExternalModel<RotaryGpuKernel, nn::RotaryOp> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    for (Value operand : op->getOperands())
      if (Type element = typeOf(operand).getElementType(); !element.isF32() && !element.isF16() && !element.isBF16())
        return std::nullopt;
    return getUnitLaunchShape();
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &machine) const {
    LoopEmitter host(builder, loc);
    RotaryShape shape(cast<nn::RotaryOp>(op));
    return buildUnitBlockCount(host, machine, host.mul(host.elements(op->getOperand(0), 0, 3), shape.runs()));
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    LoopEmitter emit(builder, loc);
    GpuBlockBuilder block(builder, loc);
    RotaryShape shape(cast<nn::RotaryOp>(op));
    SmallVector<Value> extents = emit.extents(operands[0], 0, 3); // batch, head, position
    Value tables = emit.extent(operands[1], 0), positions = emit.extent(operands[1], 1);
    Value isShared = emit.equal(tables, emit.index(1));
    Value matches = emit.both(emit.either(isShared, emit.equal(tables, extents[0])), emit.equal(positions, extents[2]));
    context.emitCheck(builder, loc, matches, MOERT_KERNEL_BAD_VALUE);
    Value runs = emit.select(matches, emit.mul(emit.product(extents), shape.runs()), emit.index(0));

    ElementRuns x(block, operands[0]), out(block, results[0]), cos(block, operands[1]), sin(block, operands[2]);
    emitUnitLoop(emit, context, runs, [&](Value unit) {
      Value head = emit.div(unit, shape.runs()), run = emit.rem(unit, shape.runs());
      // Heads of all positions are counted in 32 bits, whose division is much shorter.
      Value number = emit.toI32(head), position = emit.toIndex(block.rem(number, emit.toI32(extents[2])));
      Value batch = emit.toIndex(block.div(number, emit.toI32(emit.mul(extents[1], extents[2]))));
      Value table = emit.add(emit.mul(emit.select(isShared, emit.index(0), batch), positions), position);
      RotaryHead rotary{block, shape, x, out, cos, sin, emit.mul(head, shape.size), emit.mul(table, shape.pairs)};
      auto rotate = [&] {
        rotary.emitPairs(emit.mul(run, shape.width));
        return Values();
      };
      auto copy = [&] {
        Value rest = emit.mul(emit.sub(run, emit.index(shape.pairRuns())), shape.width);
        Value place = emit.add(rotary.base, emit.add(rest, 2 * shape.pairs));
        x.copy(place, out, place, shape.width);
        return Values();
      };
      if (shape.runs() == shape.pairRuns())
        rotate();
      else
        block.ifElse(emit.less(run, emit.index(shape.pairRuns())), rotate, copy);
    });
    return success();
  }
};

} // namespace

void moec::attachNnRotaryGpuKernel(MLIRContext *context) { nn::RotaryOp::attachInterface<RotaryGpuKernel>(*context); }
