//===- LinalgGpuKernels.cpp - linalg ops as kernels for GPUs ----------------===//

#include "GpuKernels.h"
#include "LinalgGpuPlan.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

LinalgRuns::LinalgRuns(const GpuBlockBuilder &block, linalg::LinalgOp op, ValueRange operands, ValueRange results,
                       std::optional<int64_t> runLoop)
    : block(block), emit(block.builder, block.loc), op(op), inputs(op.getNumDpsInputs()), loops(op.getNumLoops()),
      runLoop(runLoop.value_or(0)), buffers(operands.take_front(inputs)),
      inits(operands.slice(inputs, op.getNumDpsInits())), maps(op.getIndexingMapsArray()) {
  llvm::append_range(buffers, results);
  for (auto [buffer, map] : llvm::zip_equal(buffers, maps)) {
    if (!runLoop && map.getNumResults() > 0) {
      map = block.builder.getMultiDimIdentityMap(1);
      shapes.push_back({emit.elements(buffer)});
    } else {
      bool isScalar = !isa<MemRefType>(buffer.getType());
      shapes.push_back(isScalar ? SmallVector<Value>() : emit.extents(buffer, 0, rankOf(buffer)));
    }
  }
}

SmallVector<Value> LinalgRuns::getExtents() const {
  // An output has all loops of an op that is walked as one dimension.
  return maps.back().getNumDims() < loops ? shapes.back() : getLoopExtents(emit, op, buffers);
}

Value LinalgRuns::offset(int64_t operand, ArrayRef<Value> point) const {
  return emit.linearize(applyIndexingMap(emit, maps[operand], point), shapes[operand]);
}

Values LinalgRuns::load(int64_t operand, ArrayRef<Value> point, int64_t count) const {
  Value source = operand < inputs ? buffers[operand] : inits[operand - inputs];
  if (!source) {
    Type element = cast<MemRefType>(buffers[operand].getType()).getElementType();
    source = block.make<arith::ConstantOp>(cast<TypedAttr>(block.builder.getZeroAttr(element)));
  }
  if (!isa<MemRefType>(source.getType()))
    return Values(count, source);
  ElementRuns runs(block, source);
  Value first = offset(operand, point);
  return maps[operand].isFunctionOfDim(runLoop) ? runs.load(first, count) : Values(count, runs.load(first));
}

void LinalgRuns::store(int64_t output, ValueRange values, ArrayRef<Value> point) const {
  int64_t operand = inputs + output;
  ElementRuns(block, buffers[operand]).store(values, offset(operand, point));
}

SmallVector<Value> LinalgRuns::next(ArrayRef<Value> point, int64_t i) const {
  SmallVector<Value> result(point);
  result[runLoop] = emit.add(point[runLoop], i);
  return result;
}

static std::unique_ptr<LinalgGpuPlan> makePlan(Operation *op) {
  auto linalgOp = cast<linalg::LinalgOp>(op);
  bool isReduction = linalgOp.getNumReductionLoops() > 0;
  auto plan = isReduction ? planProduct(linalgOp) : planElementwise(linalgOp);
  if (plan)
    return plan;
  return isReduction ? planRowReduction(linalgOp) : planTranspose(linalgOp);
}

namespace {

template <typename OpTy>
struct LinalgGpuKernel : step::GpuKernelOpInterface::ExternalModel<LinalgGpuKernel<OpTy>, OpTy> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    auto plan = makePlan(op);
    return plan ? std::optional(plan->getLaunchShape()) : std::nullopt;
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &machine) const {
    return makePlan(op)->buildBlockCount(LoopEmitter(builder, loc), machine);
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    makePlan(op)->emitBlock(builder, loc, context, operands, results);
    return success();
  }
};

template <typename... OpTys> void attach(MLIRContext *context) {
  (OpTys::template attachInterface<LinalgGpuKernel<OpTys>>(*context), ...);
}

} // namespace

void moec::attachLinalgGpuKernels(MLIRContext *context) {
  attach<linalg::GenericOp, linalg::FillOp, linalg::TransposeOp, linalg::CopyOp, linalg::BroadcastOp, linalg::MapOp,
         linalg::ReduceOp, linalg::MatmulOp, linalg::BatchMatmulOp, linalg::ContractOp>(context);
}
