//===- NnNormKernels.cpp - softmax and normalisation as kernels --------------===//
//
// A task is one row along the last axis. A row is walked in vectors with one accumulator per lane and then folded over
// the lanes, so the order of a sum depends on the row's extent and the vector width alone.
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"
#include "NnKernels.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "moec/Dialect/Nn/Nn.h"

using namespace mlir;
using namespace moec;

namespace {

/// One row: the same `extent` elements from `offset` on in `x` and in `out`.
struct Row {
  Value x, out, offset, extent;
};

/// A kernel that computes the rows of its result from the same rows of its first operand.
template <typename Derived, typename OpTy> struct RowKernel : step::KernelOpInterface::ExternalModel<Derived, OpTy> {
  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    Value x = op->getOperand(0);
    return LoopEmitter(builder, loc).elements(x, 0, rankOf(x) - 1);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    LoopEmitter host(builder, loc);
    return host.mul(host.elements(op->getOperand(0)), Derived::kWorkPerElement);
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    KernelBuilder kernel(builder, loc, context);
    SmallVector<Value> flat;
    for (Value operand : operands) {
      auto type = cast<MemRefType>(operand.getType());
      if (failed(verifyFloatKernel(op, type.getElementType())))
        return failure();
      flat.push_back(kernel.flatten(operand));
    }
    Value out = kernel.flatten(results[0]);
    Value extent = kernel.extent(operands[0], rankOf(operands[0]) - 1);
    kernel.loop(begin, end, 1, [&](Value task) {
      static_cast<const Derived *>(this)->emitRow(cast<OpTy>(op), kernel, flat,
                                                  Row{flat[0], out, kernel.mul(task, extent), extent});
    });
    return success();
  }
};

//===----------------------------------------------------------------------===//
// softmax
//===----------------------------------------------------------------------===//

struct SoftmaxKernel : RowKernel<SoftmaxKernel, nn::SoftmaxOp> {
  static constexpr int64_t kWorkPerElement = 16;

  static bool keepsExponentialsInResult(Type resultType) {
    return cast<ShapedType>(resultType).getElementType().isF32();
  }

  /// A row of exponentials, unless the result can hold them.
  Value buildScratchBytes(Operation *op, OpBuilder &builder, Location loc) const {
    Value x = op->getOperand(0);
    if (keepsExponentialsInResult(x.getType()))
      return {};
    LoopEmitter host(builder, loc);
    return host.mul(host.extent(x, rankOf(x) - 1), sizeof(float));
  }

  void emitRow(nn::SoftmaxOp op, const KernelBuilder &kernel, ValueRange, const Row &row) const {
    Value lowest = kernel.splat(-std::numeric_limits<double>::infinity());
    Value highest = kernel.forVectors(row.extent, lowest,
                                      [&](Value position, Value mask, ValueRange carried) -> KernelBuilder::Values {
                                        Value x = kernel.loadVector(row.x, kernel.add(row.offset, position), mask);
                                        if (mask)
                                          x = kernel.select(mask, x, lowest);
                                        return {kernel.maxFloat(x, carried[0])};
                                      })[0];
    highest = kernel.splat(kernel.maxLanes(highest));

    bool inResult = keepsExponentialsInResult(op.getOut().getType());
    Value exponentials = inResult ? row.out : kernel.scratchFloats(kernel.index(0), row.extent);
    Value base = inResult ? row.offset : kernel.index(0);
    Value zero = kernel.splat(0.0);
    Value sum = kernel.forVectors(row.extent, zero,
                                  [&](Value position, Value mask, ValueRange carried) -> KernelBuilder::Values {
                                    Value x = kernel.loadVector(row.x, kernel.add(row.offset, position), mask);
                                    Value e = kernel.make<math::ExpOp>(kernel.make<arith::SubFOp>(x, highest));
                                    kernel.storeReals(e, exponentials, kernel.add(base, position), mask);
                                    if (mask)
                                      e = kernel.select(mask, e, zero);
                                    return {kernel.make<arith::AddFOp>(carried[0], e)};
                                  })[0];
    Value scale = kernel.splat(kernel.make<arith::DivFOp>(kernel.real(1.0), kernel.sumLanes(sum)));
    kernel.forVectors(row.extent, [&](Value position, Value mask) {
      Value e = kernel.loadVector(exponentials, kernel.add(base, position), mask);
      kernel.storeReals(kernel.make<arith::MulFOp>(e, scale), row.out, kernel.add(row.offset, position), mask);
    });
  }
};

//===----------------------------------------------------------------------===//
// rms_norm and layer_norm
//===----------------------------------------------------------------------===//

/// The sum over the row of f(x), divided by the extent; f sees zeros where the last vector is partial.
Value emitMean(const KernelBuilder &kernel, const Row &row,
               llvm::function_ref<Value(Value x, Value mask, Value sum)> accumulate) {
  Value sum = kernel.forVectors(row.extent, kernel.splat(0.0),
                                [&](Value position, Value mask, ValueRange carried) -> KernelBuilder::Values {
                                  Value x = kernel.loadVector(row.x, kernel.add(row.offset, position), mask);
                                  return {accumulate(x, mask, carried[0])};
                                })[0];
  Value count = kernel.make<arith::IndexCastOp>(kernel.builder.getI64Type(), row.extent);
  Value divisor = kernel.make<arith::SIToFPOp>(kernel.builder.getF32Type(), count);
  return kernel.make<arith::DivFOp>(kernel.sumLanes(sum), divisor);
}

/// 1 / sqrt(meanSquare + eps) in every lane.
Value emitReciprocalRoot(const KernelBuilder &kernel, Value meanSquare, const APFloat &eps) {
  Value biased = kernel.make<arith::AddFOp>(meanSquare, kernel.real(eps.convertToDouble()));
  return kernel.splat(kernel.make<arith::DivFOp>(kernel.real(1.0), kernel.make<math::SqrtOp>(biased)));
}

/// out = normalise(x) * weight + bias, where weight and bias may be null.
void emitScaledRow(const KernelBuilder &kernel, const Row &row, Value weight, Value bias,
                   llvm::function_ref<Value(Value)> normalise) {
  kernel.forVectors(row.extent, [&](Value position, Value mask) {
    Value value = normalise(kernel.loadVector(row.x, kernel.add(row.offset, position), mask));
    if (weight)
      value = kernel.make<arith::MulFOp>(value, kernel.loadVector(weight, position, mask));
    if (bias)
      value = kernel.make<arith::AddFOp>(value, kernel.loadVector(bias, position, mask));
    kernel.storeReals(value, row.out, kernel.add(row.offset, position), mask);
  });
}

struct RmsNormKernel : RowKernel<RmsNormKernel, nn::RmsNormOp> {
  static constexpr int64_t kWorkPerElement = 4;

  void emitRow(nn::RmsNormOp op, const KernelBuilder &kernel, ValueRange operands, const Row &row) const {
    Value meanSquare = emitMean(kernel, row, [&](Value x, Value, Value sum) { return kernel.fma(x, x, sum); });
    Value scale = emitReciprocalRoot(kernel, meanSquare, op.getEps());
    emitScaledRow(kernel, row, op.getWeight() ? operands[1] : Value(), Value(),
                  [&](Value x) { return kernel.make<arith::MulFOp>(x, scale); });
  }
};

struct LayerNormKernel : RowKernel<LayerNormKernel, nn::LayerNormOp> {
  static constexpr int64_t kWorkPerElement = 6;

  void emitRow(nn::LayerNormOp op, const KernelBuilder &kernel, ValueRange operands, const Row &row) const {
    Value mean = kernel.splat(
        emitMean(kernel, row, [&](Value x, Value, Value sum) { return kernel.make<arith::AddFOp>(sum, x); }));
    Value variance = emitMean(kernel, row, [&](Value x, Value mask, Value sum) {
      Value centered = kernel.make<arith::SubFOp>(x, mean);
      if (mask)
        centered = kernel.select(mask, centered, kernel.splat(0.0));
      return kernel.fma(centered, centered, sum);
    });
    Value scale = emitReciprocalRoot(kernel, variance, op.getEps());
    Value weight = op.getWeight() ? operands[1] : Value();
    Value bias = op.getBias() ? operands.back() : Value();
    emitScaledRow(kernel, row, weight, bias,
                  [&](Value x) { return kernel.make<arith::MulFOp>(kernel.make<arith::SubFOp>(x, mean), scale); });
  }
};

} // namespace

void moec::attachNnNormKernels(MLIRContext *context) {
  nn::SoftmaxOp::attachInterface<SoftmaxKernel>(*context);
  nn::RmsNormOp::attachInterface<RmsNormKernel>(*context);
  nn::LayerNormOp::attachInterface<LayerNormKernel>(*context);
}
