//===- LinalgElementwisePlan.cpp - elementwise linalg ops on GPUs -----------===//
//
// A thread computes a run of neighbouring elements of the output, so that it moves up to 16 bytes at a time. Ops whose
// operands have the same shape are walked as one dimension, whatever its extent. Else runs lie along the last loop of
// the output, whose extent must be static. Neighbouring threads have neighbouring runs.
//
//===----------------------------------------------------------------------===//

#include "LinalgGpuPlan.h"
#include "UnitLoop.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

namespace {

class ElementwisePlan : public LinalgGpuPlan {
public:
  /// Runs of `width` elements along `runLoop`, or of all elements as one dimension.
  ElementwisePlan(linalg::LinalgOp op, int64_t width, std::optional<int64_t> runLoop)
      : LinalgGpuPlan(op), width(width), runLoop(runLoop) {}

  step::GpuLaunchShape getLaunchShape() override { return getUnitLaunchShape(); }

  Value buildBlockCount(const LoopEmitter &host, const step::GpuMachine &machine) override {
    Value elements = host.product(getLoopExtents(host, op, op->getOperands()));
    return buildUnitBlockCount(host, machine, host.ceilDiv(elements, width));
  }

  void emitBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, ValueRange operands,
                 ValueRange results) override {
    GpuBlockBuilder block(builder, loc);
    LoopEmitter emit(builder, loc);
    LinalgRuns runs(block, op, operands, results, runLoop);
    SmallVector<Value> extents = runs.getExtents();
    if (runLoop) {
      emitRunsAlongLoop(emit, context, runs, extents);
      return;
    }
    Value elements = extents[0];
    emitUnitLoop(emit, context, emit.ceilDiv(elements, width), [&](Value unit) {
      Value first = emit.mul(unit, width), end = emit.add(first, width);
      auto whole = [&] {
        emitRun(emit, context, runs, first, width);
        return Values();
      };
      auto rest = [&] {
        emit.loop(first, elements, 1, [&](Value element) { emitRun(emit, context, runs, element, 1); });
        return Values();
      };
      if (auto known = getConstantIntValue(elements); known && *known % width == 0)
        whole();
      else
        block.ifElse(emit.compare(arith::CmpIPredicate::ule, end, elements), whole, rest);
    });
  }

private:
  void emitRunsAlongLoop(const LoopEmitter &emit, const step::GpuKernelContext &context, const LinalgRuns &runs,
                         ArrayRef<Value> extents) {
    SmallVector<int64_t> loops = getParallelLoops(op);
    llvm::erase(loops, *runLoop);
    loops.push_back(*runLoop);
    auto grid = llvm::map_to_vector(loops, [&](int64_t loop) { return extents[loop]; });
    grid.back() = emit.div(grid.back(), width);
    emitUnitLoop(emit, context, emit.product(grid), [&](Value unit) {
      SmallVector<Value> point(op.getNumLoops());
      for (auto [loop, coordinate] : llvm::zip_equal(loops, emit.delinearize(unit, grid)))
        point[loop] = coordinate;
      point[*runLoop] = emit.mul(point[*runLoop], width);
      emitRun(emit, context, runs, point, width);
    });
  }

  void emitRun(const LoopEmitter &emit, const step::GpuKernelContext &context, const LinalgRuns &runs,
               ArrayRef<Value> point, int64_t count) {
    SmallVector<Values> elements;
    for (int64_t operand = 0; operand < op->getNumOperands(); ++operand)
      elements.push_back(runs.load(operand, point, count));
    SmallVector<Values> results(op.getNumDpsInits());
    for (int64_t i = 0; i < count; ++i) {
      auto arguments = llvm::map_to_vector(elements, [&](const Values &run) { return run[i]; });
      auto yielded = emitLinalgPayload(emit, op, context.arguments, arguments, runs.next(point, i));
      for (auto [result, value] : llvm::zip_equal(results, yielded))
        result.push_back(value);
    }
    for (auto [output, result] : llvm::enumerate(results))
      runs.store(output, result, point);
  }

  int64_t width;
  std::optional<int64_t> runLoop;
};

bool readsIndex(linalg::LinalgOp op) {
  return op->getRegion(0).walk([](linalg::IndexOp) { return WalkResult::interrupt(); }).wasInterrupted();
}

bool isOneDimension(linalg::LinalgOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto isIdentityOrScalar = [](AffineMap map) { return map.isIdentity() || map.getNumResults() == 0; };
  return op.getNumLoops() > 0 && maps.back().isIdentity() && llvm::all_of(maps, isIdentityOrScalar) && !readsIndex(op);
}

} // namespace

std::unique_ptr<LinalgGpuPlan> moec::planSingleElements(linalg::LinalgOp op, int64_t runLoop) {
  return std::make_unique<ElementwisePlan>(op, 1, runLoop);
}

std::unique_ptr<LinalgGpuPlan> moec::planElementwise(linalg::LinalgOp op) {
  SmallVector<Type> stored;
  for (Value operand : op->getOperands())
    if (auto type = dyn_cast<ShapedType>(operand.getType()))
      stored.push_back(type.getElementType());
  if (isOneDimension(op)) {
    int64_t width = getRunWidth(stored, {});
    return width > 0 ? std::make_unique<ElementwisePlan>(op, width, std::nullopt) : nullptr;
  }

  // The last loop of the output that has more than one iteration.
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  SmallVector<int64_t> loops = getParallelLoops(op);
  auto last = llvm::find_if(llvm::reverse(loops), [&](int64_t loop) { return ranges[loop] != 1; });
  if (last == loops.rend())
    return nullptr;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    auto type = dyn_cast<ShapedType>(operand.get().getType());
    bool isRepeated = !map.isFunctionOfDim(*last);
    if (type && (!isContiguousAlong(map, type, *last) || (op.isDpsInit(&operand) && isRepeated)))
      return nullptr;
  }
  int64_t width = getRunWidth(stored, ranges[*last]);
  return width > 1 ? std::make_unique<ElementwisePlan>(op, width, *last) : nullptr;
}
