//===- NnRotaryKernel.cpp - rotary position embedding as a kernel --------------===//
//
// A task is one vector of one head at one position.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "NnKernels.h"
#include "moec/Dialect/Nn/Nn.h"
#include "moert/moert_kernel_abi.h"

using namespace mlir;
using namespace moec;

namespace {

/// (first, second) rotated by the angle whose cosine and sine are given.
std::pair<Value, Value> emitRotation(const KernelBuilder &kernel, Value first, Value second, Value cos, Value sin) {
  auto multiply = [&](Value lhs, Value rhs) { return kernel.make<arith::MulFOp>(lhs, rhs); };
  Value rotated = kernel.make<arith::SubFOp>(multiply(first, cos), multiply(second, sin));
  return {rotated, kernel.make<arith::AddFOp>(multiply(second, cos), multiply(first, sin))};
}

struct RotaryKernel : step::KernelOpInterface::ExternalModel<RotaryKernel, nn::RotaryOp> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return LoopEmitter(builder, loc).elements(op->getOperand(0), 0, 3);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    return host.mul(host.elements(op->getOperand(0)), 3);
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    for (Value operand : operands)
      if (failed(verifyFloatKernel(op, cast<MemRefType>(operand.getType()).getElementType())))
        return failure();
    KernelBuilder kernel(builder, loc, context);
    Value x = operands[0], table = operands[1];
    SmallVector<Value> extents = kernel.extents(x, 0, 3); // batch, head, position
    Value size = kernel.extent(x, 3), pairs = kernel.extent(table, 2);
    Value positions = kernel.extent(table, 1), tables = kernel.extent(table, 0);
    Value shared = kernel.equal(tables, kernel.index(1));
    Value batchMatches = kernel.either(shared, kernel.equal(tables, extents[0]));
    end = kernel.require({batchMatches, kernel.equal(positions, extents[2])}, MOERT_KERNEL_BAD_VALUE, begin, end);

    Value in = kernel.flatten(x), out = kernel.flatten(results[0]);
    Value cos = kernel.flatten(table), sin = kernel.flatten(operands[2]);
    bool interleaved = cast<nn::RotaryOp>(op).getInterleaved();
    kernel.loop(begin, end, 1, [&](Value task) {
      SmallVector<Value> at = kernel.delinearize(task, extents);
      Value batch = kernel.select(shared, kernel.index(0), at[0]);
      Value angles = kernel.mul(kernel.add(kernel.mul(batch, positions), at[2]), pairs);
      Value base = kernel.mul(task, size);
      if (interleaved)
        emitNeighbours(kernel, in, out, base, cos, sin, angles, pairs);
      else
        emitHalves(kernel, in, out, base, cos, sin, angles, pairs);
      Value rotated = kernel.mul(pairs, 2);
      Value rest = kernel.add(base, rotated);
      kernel.copy(in, rest, out, rest, kernel.sub(size, rotated));
    });
    return success();
  }

private:
  /// Pairs (d, d + pairs).
  static void emitHalves(const KernelBuilder &kernel, Value in, Value out, Value base, Value cos, Value sin,
                         Value angles, Value pairs) {
    kernel.forVectors(pairs, [&](Value d, Value mask) {
      Value low = kernel.add(base, d), high = kernel.add(low, pairs), angle = kernel.add(angles, d);
      auto [first, second] = emitRotation(kernel, kernel.loadVector(in, low, mask), kernel.loadVector(in, high, mask),
                                          kernel.loadVector(cos, angle, mask), kernel.loadVector(sin, angle, mask));
      kernel.storeReals(first, out, low, mask);
      kernel.storeReals(second, out, high, mask);
    });
  }

  /// Pairs (2d, 2d + 1).
  static void emitNeighbours(const KernelBuilder &kernel, Value in, Value out, Value base, Value cos, Value sin,
                             Value angles, Value pairs) {
    kernel.loop(kernel.index(0), pairs, 1, [&](Value d) {
      Value low = kernel.add(base, kernel.mul(d, 2)), high = kernel.add(low, 1);
      Value angle = kernel.add(angles, d);
      auto [first, second] = emitRotation(kernel, kernel.loadReal(in, low), kernel.loadReal(in, high),
                                          kernel.loadReal(cos, angle), kernel.loadReal(sin, angle));
      kernel.storeReal(first, out, low);
      kernel.storeReal(second, out, high);
    });
  }
};

} // namespace

void moec::attachNnRotaryKernel(MLIRContext *context) { nn::RotaryOp::attachInterface<RotaryKernel>(*context); }
