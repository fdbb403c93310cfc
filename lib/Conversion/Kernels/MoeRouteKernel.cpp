//===- MoeRouteKernel.cpp - moe.route as a kernel ---------------------------===//
//
// One task routes one token: scores, choice values, selection by insertion into a sorted list of k, gates. The scores
// and choice values of the token live in the worker's scratch memory. A sparse mixer selects slot by slot instead, from
// choice values that are the logits left.
//
//===----------------------------------------------------------------------===//

#include "LoopEmitter.h"
#include "MoeKernels.h"

#include "moec/Dialect/Moe/Moe.h"
#include "moec/Dialect/Step/KernelInterface.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace moec;
using namespace moec::moe;

namespace {

/// What the emission of one token shares.
struct TokenRouter {
  LoopEmitter &emit;
  RouterAttr router;
  int64_t expertCount;
  Value logits, bias, mix, experts, gates;
  /// memref<Exf32>, memref<Exf32>, memref<Gxf32>, memref<Gxi1 as i32>.
  Value scores, choices, groupScores, groupKept;
  Value token;

  void emitToken();

private:
  void emitScores();
  void emitChoices();
  void emitGroupScores();
  void dropGroups();
  void selectExperts();
  void leaveSlots();
  void gatherGates();
  void mixSparsely();
  void scaleGates();
  /// Whether `a` ranks before `b`: larger, or a number where b is NaN.
  Value ranksBefore(Value a, Value b);
  Value score(Value logit, Value largest, Value sum);
  /// The best choice value that is left, and its expert.
  std::pair<Value, Value> bestChoice();
  /// Whether a slot has an expert.
  Value isUsed(Value slot);
  Value whereUsed(Value slot, Value gate) {
    return router.leavesSlots() ? emit.select(isUsed(slot), gate, emit.real(0.0)) : gate;
  }
  Value bound() { return emit.real(router.getBound().convertToDouble()); }
  /// The largest of `count` values and the sum of exp(value − largest).
  std::pair<Value, Value> softmaxTerms(int64_t count, llvm::function_ref<Value(Value)> valueAt);
  Value compare(arith::CmpFPredicate predicate, Value a, Value b) { return emit.make<arith::CmpFOp>(predicate, a, b); }
  Value addReal(Value a, Value b) { return emit.make<arith::AddFOp>(a, b); }
};

} // namespace

Value TokenRouter::ranksBefore(Value a, Value b) {
  Value larger = compare(arith::CmpFPredicate::OGT, a, b);
  Value onlyBIsNan = emit.both(compare(arith::CmpFPredicate::ORD, a, a), compare(arith::CmpFPredicate::UNO, b, b));
  return emit.either(larger, onlyBIsNan);
}

Value TokenRouter::score(Value logit, Value largest, Value sum) {
  switch (router.getScore()) {
  case Score::Identity:
    return logit;
  case Score::Relu:
    return emit.make<arith::MaximumFOp>(logit, emit.real(0.0));
  case Score::Sigmoid: {
    Value exponential = emit.make<math::ExpOp>(emit.make<arith::NegFOp>(logit));
    return emit.make<arith::DivFOp>(emit.real(1.0), addReal(emit.real(1.0), exponential));
  }
  case Score::Softmax: {
    Value exponential = emit.make<math::ExpOp>(emit.make<arith::SubFOp>(logit, largest));
    return emit.make<arith::DivFOp>(exponential, sum);
  }
  }
  llvm_unreachable("unknown score");
}

std::pair<Value, Value> TokenRouter::softmaxTerms(int64_t count, llvm::function_ref<Value(Value)> valueAt) {
  if (router.getScore() != Score::Softmax)
    return {};
  Value zero = emit.index(0), end = emit.index(count);
  Value lowest = emit.real(-std::numeric_limits<double>::infinity());
  Value largest = emit.loop(zero, end, 1, lowest, [&](Value i, ValueRange carried) -> SmallVector<Value> {
    return {emit.make<arith::MaximumFOp>(carried[0], valueAt(i))};
  })[0];
  Value sum = emit.loop(zero, end, 1, emit.real(0.0), [&](Value i, ValueRange carried) -> SmallVector<Value> {
    return {addReal(carried[0], emit.make<math::ExpOp>(emit.make<arith::SubFOp>(valueAt(i), largest)))};
  })[0];
  return {largest, sum};
}

void TokenRouter::emitScores() {
  auto logitAt = [&](Value expert) { return emit.loadReal(logits, {token, expert}); };
  if (router.getOver() == Over::Selected || router.getSelect() == Select::SparseMixer) {
    emit.loop(emit.index(0), emit.index(expertCount), 1,
              [&](Value expert) { emit.store(logitAt(expert), scores, expert); });
    return;
  }
  auto [largest, sum] = softmaxTerms(expertCount, logitAt);
  emit.loop(emit.index(0), emit.index(expertCount), 1,
            [&](Value expert) { emit.store(score(logitAt(expert), largest, sum), scores, expert); });
}

void TokenRouter::emitChoices() {
  emit.loop(emit.index(0), emit.index(expertCount), 1, [&](Value expert) {
    Value choice = emit.load(scores, expert);
    if (bias)
      choice = addReal(choice, emit.loadReal(bias, expert));
    emit.store(choice, choices, expert);
  });
}

void TokenRouter::emitGroupScores() {
  int64_t groupSize = expertCount / router.getGroups();
  emit.loop(emit.index(0), emit.index(router.getGroups()), 1, [&](Value group) {
    Value first = emit.mul(group, groupSize);
    Value start = emit.load(choices, first);
    if (router.getGroupScore() == GroupScore::Max) {
      Value best = emit.loop(emit.index(1), emit.index(groupSize), 1, start,
                             [&](Value i, ValueRange carried) -> SmallVector<Value> {
                               Value choice = emit.load(choices, emit.add(first, i));
                               return {emit.select(ranksBefore(choice, carried[0]), choice, carried[0])};
                             })[0];
      emit.store(best, groupScores, group);
      return;
    }
    Value second = emit.load(choices, emit.add(first, 1));
    Value swap = ranksBefore(second, start);
    Value initial[] = {emit.select(swap, second, start), emit.select(swap, start, second)};
    auto best = emit.loop(emit.index(2), emit.index(groupSize), 1, initial,
                          [&](Value i, ValueRange carried) -> SmallVector<Value> {
                            Value choice = emit.load(choices, emit.add(first, i));
                            Value isFirst = ranksBefore(choice, carried[0]);
                            Value isSecond = ranksBefore(choice, carried[1]);
                            return {emit.select(isFirst, choice, carried[0]),
                                    emit.select(isFirst, carried[0], emit.select(isSecond, choice, carried[1]))};
                          });
    emit.store(addReal(best[0], best[1]), groupScores, group);
  });
}

void TokenRouter::dropGroups() {
  Value zero = emit.index(0), one = emit.index(1), groups = emit.index(router.getGroups());
  // A group is kept if fewer than kept_groups rank before it; the lower index ranks before an equal one.
  emit.loop(zero, groups, 1, [&](Value group) {
    Value own = emit.load(groupScores, group);
    Value better = emit.loop(zero, groups, 1, zero, [&](Value other, ValueRange carried) -> SmallVector<Value> {
      Value theirs = emit.load(groupScores, other);
      Value notBehind = emit.make<arith::XOrIOp>(ranksBefore(own, theirs), emit.make<arith::ConstantIntOp>(1, 1));
      Value before = emit.either(ranksBefore(theirs, own), emit.both(notBehind, emit.less(other, group)));
      return {emit.select(before, emit.add(carried[0], one), carried[0])};
    })[0];
    Value kept = emit.less(better, emit.index(router.getKeptGroups()));
    emit.store(emit.make<arith::ExtUIOp>(emit.builder.getI32Type(), kept), groupKept, group);
  });
  double dropped = router.getDropped() == Dropped::NegInf ? -std::numeric_limits<double>::infinity() : 0.0;
  int64_t groupSize = expertCount / router.getGroups();
  emit.loop(zero, emit.index(expertCount), 1, [&](Value expert) {
    Value isDropped = emit.equal(emit.load(groupKept, emit.div(expert, groupSize)), emit.integer(0));
    emit.ifThen(isDropped, [&] { emit.store(emit.real(dropped), choices, expert); });
  });
}

void TokenRouter::selectExperts() {
  Value k = emit.index(router.getK()), last = emit.index(router.getK() - 1), one = emit.index(1);
  auto chosen = [&](Value slot) { return emit.load(choices, emit.toIndex(emit.load(experts, {token, slot}))); };
  emit.loop(emit.index(0), emit.index(expertCount), 1, [&](Value expert) {
    Value choice = emit.load(choices, expert);
    Value full = emit.make<arith::CmpIOp>(arith::CmpIPredicate::sge, expert, k);
    auto enters = scf::IfOp::create(
        emit.builder, emit.loc, full,
        [&](OpBuilder &, Location) { scf::YieldOp::create(emit.builder, emit.loc, ranksBefore(choice, chosen(last))); },
        [&](OpBuilder &, Location) {
          scf::YieldOp::create(emit.builder, emit.loc, Value(emit.make<arith::ConstantIntOp>(1, 1)));
        });
    emit.ifThen(enters.getResult(0), [&] {
      Value start = emit.min(expert, last);
      auto shift = scf::WhileOp::create(
          emit.builder, emit.loc, TypeRange{emit.builder.getIndexType()}, ValueRange{start},
          [&](OpBuilder &, Location, ValueRange slot) {
            // The first slot has no previous one to look at, and may hold nothing yet.
            auto moves = scf::IfOp::create(
                emit.builder, emit.loc, emit.less(emit.index(0), slot[0]),
                [&](OpBuilder &, Location) {
                  Value previous = chosen(emit.sub(slot[0], one));
                  scf::YieldOp::create(emit.builder, emit.loc, ranksBefore(choice, previous));
                },
                [&](OpBuilder &, Location) {
                  scf::YieldOp::create(emit.builder, emit.loc, Value(emit.make<arith::ConstantIntOp>(0, 1)));
                });
            scf::ConditionOp::create(emit.builder, emit.loc, moves.getResult(0), slot);
          },
          [&](OpBuilder &, Location, ValueRange slot) {
            Value previous = emit.sub(slot[0], one);
            emit.store(emit.load(experts, {token, previous}), experts, {token, slot[0]});
            scf::YieldOp::create(emit.builder, emit.loc, previous);
          });
      emit.store(emit.toI32(expert), experts, {token, shift.getResult(0)});
    });
  });
}

/// Slots stay unused unless their choice value, or the sum of those before, compares otherwise; NaN does not compare.
void TokenRouter::leaveSlots() {
  emit.loop(emit.index(0), emit.index(router.getK()), 1, emit.real(0.0), [&](Value slot, ValueRange carried) {
    Value expert = emit.load(experts, {token, slot});
    Value choice = emit.load(choices, emit.toIndex(expert)), sum = addReal(carried[0], choice);
    Value isUsed = router.getSelect() == Select::TopP
                       ? compare(arith::CmpFPredicate::ULT, emit.make<arith::SubFOp>(sum, choice), bound())
                       : compare(arith::CmpFPredicate::UGT, choice, bound());
    emit.store(emit.select(isUsed, expert, emit.integer(-1)), experts, {token, slot});
    return SmallVector<Value>{sum};
  });
}

Value TokenRouter::isUsed(Value slot) {
  return emit.compare(arith::CmpIPredicate::sge, emit.load(experts, {token, slot}), emit.integer(0));
}

void TokenRouter::gatherGates() {
  Value zero = emit.index(0), k = emit.index(router.getK());
  auto selected = [&](Value slot) -> Value {
    Value id = emit.load(experts, {token, slot});
    Value expert = emit.toIndex(router.leavesSlots() ? emit.max(id, emit.integer(0)) : id);
    return mix ? emit.loadReal(mix, {token, expert}) : emit.load(scores, expert);
  };
  bool scoreSelected = router.getOver() == Over::Selected && !mix;
  std::pair<Value, Value> terms;
  if (scoreSelected)
    terms = softmaxTerms(router.getK(), selected);
  emit.loop(zero, k, 1, [&](Value slot) {
    Value gate = selected(slot);
    if (scoreSelected)
      gate = score(gate, terms.first, terms.second);
    emit.store(whereUsed(slot, gate), gates, {token, slot});
  });
}

std::pair<Value, Value> TokenRouter::bestChoice() {
  Value zero = emit.index(0), initial[] = {emit.load(choices, zero), zero};
  auto best = emit.loop(emit.index(1), emit.index(expertCount), 1, initial, [&](Value expert, ValueRange carried) {
    Value choice = emit.load(choices, expert), isBetter = ranksBefore(choice, carried[0]);
    return SmallVector<Value>{emit.select(isBetter, choice, carried[0]), emit.select(isBetter, expert, carried[1])};
  });
  return {best[0], best[1]};
}

void TokenRouter::mixSparsely() {
  Value zero = emit.index(0), count = emit.index(expertCount);
  emit.loop(zero, emit.index(router.getK()), 1, [&](Value slot) {
    auto [top, best] = bestChoice();
    Value sum = emit.loop(zero, count, 1, emit.real(0.0), [&, top = top](Value expert, ValueRange carried) {
      Value logit = emit.load(scores, expert), magnitude = emit.make<math::AbsFOp>(logit);
      Value distance =
          emit.make<arith::DivFOp>(emit.make<arith::SubFOp>(top, logit), emit.make<arith::MaximumFOp>(magnitude, top));
      Value isFar = compare(arith::CmpFPredicate::OGT, distance, bound());
      Value term = emit.make<math::ExpOp>(emit.make<arith::SubFOp>(emit.load(choices, expert), top));
      return SmallVector<Value>{emit.select(isFar, carried[0], addReal(carried[0], term))};
    })[0];
    emit.store(emit.toI32(best), experts, {token, slot});
    emit.store(emit.make<arith::DivFOp>(emit.real(1.0), sum), gates, {token, slot});
    emit.store(emit.real(-std::numeric_limits<double>::infinity()), choices, best);
  });
}

void TokenRouter::scaleGates() {
  Value zero = emit.index(0), k = emit.index(router.getK());
  double scale = router.getScale().convertToDouble();
  bool renormalize = router.getRenormalize() != Renormalize::None;
  if (!renormalize && scale == 1.0)
    return;
  Value sum = emit.loop(zero, k, 1, emit.real(0.0), [&](Value slot, ValueRange carried) -> SmallVector<Value> {
    return {addReal(carried[0], emit.load(gates, {token, slot}))};
  })[0];
  Value eps = emit.real(router.getEps().convertToDouble());
  Value divisor =
      router.getRenormalize() == Renormalize::MaxEps ? emit.make<arith::MaximumFOp>(sum, eps) : addReal(sum, eps);
  emit.loop(zero, k, 1, [&](Value slot) {
    Value gate = emit.load(gates, {token, slot});
    if (renormalize)
      gate = whereUsed(slot, emit.make<arith::DivFOp>(gate, divisor));
    if (scale != 1.0)
      gate = emit.make<arith::MulFOp>(gate, emit.real(scale));
    emit.store(gate, gates, {token, slot});
  });
}

void TokenRouter::emitToken() {
  emitScores();
  emitChoices();
  if (router.getSelect() == Select::SparseMixer) {
    mixSparsely();
  } else {
    if (router.getSelect() == Select::GroupLimited) {
      emitGroupScores();
      dropGroups();
    }
    selectExperts();
    if (router.leavesSlots())
      leaveSlots();
    gatherGates();
  }
  scaleGates();
}

namespace {

struct RouteKernel : step::KernelOpInterface::ExternalModel<RouteKernel, RouteOp> {
  static int64_t expertCount(RouteOp op) { return cast<ShapedType>(op.getLogits().getType()).getDimSize(1); }
  static int64_t scratchFloats(RouteOp op) { return 2 * expertCount(op) + 2 * op.getRouter().getGroups(); }

  Value buildTaskCount(Operation *op, OpBuilder &builder, Location loc) const {
    return tensor::DimOp::create(builder, loc, cast<RouteOp>(op).getLogits(), 0);
  }

  Value buildWork(Operation *op, OpBuilder &builder, Location loc) const {
    auto route = cast<RouteOp>(op);
    LoopEmitter emit(builder, loc);
    // An exponential is worth some twenty operations, an insertion k.
    return emit.mul(buildTaskCount(op, builder, loc), expertCount(route) * (20 + route.getRouter().getK()));
  }

  Value buildScratchBytes(Operation *op, OpBuilder &builder, Location loc) const {
    return arith::ConstantIndexOp::create(builder, loc, 4 * scratchFloats(cast<RouteOp>(op)));
  }

  LogicalResult emitTasks(Operation *op, OpBuilder &builder, Location loc, const step::KernelContext &context,
                          ValueRange operands, ValueRange results, Value begin, Value end) const {
    auto route = cast<RouteOp>(op);
    LoopEmitter emit(builder, loc);
    TokenRouter token{emit, route.getRouter(), expertCount(route)};
    unsigned next = 0;
    token.logits = operands[next++];
    token.bias = route.getBias() ? operands[next++] : Value();
    token.mix = route.getMix() ? operands[next++] : Value();
    token.experts = results[0];
    token.gates = results[1];

    int64_t offset = 0;
    auto carve = [&](int64_t count, Type elementType) {
      auto type = MemRefType::get({count}, elementType);
      Value view = emit.make<memref::ViewOp>(type, context.scratch, emit.index(offset), ValueRange());
      offset += 4 * count;
      return view;
    };
    token.scores = carve(token.expertCount, builder.getF32Type());
    token.choices = carve(token.expertCount, builder.getF32Type());
    token.groupScores = carve(token.router.getGroups(), builder.getF32Type());
    token.groupKept = carve(token.router.getGroups(), builder.getI32Type());

    emit.loop(begin, end, 1, [&](Value index) {
      token.token = index;
      token.emitToken();
    });
    return success();
  }
};

} // namespace

void moec::attachRouteKernel(MLIRContext *context) { RouteOp::attachInterface<RouteKernel>(*context); }
