//===- RouteSelection.cpp - how a warp selects the experts of its token ------===//

#include "RouteWarp.h"
#include "WarpReductions.h"

#include <limits>
#include <numeric>

using namespace mlir;
using namespace moec;
using namespace moec::moe;

using Values = RouteWarp::Values;

static constexpr double infinity = std::numeric_limits<double>::infinity();

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
  double dropped = router.getDropped() == Dropped::NegInf ? -infinity : 0;
  Value droppedKey = orderedKey(block, constant(dropped));
  for (auto [i, key] : llvm::enumerate(keys)) {
    Value ofExpert = block.div(expertAt(i), schedule.groupSize());
    Value bit = block.bitAnd(block.make<arith::ShRUIOp>(kept, ofExpert), 1);
    Value isDropped = block.both(isGiven[i], block.equal(bit, int64_t(0)));
    key = block.select(isDropped, droppedKey, key);
  }
}

std::pair<Value, Value> RouteWarp::bestExpert(ValueRange keys) const {
  Value noExpert = block.i32(-1), best = keys[0];
  for (Value key : llvm::drop_begin(keys))
    best = block.make<arith::MaxUIOp>(best, key);
  best = largestKey(block, best);
  // Experts of this lane are told apart by the part of their number that does not depend on the lane.
  Value candidate = noExpert;
  for (int64_t i = perLane() - 1; i >= 0; --i)
    candidate = block.select(block.equal(keys[i], best), block.i32(fixedPart(i)), candidate);
  Value isHere = block.make<arith::CmpIOp>(arith::CmpIPredicate::ne, candidate, noExpert);
  return {best, smallestNumber(block, block.select(isHere, block.add(candidate, firstExpert()), noExpert))};
}

Value RouteWarp::isUsed(Value key, Value sum) const {
  Value choice = valueOfKey(block, key), bound = constant(router.getBound().convertToDouble());
  if (router.getSelect() == Select::TopP)
    return block.make<arith::CmpFOp>(arith::CmpFPredicate::ULT, block.make<arith::SubFOp>(sum, choice), bound);
  return block.make<arith::CmpFOp>(arith::CmpFPredicate::UGT, choice, bound);
}

Value RouteWarp::sparseGate(ValueRange left, Value best) const {
  Value top = valueOfKey(block, best), bound = constant(router.getBound().convertToDouble());
  Values terms;
  for (auto [logit, key, given] : llvm::zip_equal(scores, left, isGiven)) {
    Value magnitude = block.make<arith::MaximumFOp>(block.make<math::AbsFOp>(logit), top);
    Value distance = divide(block.make<arith::SubFOp>(top, logit), magnitude);
    Value isNear = block.make<arith::CmpFOp>(arith::CmpFPredicate::ULE, distance, bound);
    Value term = exponential(block.make<arith::SubFOp>(valueOfKey(block, key), top));
    terms.push_back(block.select(block.both(given, isNear), term, constant(0)));
  }
  return divide(constant(1), sum(terms));
}

/// Fills up to 32 slots, one in each lane. What has been selected has the key 0 afterwards, or that of −inf in a sparse
/// mixer.
void RouteWarp::selectSlots(int64_t count) {
  Value zero = block.i32(0), noExpert = block.i32(-1);
  Value selectedKey = schedule.mixesSparsely ? orderedKey(block, constant(-infinity)) : zero;
  Values state = keys;
  state.append({zero, zero});
  if (schedule.mixesSparsely)
    state.push_back(constant(0));
  if (router.leavesSlots())
    state.push_back(choiceSum);
  state = block.loop(zero, block.i32(count), block.i32(1), state, [&](Value slot, ValueRange carried) {
    ValueRange left = carried.take_front(perLane()), filled = carried.drop_front(perLane());
    auto [best, expert] = bestExpert(left);
    Value relative = block.sub(expert, firstExpert()), isMine = block.equal(lane, slot);
    Values next;
    for (auto [i, key] : llvm::enumerate(left))
      next.push_back(block.select(block.equal(relative, fixedPart(i)), selectedKey, key));
    Value upTo;
    if (router.leavesSlots()) {
      upTo = block.addFloat(filled.back(), valueOfKey(block, best));
      expert = block.select(isUsed(best, upTo), expert, noExpert);
    }
    next.push_back(block.select(isMine, expert, filled[0]));
    next.push_back(block.select(isMine, best, filled[1]));
    if (schedule.mixesSparsely)
      next.push_back(block.select(isMine, sparseGate(left, best), filled[2]));
    if (router.leavesSlots())
      next.push_back(upTo);
    return next;
  });
  if (router.leavesSlots())
    choiceSum = state.pop_back_val();
  if (schedule.mixesSparsely)
    slotGates.push_back(state.pop_back_val());
  slotKeys.push_back(state.pop_back_val());
  slotExperts.push_back(state.pop_back_val());
  keys = state;
  isSlot.push_back(block.less(lane, count));
}
