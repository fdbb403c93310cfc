//===- NnSelectionGpuKernels.cpp - top-k and counts on GPUs -----------------===//
//
// The threads of a row (RowGroup) choose its best elements one after the other: each looks for the best of its own that
// ranks behind the one chosen last, then they agree. (value, index) is a total order, so the result is unique.
//
//===----------------------------------------------------------------------===//

#include "ElementRuns.h"
#include "GpuKernels.h"
#include "RowGroup.h"

#include "moec/Dialect/Nn/Nn.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

namespace {

ShapedType typeOf(Value value) { return cast<ShapedType>(value.getType()); }

/// An element as an i32 whose unsigned order is the one in which elements are chosen, the best last: NaN is the worst.
Value emitKey(const GpuBlockBuilder &block, Value element, bool largest) {
  if (!isa<FloatType>(element.getType())) {
    Value key = block.bitXor(element, 0x80000000);
    return largest ? key : block.bitXor(key, -1);
  }
  Value real = block.convert(element, block.builder.getF32Type()), key = orderedKey(block, real);
  if (largest)
    return key;
  Value isNumber = block.make<arith::CmpFOp>(arith::CmpFPredicate::ORD, real, real);
  return block.select(isNumber, block.bitXor(key, -1), key);
}

/// Whether (key, index) a is better than b.
Value ranksBefore(const GpuBlockBuilder &block, ValueRange a, ValueRange b) {
  Value isGreater = block.compare(arith::CmpIPredicate::ugt, a[0], b[0]);
  Value isEarlier = block.both(block.equal(a[0], b[0]), block.less(a[1], b[1]));
  return block.make<arith::OrIOp>(isGreater, isEarlier);
}

struct TopKGpuKernel : step::GpuKernelOpInterface::ExternalModel<TopKGpuKernel, nn::TopKOp> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    Type element = typeOf(op->getOperand(0)).getElementType();
    if (!element.isF32() && !element.isF16() && !element.isBF16() && !element.isInteger(32))
      return std::nullopt;
    return scheduleOf(op).getLaunchShape();
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &) const {
    LoopEmitter host(builder, loc);
    Value x = op->getOperand(0);
    int64_t last = rankOf(x) - 1;
    return scheduleOf(op).buildBlockCount(host, host.elements(x, 0, last), host.extent(x, last));
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    GpuBlockBuilder block(builder, loc);
    LoopEmitter emit(builder, loc);
    int64_t last = rankOf(operands[0]) - 1;
    Value extent = emit.extent(operands[0], last), kept = emit.extent(results[0], last);
    // Positions in a row are held in 32 bits.
    Value isCountable =
        emit.compare(arith::CmpIPredicate::ule, extent, emit.index(std::numeric_limits<int32_t>::max()));
    Value enough = emit.both(isCountable, emit.compare(arith::CmpIPredicate::ule, kept, extent));
    context.emitCheck(builder, loc, enough, MOERT_KERNEL_BAD_VALUE);
    Value rounds = emit.select(enough, kept, emit.index(0));

    ElementRuns x(block, operands[0]), values(block, results[0]), indices(block, results[1]);
    bool largest = cast<nn::TopKOp>(op).getLargest();
    scheduleOf(op).emitRows(block, context, emit.elements(operands[0], 0, last), extent, [&](const RowGroup &group) {
      Value base = emit.mul(group.row, extent), target = emit.mul(group.row, kept);
      Values before = {block.i32(-1), block.i32(-1)}; // ranks before all elements
      block.loop(emit.index(0), rounds, emit.index(1), before, [&](Value round, ValueRange chosen) {
        Values best = chooseNext(group, x, base, extent, chosen, largest);
        block.ifThen(block.equal(group.member, int64_t(0)), [&] {
          Value place = emit.add(target, round);
          values.store(x.load(emit.add(base, emit.toIndex(best[1]))), place);
          indices.store(block.toI64(best[1]), place);
        });
        return best;
      });
    });
    return success();
  }

private:
  static RowSchedule scheduleOf(Operation *op) { return RowSchedule(typeOf(op->getOperand(0)).getShape().back(), 2); }

  /// The key and index of the best element behind `chosen`, for all threads.
  static Values chooseNext(const RowGroup &group, const ElementRuns &x, Value base, Value extent, ValueRange chosen,
                           bool largest) {
    const GpuBlockBuilder &block = group.block;
    Values none = {block.i32(0), block.i32(std::numeric_limits<int32_t>::max())};
    Values best = group.visit(extent, 1, none, [&](Value position, ValueRange found) {
      Values candidate = {emitKey(block, x.load(block.add(base, position)), largest), block.toI32(position)};
      Value isBetter = block.both(ranksBefore(block, chosen, candidate), ranksBefore(block, candidate, found));
      return Values{block.select(isBetter, candidate[0], found[0]), block.select(isBetter, candidate[1], found[1])};
    });
    return group.combine(best, [&](ValueRange a, ValueRange b) {
      Value isBetter = ranksBefore(block, a, b);
      return Values{block.select(isBetter, a[0], b[0]), block.select(isBetter, a[1], b[1])};
    });
  }
};

/// All elements are one row.
struct CountNonzeroGpuKernel : step::GpuKernelOpInterface::ExternalModel<CountNonzeroGpuKernel, nn::CountNonzeroOp> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    if (getStoredBytes(typeOf(op->getOperand(0)).getElementType()) == 0)
      return std::nullopt;
    return scheduleOf(op).getLaunchShape();
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &) const {
    LoopEmitter host(builder, loc);
    return scheduleOf(op).buildBlockCount(host, host.index(1), host.elements(op->getOperand(0)));
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    GpuBlockBuilder block(builder, loc);
    LoopEmitter emit(builder, loc);
    ElementRuns x(block, operands[0]), count(block, results[0]);
    Value elements = emit.elements(operands[0]);
    scheduleOf(op).emitRows(block, context, emit.index(1), elements, [&](const RowGroup &group) {
      Value own = group.visit(elements, 1, block.i64(0), [&](Value position, ValueRange found) {
        Value value = isNonzero(block, x.load(position));
        return Values{block.add(found[0], block.make<arith::ExtUIOp>(builder.getI64Type(), value))};
      })[0];
      Value all = group.combine(own, [&](Value a, Value b) { return block.add(a, b); });
      block.ifThen(block.equal(group.member, int64_t(0)), [&] { count.store(all, emit.index(0)); });
    });
    return success();
  }

private:
  static RowSchedule scheduleOf(Operation *op) {
    ShapedType type = typeOf(op->getOperand(0));
    return RowSchedule(type.hasStaticShape() ? type.getNumElements() : ShapedType::kDynamic, 2);
  }
};

} // namespace

void moec::attachNnSelectionGpuKernels(MLIRContext *context) {
  nn::TopKOp::attachInterface<TopKGpuKernel>(*context);
  nn::CountNonzeroOp::attachInterface<CountNonzeroGpuKernel>(*context);
}
