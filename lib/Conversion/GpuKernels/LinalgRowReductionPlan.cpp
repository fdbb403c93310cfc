//===- LinalgRowReductionPlan.cpp - reductions of linalg ops on GPUs --------===//
//
// Where the inputs are contiguous along the last reduced loop, the threads of a group read a row of terms side by side
// and fold what each has. Reductions along other dimensions have no plan: there neighbouring outputs, one per thread,
// read neighbouring terms.
//
//===----------------------------------------------------------------------===//

#include "LinalgGpuPlan.h"
#include "RowGroup.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

namespace {

int64_t countWords(Type type) { return type.isInteger(64) ? 2 : 1; }

/// The op that adds a term to the running value, if it is one that may pair values in any order.
Operation *findCombiner(linalg::LinalgOp op) {
  Block &body = op->getRegion(0).front();
  Operation *combiner = body.getTerminator()->getOperand(0).getDefiningOp();
  BlockArgument running = body.getArgument(op.getNumDpsInputs());
  bool isKnown =
      isa_and_present<arith::AddFOp, arith::MulFOp, arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
                      arith::MinNumFOp, arith::AddIOp, arith::MulIOp, arith::AndIOp, arith::OrIOp, arith::XOrIOp,
                      arith::MaxSIOp, arith::MaxUIOp, arith::MinSIOp, arith::MinUIOp>(combiner);
  if (!isKnown || !running.hasOneUse() || !llvm::is_contained(combiner->getOperands(), running))
    return nullptr;
  return combiner;
}

class RowReductionPlan : public LinalgGpuPlan {
public:
  RowReductionPlan(linalg::LinalgOp op, int64_t runLoop, int64_t width)
      : LinalgGpuPlan(op), runLoop(runLoop), width(width), combiner(findCombiner(op)),
        type(combiner->getResult(0).getType()), schedule(op.getStaticLoopRanges()[runLoop], countWords(type)) {}

  step::GpuLaunchShape getLaunchShape() override { return schedule.getLaunchShape(); }

  Value buildBlockCount(const LoopEmitter &host, const step::GpuMachine &) override {
    SmallVector<Value> extents = getLoopExtents(host, op, op->getOperands());
    return schedule.buildBlockCount(host, host.product(gridOf(extents)), extents[runLoop]);
  }

  void emitBlock(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, ValueRange operands,
                 ValueRange results) override {
    GpuBlockBuilder block(builder, loc);
    LoopEmitter emit(builder, loc);
    LinalgRuns runs(block, op, operands, results, runLoop);
    SmallVector<Value> extents = runs.getExtents(), grid = gridOf(extents);
    schedule.emitRows(block, context, emit.product(grid), extents[runLoop], [&](const RowGroup &group) {
      SmallVector<Value> point(op.getNumLoops(), emit.index(0));
      for (auto [loop, coordinate] : llvm::zip_equal(getParallelLoops(op), emit.delinearize(group.row, grid)))
        point[loop] = coordinate;
      Value total = emitTotal(emit, context, runs, group, extents, point);
      block.ifThen(block.equal(group.member, int64_t(0)), [&] {
        Value first = runs.load(op.getNumDpsInputs(), point, 1)[0];
        runs.store(0, combine(builder, first, total), point);
      });
    });
  }

private:
  SmallVector<Value> gridOf(ArrayRef<Value> extents) {
    return llvm::map_to_vector(getParallelLoops(op), [&](int64_t loop) { return extents[loop]; });
  }

  Value combine(OpBuilder &builder, Value a, Value b) const {
    return builder.create(combiner->getLoc(), combiner->getName().getIdentifier(), ValueRange{a, b}, type)
        ->getResult(0);
  }

  /// What all terms of the row give together, for all threads of the group.
  Value emitTotal(const LoopEmitter &emit, const step::GpuKernelContext &context, const LinalgRuns &runs,
                  const RowGroup &group, ArrayRef<Value> extents, SmallVector<Value> &point) {
    SmallVector<unsigned> reductions;
    op.getReductionDims(reductions);
    llvm::erase(reductions, runLoop);
    Value neutral = emit.make<arith::ConstantOp>(*arith::getNeutralElement(combiner));
    Value folded = emitLoops(emit, reductions, extents, point, neutral, [&](Value carried) {
      auto addRun = [&](Value position, ValueRange before) {
        point[runLoop] = position;
        return Values{addTerms(emit, context, runs, point, before[0])};
      };
      return group.visit(extents[runLoop], width, carried, addRun)[0];
    });
    point[runLoop] = emit.index(0);
    return group.combine(folded, [&](Value a, Value b) { return combine(emit.builder, a, b); });
  }

  /// The loops around a row of terms.
  Value emitLoops(const LoopEmitter &emit, ArrayRef<unsigned> loops, ArrayRef<Value> extents, SmallVector<Value> &point,
                  Value carried, llvm::function_ref<Value(Value)> body) {
    if (loops.empty())
      return body(carried);
    return emit.loop(emit.index(0), extents[loops.front()], 1, carried,
                     [&](Value index, ValueRange before) -> SmallVector<Value> {
                       point[loops.front()] = index;
                       return {emitLoops(emit, loops.drop_front(), extents, point, before[0], body)};
                     })[0];
  }

  /// Adds a run of terms to a running value.
  Value addTerms(const LoopEmitter &emit, const step::GpuKernelContext &context, const LinalgRuns &runs,
                 ArrayRef<Value> point, Value running) {
    int64_t inputs = op.getNumDpsInputs();
    SmallVector<Values> terms;
    for (int64_t input = 0; input < inputs; ++input)
      terms.push_back(runs.load(input, point, width));
    for (int64_t i = 0; i < width; ++i) {
      auto arguments = llvm::map_to_vector(terms, [&](const Values &run) { return run[i]; });
      arguments.push_back(running);
      running = emitLinalgPayload(emit, op, context.arguments, arguments, runs.next(point, i))[0];
    }
    return running;
  }

  int64_t runLoop, width;
  Operation *combiner;
  Type type;
  RowSchedule schedule;
};

/// Whether threads that compute neighbouring outputs read neighbouring terms.
bool readsColumns(linalg::LinalgOp op) {
  SmallVector<int64_t> ranges = op.getStaticLoopRanges(), loops = getParallelLoops(op);
  auto last = llvm::find_if(llvm::reverse(loops), [&](int64_t loop) { return ranges[loop] != 1; });
  if (last == loops.rend())
    return false;
  bool isUsed = false;
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    auto type = dyn_cast<ShapedType>(input->get().getType());
    if (type && !isContiguousAlong(map, type, *last))
      return false;
    isUsed |= map.isFunctionOfDim(*last);
  }
  return isUsed;
}

} // namespace

std::unique_ptr<LinalgGpuPlan> moec::planRowReduction(linalg::LinalgOp op) {
  if (op.getNumDpsInits() != 1 || !findCombiner(op) || readsColumns(op))
    return nullptr;
  Type type = getElementTypeOrSelf(op.getDpsInits()[0].getType());
  if (!type.isF32() && !type.isInteger(1) && !type.isInteger(32) && !type.isInteger(64))
    return nullptr;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  auto last = llvm::find_if(llvm::reverse(reductions), [&](unsigned loop) { return ranges[loop] != 1; });
  if (last == reductions.rend() || (!ShapedType::isDynamic(ranges[*last]) && ranges[*last] < warpLanes))
    return nullptr;
  SmallVector<Type> stored = {type};
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto inputType = dyn_cast<ShapedType>(input->get().getType());
    if (!inputType)
      continue;
    stored.push_back(inputType.getElementType());
    if (!isContiguousAlong(op.getMatchingIndexingMap(input), inputType, *last))
      return nullptr;
  }
  int64_t width = getRunWidth(stored, ranges[*last]);
  while (width > 1 && ranges[*last] < warpLanes * width)
    width /= 2;
  return width > 0 ? std::make_unique<RowReductionPlan>(op, *last, width) : nullptr;
}
