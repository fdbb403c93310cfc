//===- RouteWarp.h - how a warp routes a token --------------------------------===//
//
// A warp routes a token. The experts are dealt out to its lanes in runs that one access loads; everything about them
// stays in registers. Choice values become keys, integers in the order of choice, so that a slot is filled by two
// reductions of the warp: the largest key, then the lowest expert that has it. Lane j ends up with slots j, j + 32, …
// Whether a slot stays unused follows from the keys before it, and the gate of a sparse mixer from those that are left,
// while it is filled.
//
//===----------------------------------------------------------------------===//
#ifndef MOEC_LIB_CONVERSION_GPUKERNELS_ROUTEWARP_H
#define MOEC_LIB_CONVERSION_GPUKERNELS_ROUTEWARP_H

#include "ElementRuns.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/GpuKernelInterface.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/bit.h"

namespace moec {

/// How the experts are dealt out: to each lane runs of `width` neighbouring ones.
struct RouteSchedule {
  explicit RouteSchedule(moe::RouteOp op) : router(op.getRouter()) {
    auto logits = mlir::cast<mlir::ShapedType>(op.getLogits().getType());
    experts = logits.getDimSize(1);
    llvm::SmallVector<mlir::Type> types = {logits.getElementType()};
    if (op.getBias())
      types.push_back(mlir::cast<mlir::ShapedType>(op.getBias().getType()).getElementType());
    // No wider than leaves something for every lane.
    int64_t perLane = llvm::divideCeil(experts, warpLanes);
    width = std::min<int64_t>(getRunWidth(types, experts), llvm::bit_ceil(uint64_t(perLane)));
    runs = llvm::divideCeil(experts, width * warpLanes);
    limitsGroups = router.getSelect() == moe::Select::GroupLimited;
    mixesSparsely = router.getSelect() == moe::Select::SparseMixer;
    keepsScores = (op.getBias() || limitsGroups) && !op.getMix();
  }

  /// Shared memory of a warp: keys, where groups compare those of their members, and scores, where they differ from
  /// choice values; 4 bytes for each expert.
  int64_t bytesPerWarp() const { return 4 * experts * (limitsGroups + keepsScores); }
  int64_t groupSize() const { return experts / router.getGroups(); }
  int64_t lanesPerGroup() const { return llvm::bit_floor(uint64_t(warpLanes / router.getGroups())); }

  moe::RouterAttr router;
  int64_t experts, width, runs;
  bool limitsGroups, keepsScores, mixesSparsely;
};

/// What a warp does for its token.
class RouteWarp {
public:
  using Values = GpuBlockBuilder::Values;

  RouteWarp(mlir::OpBuilder &builder, mlir::Location loc, const step::GpuKernelContext &context, moe::RouteOp op,
            mlir::ValueRange operands, mlir::ValueRange results);

  void emit();

private:
  void loadLogits();
  void computeKeys();
  void limitGroups();
  mlir::Value groupKey();
  mlir::Value keptGroups(mlir::Value key);
  void selectSlots(int64_t count);
  /// The largest key of the warp and the first expert that has it.
  std::pair<mlir::Value, mlir::Value> bestExpert(mlir::ValueRange keys) const;
  /// Whether the slot that an expert of this key fills is used; `sum` is that of the choice values up to it.
  mlir::Value isUsed(mlir::Value key, mlir::Value sum) const;
  /// The gate of the expert with the key `best`, which is the largest of those left.
  mlir::Value sparseGate(mlir::ValueRange left, mlir::Value best) const;
  Values usedSlots() const;
  void computeGates();
  void scaleGates();
  void storeSlots();

  mlir::Value constant(double value) const { return block.f32(value); }
  mlir::Value exponential(mlir::Value value) const {
    return block.make<mlir::math::ExpOp>(value, mlir::arith::FastMathFlags::afn);
  }
  mlir::Value divide(mlir::Value a, mlir::Value b) const { return block.make<mlir::arith::DivFOp>(a, b); }
  /// The largest value of a list for each lane and then of all lanes; numbers only, or NaN if there are none.
  mlir::Value largest(mlir::ValueRange values, mlir::ValueRange isGiven) const;
  mlir::Value sum(mlir::ValueRange values) const;
  /// Turns logits into scores; those that are not given stay what they are.
  void score(llvm::MutableArrayRef<mlir::Value> values, mlir::ValueRange isGiven) const;
  /// The number of this lane's i-th expert, or of the first of a run.
  mlir::Value expertAt(int64_t i) const { return block.add(firstExpert(), fixedPart(i)); }
  mlir::Value firstExpert() const { return block.mul(lane, schedule.width); }
  int64_t fixedPart(int64_t i) const { return i / schedule.width * schedule.width * warpLanes + i % schedule.width; }
  int64_t perLane() const { return schedule.width * schedule.runs; }
  /// Whether there is a run; true where all have all of it.
  mlir::Value hasRun(int64_t run) const;
  /// Stores what lanes hold of each expert, i32 or f32, in the order of the experts.
  void share(mlir::ValueRange values, mlir::Value target) const;
  void syncWarp() const { mlir::NVVM::SyncWarpOp::create(block.builder, block.loc, block.i32(0xffffffff)); }

  GpuBlockBuilder block;
  RouteSchedule schedule;
  moe::RouterAttr router;
  ElementRuns logits, experts, gates;
  std::optional<ElementRuns> bias, mix;
  mlir::Value tokens, token, lane;
  /// The group that this lane helps to rank, or a number beyond the last.
  mlir::Value group;
  /// Shared memory of the warp.
  mlir::Value sharedKeys, sharedScores;
  /// Of each expert of this lane.
  Values isGiven, scores, keys;
  /// The sum of the choice values of all slots so far.
  mlir::Value choiceSum;
  /// Of each slot of this lane, whether it has an expert, and what it has.
  Values isSlot, slotExperts, slotKeys, slotGates;
};

} // namespace moec

#endif // MOEC_LIB_CONVERSION_GPUKERNELS_ROUTEWARP_H
