//===- MoeRouteGpuKernel.cpp - moe.route on a GPU ---------------------------===//
//
// A warp routes a token. The experts are dealt out to its lanes in runs that one access loads; everything about them
// stays in registers. Choice values become keys, integers in the order of choice, so that a slot is filled by two
// reductions of the warp: the largest key, then the lowest expert that has it. Lane j ends up with slots j, j + 32, …
//
//===----------------------------------------------------------------------===//

#include "ElementRuns.h"
#include "GpuKernels.h"
#include "WarpReductions.h"

#include "LoopEmitter.h"
#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/GpuKernelInterface.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/bit.h"

#include <limits>
#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

using Values = GpuBlockBuilder::Values;

constexpr int64_t warpsPerBlock = 4;
/// What the registers of a lane have room for: 32 experts.
constexpr int64_t mostExperts = 32 * warpLanes;

/// How the experts are dealt out: to each lane runs of `width` neighbouring ones.
struct RouteSchedule {
  explicit RouteSchedule(RouteOp op) : router(op.getRouter()) {
    auto logits = cast<ShapedType>(op.getLogits().getType());
    experts = logits.getDimSize(1);
    SmallVector<Type> types = {logits.getElementType()};
    if (op.getBias())
      types.push_back(cast<ShapedType>(op.getBias().getType()).getElementType());
    // No wider than leaves something for every lane.
    int64_t perLane = llvm::divideCeil(experts, warpLanes);
    width = std::min<int64_t>(getRunWidth(types, experts), llvm::bit_ceil(uint64_t(perLane)));
    runs = llvm::divideCeil(experts, width * warpLanes);
    limitsGroups = router.getSelect() == Select::GroupLimited;
    keepsScores = (op.getBias() || limitsGroups) && !op.getMix();
  }

  /// Shared memory of a warp: keys, where groups compare those of their members, and scores, where they differ from
  /// choice values; 4 bytes for each expert.
  int64_t bytesPerWarp() const { return 4 * experts * (limitsGroups + keepsScores); }
  int64_t groupSize() const { return experts / router.getGroups(); }
  int64_t lanesPerGroup() const { return llvm::bit_floor(uint64_t(warpLanes / router.getGroups())); }

  RouterAttr router;
  int64_t experts, width, runs;
  bool limitsGroups, keepsScores;
};

/// What a warp does for its token.
class RouteWarp {
public:
  RouteWarp(OpBuilder &builder, Location loc, const step::GpuKernelContext &context, RouteOp op, ValueRange operands,
            ValueRange results);

  void emit();

private:
  void loadLogits();
  void computeKeys();
  void limitGroups();
  Value groupKey();
  Value keptGroups(Value key);
  void selectSlots(int64_t count);
  void computeGates();
  void scaleGates();
  void storeSlots();

  Value constant(double value) const { return block.f32(value); }
  Value exponential(Value value) const { return block.make<math::ExpOp>(value); }
  Value divide(Value a, Value b) const { return block.make<arith::DivFOp>(a, b); }
  /// The largest value of a list for each lane and then of all lanes; numbers only, or NaN if there are none.
  Value largest(ValueRange values, ValueRange isGiven) const;
  Value sum(ValueRange values) const;
  /// Turns logits into scores; those that are not given stay what they are.
  void score(MutableArrayRef<Value> values, ValueRange isGiven) const;
  /// The number of this lane's i-th expert, or of the first of a run.
  Value expertAt(int64_t i) const { return block.add(firstExpert(), fixedPart(i)); }
  Value firstExpert() const { return block.mul(lane, schedule.width); }
  int64_t fixedPart(int64_t i) const { return i / schedule.width * schedule.width * warpLanes + i % schedule.width; }
  int64_t perLane() const { return schedule.width * schedule.runs; }
  /// Whether there is a run; true where all have all of it.
  Value hasRun(int64_t run) const;
  /// Stores what lanes hold of each expert, i32 or f32, in the order of the experts.
  void share(ValueRange values, Value target) const;
  void syncWarp() const { NVVM::SyncWarpOp::create(block.builder, block.loc, block.i32(0xffffffff)); }

  GpuBlockBuilder block;
  RouteSchedule schedule;
  RouterAttr router;
  ElementRuns logits, experts, gates;
  std::optional<ElementRuns> bias, mix;
  Value tokens, token, lane;
  /// The group that this lane helps to rank, or a number beyond the last.
  Value group;
  /// Shared memory of the warp.
  Value sharedKeys, sharedScores;
  /// Of each expert of this lane.
  Values isGiven, scores, keys;
  /// Of each slot of this lane.
  Values isSlot, slotExperts, slotKeys, slotGates;
};

} // namespace

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

void RouteWarp::share(ValueRange values, Value target) const {
  for (int64_t run = 0; run < schedule.runs; ++run) {
    int64_t first = run * schedule.width;
    block.ifThen(isGiven[first], [&] {
      Value at = block.at(target, block.mul(expertAt(first), 4)), whole = values[first];
      if (schedule.width > 1) {
        auto type = VectorType::get(schedule.width, whole.getType());
        whole = block.make<LLVM::PoisonOp>(type);
        for (int64_t i = 0; i < schedule.width; ++i)
          whole = block.make<LLVM::InsertElementOp>(whole, values[first + i], block.i32(i));
      }
      block.store(whole, at);
    });
  }
}

/// The key of this lane's group, 0 where there is none. Lanes of a group take turns with its members; groups whose
/// members begin in the same bank of shared memory begin with different ones.
Value RouteWarp::groupKey() {
  int64_t size = schedule.groupSize(), lanes = schedule.lanesPerGroup(), steps = llvm::divideCeil(size, lanes);
  bool isPair = router.getGroupScore() == GroupScore::Top2Sum;
  Value zero = block.i32(0), first = block.mul(group, size), part = block.rem(lane, lanes);
  Value skew = block.div(group, warpLanes / std::gcd(size, warpLanes));
  auto rank = [&](ValueRange a, ValueRange b) {
    Values best = {block.make<arith::MaxUIOp>(a[0], b[0])};
    if (isPair)
      best.push_back(
          block.make<arith::MaxUIOp>(block.make<arith::MinUIOp>(a[0], b[0]), block.make<arith::MaxUIOp>(a[1], b[1])));
    return best;
  };
  Values none(isPair ? 2 : 1, zero);
  Values best = block.loop(zero, block.i32(steps), block.i32(1), none, [&](Value step, ValueRange carried) {
    Value member = block.add(block.mul(block.rem(block.add(step, skew), steps), lanes), part);
    Value isMember = block.both(block.less(group, router.getGroups()), block.less(member, size));
    auto load = [&] {
      Value at = block.mul(block.add(first, member), 4);
      return Values{block.load(block.builder.getI32Type(), block.at(sharedKeys, at))};
    };
    Values key = none;
    key[0] = block.ifElse(isMember, load, [&] { return Values{zero}; })[0];
    return rank(carried, key);
  });
  best = combineLanes(block, best, lanes, rank);
  if (!isPair)
    return best[0];
  Value pair = block.addFloat(valueOfKey(block, best[0]), valueOfKey(block, best[1]));
  return block.select(block.less(group, router.getGroups()), orderedKey(block, pair), zero);
}

/// One bit for each group that is kept.
Value RouteWarp::keptGroups(Value key) {
  Value none = block.i32(warpLanes), zero = block.i32(0), one = block.i32(1);
  return block.loop(zero, block.i32(router.getKeptGroups()), one, {key, zero}, [&](Value, ValueRange carried) {
    Value isTop = block.equal(carried[0], largestKey(block, carried[0]));
    Value top = smallestNumber(block, block.select(isTop, group, none));
    Value left = block.select(block.equal(group, top), zero, carried[0]);
    return Values{left, block.make<arith::OrIOp>(carried[1], block.make<arith::ShLIOp>(one, top))};
  })[1];
}

void RouteWarp::limitGroups() {
  share(keys, sharedKeys);
  syncWarp();
  Value kept = keptGroups(groupKey());
  double dropped = router.getDropped() == Dropped::NegInf ? -std::numeric_limits<double>::infinity() : 0;
  Value droppedKey = orderedKey(block, constant(dropped));
  for (auto [i, key] : llvm::enumerate(keys)) {
    Value ofExpert = block.div(expertAt(i), schedule.groupSize());
    Value bit = block.bitAnd(block.make<arith::ShRUIOp>(kept, ofExpert), 1);
    Value isDropped = block.both(isGiven[i], block.equal(bit, int64_t(0)));
    key = block.select(isDropped, droppedKey, key);
  }
}

/// Fills up to 32 slots, one in each lane. What has been selected has the key 0 afterwards.
void RouteWarp::selectSlots(int64_t count) {
  Value zero = block.i32(0), noExpert = block.i32(-1);
  Values state = keys;
  state.append({zero, zero});
  state = block.loop(zero, block.i32(count), block.i32(1), state, [&](Value slot, ValueRange carried) {
    Values left = llvm::to_vector_of<Value>(carried.drop_back(2));
    Value best = left[0];
    for (Value key : llvm::drop_begin(left))
      best = block.make<arith::MaxUIOp>(best, key);
    best = largestKey(block, best);
    // Experts of this lane are told apart by the part of their number that does not depend on the lane.
    Value candidate = noExpert;
    for (int64_t i = perLane() - 1; i >= 0; --i)
      candidate = block.select(block.equal(left[i], best), block.i32(fixedPart(i)), candidate);
    Value isHere = block.make<arith::CmpIOp>(arith::CmpIPredicate::ne, candidate, noExpert);
    Value expert = smallestNumber(block, block.select(isHere, block.add(candidate, firstExpert()), noExpert));
    Value relative = block.sub(expert, firstExpert());
    for (auto [i, key] : llvm::enumerate(left))
      key = block.select(block.equal(relative, fixedPart(i)), zero, key);
    Value isMine = block.equal(lane, slot);
    left.push_back(block.select(isMine, expert, carried.drop_front(perLane())[0]));
    left.push_back(block.select(isMine, best, carried.back()));
    return left;
  });
  slotKeys.push_back(state.pop_back_val());
  slotExperts.push_back(state.pop_back_val());
  keys = state;
  isSlot.push_back(block.less(lane, count));
}

void RouteWarp::computeGates() {
  for (auto [isMine, expert, key] : llvm::zip_equal(isSlot, slotExperts, slotKeys)) {
    auto read = [&, expert = expert] {
      if (!mix)
        return Values{block.load(block.builder.getF32Type(), block.at(sharedScores, block.mul(expert, 4)))};
      Value offset = block.add(block.mul(block.toI64(token), schedule.experts), block.toI64(expert));
      return mix->loadReals(offset, 1);
    };
    Value gate = valueOfKey(block, key);
    if (mix || schedule.keepsScores)
      gate = block.ifElse(isMine, read, [&] { return Values{constant(0)}; })[0];
    slotGates.push_back(gate);
  }
  if (router.getOver() == Over::Selected)
    score(slotGates, isSlot);
}

void RouteWarp::scaleGates() {
  if (router.getRenormalize() != Renormalize::None) {
    Values given;
    for (auto [isMine, gate] : llvm::zip_equal(isSlot, slotGates))
      given.push_back(block.select(isMine, gate, constant(0)));
    Value total = sum(given), eps = constant(router.getEps().convertToDouble());
    Value divisor = router.getRenormalize() == Renormalize::MaxEps ? block.make<arith::MaximumFOp>(total, eps)
                                                                   : block.addFloat(total, eps);
    for (Value &gate : slotGates)
      gate = divide(gate, divisor);
  }
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
    if (router.getOver() == Over::All)
      score(scores, isGiven);
    computeKeys();
    if (schedule.limitsGroups)
      limitGroups();
    if (schedule.keepsScores) {
      share(scores, sharedScores);
      syncWarp();
    }
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
