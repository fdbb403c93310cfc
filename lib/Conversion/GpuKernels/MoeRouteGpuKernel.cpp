//===- MoeRouteGpuKernel.cpp - moe.route on a GPU ---------------------------===//

#include "GpuKernels.h"
#include "RouteWarp.h"
#include "WarpReductions.h"

#include "LoopEmitter.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

using Values = RouteWarp::Values;

static constexpr int64_t warpsPerBlock = 4;
/// What the registers of a lane have room for: 32 experts.
static constexpr int64_t mostExperts = 32 * warpLanes;

RouteWarp::RouteWarp(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, RouteOp op,
                     ValueRange operands, ValueRange results)
    : block(builder, loc), schedule(op), router(op.getRouter()), logits(block, operands[0]), experts(block, results[0]),
      gates(block, results[1]) {
  unsigned next = 1;
  if (op.getBias())
    bias.emplace(block, operands[next++]);
  if (op.getMix())
    mix.emplace(block, operands[next++]);
  tokens = block.toI32(LoopEmitter(builder, loc).dim(operands[0], 0));
  Value thread = block.toI32(context.thread), warp = block.div(thread, warpLanes);
  lane = block.rem(thread, warpLanes);
  token = block.add(block.mul(block.toI32(context.block), warpsPerBlock), warp);
  if (schedule.limitsGroups)
    group = block.div(lane, schedule.lanesPerGroup());
  if (schedule.bytesPerWarp() == 0)
    return;
  sharedKeys = block.at(block.sharedPointer(context.shared), block.mul(warp, schedule.bytesPerWarp()));
  sharedScores = block.at(sharedKeys, schedule.limitsGroups ? 4 * schedule.experts : 0);
}

Value RouteWarp::hasRun(int64_t run) const {
  if ((run + 1) * schedule.width * warpLanes <= schedule.experts)
    return block.boolean(true);
  return block.less(expertAt(run * schedule.width), schedule.experts);
}

Value RouteWarp::largest(ValueRange values, ValueRange isGiven) const {
  Value key = block.i32(0);
  for (auto [value, given] : llvm::zip_equal(values, isGiven))
    key = block.make<arith::MaxUIOp>(key, block.select(given, orderedKey(block, value), block.i32(0)));
  return valueOfKey(block, largestKey(block, key));
}

Value RouteWarp::sum(ValueRange values) const {
  Value total = values[0];
  for (Value value : values.drop_front())
    total = block.addFloat(total, value);
  return sumLanes(block, total);
}

void RouteWarp::score(MutableArrayRef<Value> values, ValueRange isGiven) const {
  if (router.getScore() == Score::Sigmoid)
    for (Value &value : values)
      value = divide(constant(1), block.addFloat(constant(1), exponential(block.make<arith::NegFOp>(value))));
  if (router.getScore() == Score::Relu)
    for (Value &value : values)
      value = block.make<arith::MaximumFOp>(value, constant(0));
  if (router.getScore() != Score::Softmax)
    return;
  Value top = largest(values, isGiven);
  for (auto [value, given] : llvm::zip_equal(values, isGiven))
    value = block.select(given, exponential(block.make<arith::SubFOp>(value, top)), constant(0));
  Value total = sum(ValueRange(values));
  // One division for all where there are many.
  Value factor = values.size() > 1 ? divide(constant(1), total) : Value();
  for (Value &value : values)
    value = factor ? block.mulFloat(value, factor) : divide(value, total);
}

void RouteWarp::loadLogits() {
  for (int64_t run = 0; run < schedule.runs; ++run) {
    Value exists = hasRun(run), expert = expertAt(run * schedule.width);
    Value offset = block.add(block.mul(block.toI64(token), schedule.experts), block.toI64(expert));
    scores.append(block.ifElse(
        exists, [&] { return logits.loadReals(offset, schedule.width); },
        [&] { return Values(schedule.width, constant(0)); }));
    isGiven.append(schedule.width, exists);
  }
}

void RouteWarp::computeKeys() {
  for (int64_t run = 0; run < schedule.runs; ++run) {
    int64_t first = run * schedule.width;
    Values added;
    if (bias)
      added = block.ifElse(
          isGiven[first], [&] { return bias->loadReals(block.toI64(expertAt(first)), schedule.width); },
          [&] { return Values(schedule.width, constant(0)); });
    for (int64_t i = 0; i < schedule.width; ++i) {
      Value choice = scores[first + i];
      if (bias)
        choice = block.addFloat(choice, added[i]);
      keys.push_back(block.select(isGiven[first + i], orderedKey(block, choice), block.i32(0)));
    }
  }
}

/// Which slots of this lane have an expert.
Values RouteWarp::usedSlots() const {
  Values used;
  for (auto [isMine, expert] : llvm::zip_equal(isSlot, slotExperts))
    used.push_back(router.leavesSlots() ? block.both(isMine, block.less(block.i32(-1), expert)) : isMine);
  return used;
}

void RouteWarp::computeGates() {
  if (schedule.mixesSparsely)
    return;
  for (auto [isUsed, expert, key] : llvm::zip_equal(usedSlots(), slotExperts, slotKeys)) {
    auto read = [&, expert = expert] {
      if (!mix)
        return Values{block.load(block.builder.getF32Type(), block.at(sharedScores, block.mul(expert, 4)))};
      Value offset = block.add(block.mul(block.toI64(token), schedule.experts), block.toI64(expert));
      return mix->loadReals(offset, 1);
    };
    Value gate = valueOfKey(block, key);
    if (mix || schedule.keepsScores)
      gate = block.ifElse(isUsed, read, [&] { return Values{constant(0)}; })[0];
    slotGates.push_back(gate);
  }
  if (router.getOver() == Over::Selected)
    score(slotGates, isSlot);
}

void RouteWarp::scaleGates() {
  Values isUsed = usedSlots();
  auto orZero = [&](unsigned slot) { return block.select(isUsed[slot], slotGates[slot], constant(0)); };
  if (router.getRenormalize() != Renormalize::None) {
    Values given;
    for (unsigned slot = 0; slot < slotGates.size(); ++slot)
      given.push_back(orZero(slot));
    Value total = sum(given), eps = constant(router.getEps().convertToDouble());
    Value divisor = router.getRenormalize() == Renormalize::MaxEps ? block.make<arith::MaximumFOp>(total, eps)
                                                                   : block.addFloat(total, eps);
    for (Value &gate : slotGates)
      gate = divide(gate, divisor);
  }
  if (router.leavesSlots())
    for (auto [slot, gate] : llvm::enumerate(slotGates))
      gate = orZero(slot);
  double scale = router.getScale().convertToDouble();
  if (scale != 1.0)
    for (Value &gate : slotGates)
      gate = block.mulFloat(gate, constant(scale));
}

void RouteWarp::storeSlots() {
  for (auto [i, isMine] : llvm::enumerate(isSlot))
    block.ifThen(isMine, [&, i = i] {
      Value slot = block.add(lane, i * warpLanes);
      Value offset = block.add(block.mul(block.toI64(token), router.getK()), block.toI64(slot));
      experts.store(slotExperts[i], offset);
      gates.store(slotGates[i], offset);
    });
}

void RouteWarp::emit() {
  block.ifThen(block.less(token, tokens), [&] {
    loadLogits();
    if (router.getOver() == Over::All && !schedule.mixesSparsely)
      score(scores, isGiven);
    computeKeys();
    if (schedule.limitsGroups)
      limitGroups();
    if (schedule.keepsScores) {
      share(scores, sharedScores);
      syncWarp();
    }
    choiceSum = constant(0);
    for (int64_t slot = 0; slot < router.getK(); slot += warpLanes)
      selectSlots(std::min(router.getK() - slot, warpLanes));
    computeGates();
    scaleGates();
    storeSlots();
  });
}

namespace {

bool isComputed(Value operand) {
  Type type = cast<ShapedType>(operand.getType()).getElementType();
  return type.isF32() || type.isF16() || type.isBF16();
}

struct RouteGpuKernel : step::GpuKernelOpInterface::ExternalModel<RouteGpuKernel, RouteOp> {
  std::optional<step::GpuLaunchShape> getLaunchShape(Operation *op, const step::GpuMachine &) const {
    auto route = cast<RouteOp>(op);
    RouteSchedule schedule(route);
    // Groups are numbered by lanes.
    if (schedule.experts > mostExperts || route.getRouter().getGroups() > warpLanes ||
        !llvm::all_of(route.getOperands(), isComputed))
      return std::nullopt;
    return step::GpuLaunchShape{.threads = warpsPerBlock * warpLanes,
                                .sharedBytes = warpsPerBlock * schedule.bytesPerWarp()};
  }

  Value buildBlockCount(Operation *op, OpBuilder &builder, Location loc, const step::GpuMachine &) const {
    LoopEmitter emit(builder, loc);
    return emit.ceilDiv(emit.make<tensor::DimOp>(cast<RouteOp>(op).getLogits(), 0), warpsPerBlock);
  }

  LogicalResult emitBlock(Operation *op, OpBuilder &builder, Location loc, const step::GpuKernelContext &context,
                          ValueRange operands, ValueRange results) const {
    RouteWarp(builder, loc, context, cast<RouteOp>(op), operands, results).emit();
    return success();
  }
};

} // namespace

void moec::attachRouteGpuKernel(MLIRContext *context) { RouteOp::attachInterface<RouteGpuKernel>(*context); }
