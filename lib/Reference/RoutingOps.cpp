//===- RoutingOps.cpp - reference evaluation of routing and grouping --------===//

#include "OpEvaluators.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::moe;
using namespace moec::reference;

/// The positions of the `count` largest values, largest first; ties by lowest position, NaN last.
static SmallVector<int64_t> selectLargest(ArrayRef<float> values, int64_t count) {
  auto order = llvm::to_vector(llvm::seq<int64_t>(values.size()));
  llvm::sort(order, [&](int64_t a, int64_t b) {
    return ranksBefore(values[a], values[b]) || (!ranksBefore(values[b], values[a]) && a < b);
  });
  order.truncate(count);
  return order;
}

static SmallVector<float> computeScores(Score score, ArrayRef<float> logits) {
  SmallVector<float> scores(logits);
  if (score == Score::Sigmoid)
    for (float &value : scores)
      value = 1.0f / (1.0f + std::exp(-value));
  if (score == Score::Relu)
    for (float &value : scores)
      value = value <= 0.0f ? 0.0f : value;
  if (score != Score::Softmax)
    return scores;
  float largest = *llvm::max_element(logits), sum = 0.0f;
  for (float &value : scores)
    sum += value = std::exp(value - largest);
  for (float &value : scores)
    value /= sum;
  return scores;
}

/// Replaces the choice values of experts in groups that are not kept.
static void limitGroups(RouterAttr router, MutableArrayRef<float> choice) {
  int64_t groupSize = static_cast<int64_t>(choice.size()) / router.getGroups();
  SmallVector<float> groupScores;
  for (int64_t group : llvm::seq(router.getGroups())) {
    ArrayRef<float> members = ArrayRef<float>(choice).slice(group * groupSize, groupSize);
    bool pair = router.getGroupScore() == GroupScore::Top2Sum;
    SmallVector<int64_t> best = selectLargest(members, pair ? 2 : 1);
    groupScores.push_back(pair ? members[best[0]] + members[best[1]] : members[best[0]]);
  }
  SmallVector<int64_t> kept = selectLargest(groupScores, router.getKeptGroups());
  float dropped = router.getDropped() == Dropped::Zero ? 0.0f : -std::numeric_limits<float>::infinity();
  for (int64_t expert : llvm::seq<int64_t>(choice.size()))
    if (!llvm::is_contained(kept, expert / groupSize))
      choice[expert] = dropped;
}

/// Gives the slots that stay unused the expert -1; `choice` is that of all experts.
static void leaveSlots(RouterAttr router, ArrayRef<float> choice, MutableArrayRef<int64_t> selected) {
  float bound = router.getBound().convertToDouble(), sum = 0.0f;
  for (int64_t &expert : selected) {
    float value = choice[expert];
    sum += value;
    if (router.getSelect() == Select::TopP ? sum - value >= bound : value <= bound)
      expert = -1;
  }
}

/// Fills the slots one after the other, each by a softmax over what is left and near its largest.
static SmallVector<float> mixSparsely(RouterAttr router, ArrayRef<float> logits, SmallVectorImpl<int64_t> &selected) {
  float bound = router.getBound().convertToDouble();
  SmallVector<float> left(logits), gates;
  for (int64_t slot = 0; slot < router.getK(); ++slot) {
    int64_t best = selectLargest(left, 1).front();
    float largest = left[best], sum = 0.0f;
    for (auto [logit, rest] : llvm::zip_equal(logits, left)) {
      float magnitude = std::fabs(logit) > largest || std::isnan(logit) ? std::fabs(logit) : largest;
      if (!((largest - logit) / magnitude > bound))
        sum += std::exp(rest - largest);
    }
    selected.push_back(best);
    gates.push_back(1.0f / sum);
    left[best] = -std::numeric_limits<float>::infinity();
  }
  return gates;
}

static void normalizeGates(RouterAttr router, MutableArrayRef<float> gates) {
  float sum = 0.0f, eps = router.getEps().convertToDouble(), scale = router.getScale().convertToDouble();
  for (float gate : gates)
    sum += gate;
  if (router.getRenormalize() == Renormalize::SumPlusEps)
    sum += eps;
  else if (router.getRenormalize() == Renormalize::MaxEps)
    sum = std::isnan(sum) ? sum : std::max(sum, eps);
  for (float &gate : gates)
    gate = (router.getRenormalize() == Renormalize::None ? gate : gate / sum) * scale;
}

LogicalResult reference::evaluateOp(RouteOp op, Values &values) {
  RouterAttr router = op.getRouter();
  const HostTensor &logits = values[op.getLogits()];
  const HostTensor *bias = values.find(op.getBias()), *mix = values.find(op.getMix());
  int64_t tokens = logits.getDim(0), expertCount = logits.getDim(1);
  HostTensor &experts = values.addResult({tokens, router.getK()});
  HostTensor &gates = values.addResult({tokens, router.getK()});
  for (int64_t token : llvm::seq(tokens)) {
    SmallVector<float> row;
    for (int64_t expert : llvm::seq(expertCount))
      row.push_back(logits.real({token, expert}));
    SmallVector<int64_t> selected;
    SmallVector<float> chosen;
    if (router.getSelect() == Select::SparseMixer) {
      chosen = mixSparsely(router, row, selected);
    } else {
      SmallVector<float> scores = router.getOver() == Over::All ? computeScores(router.getScore(), row) : row;
      SmallVector<float> choice = scores;
      if (bias)
        for (auto [expert, value] : llvm::enumerate(choice))
          value += static_cast<float>(bias->real(expert));
      if (router.getSelect() == Select::GroupLimited)
        limitGroups(router, choice);
      selected = selectLargest(choice, router.getK());
      if (router.leavesSlots())
        leaveSlots(router, choice, selected);
      for (int64_t expert : selected)
        chosen.push_back(expert < 0 ? 0.0f : mix ? mix->real({token, expert}) : scores[expert]);
      if (router.getOver() == Over::Selected)
        chosen = computeScores(router.getScore(), chosen);
    }
    normalizeGates(router, chosen);
    for (int64_t slot : llvm::seq(router.getK())) {
      experts.setInteger({token, slot}, selected[slot]);
      gates.setReal({token, slot}, selected[slot] < 0 ? 0.0f : chosen[slot]);
    }
  }
  return success();
}

LogicalResult reference::evaluateOp(LimitCapacityOp op, Values &values) {
  const HostTensor &experts = values[op.getExperts()];
  HostTensor &kept = values.addResult(experts.getShape());
  for (int64_t batch : llvm::seq(experts.getDim(0))) {
    SmallVector<uint64_t> counts(op.getExpertCount());
    for (int64_t slot : llvm::seq(experts.getDim(2)))
      for (int64_t token : llvm::seq(experts.getDim(1))) {
        int64_t expert = experts.integer({batch, token, slot});
        bool isExpert = expert >= 0 && expert < static_cast<int64_t>(op.getExpertCount());
        bool isDropped = isExpert && counts[expert]++ >= op.getCapacity();
        kept.setInteger({batch, token, slot}, isDropped ? -1 : expert);
      }
  }
  return success();
}

LogicalResult reference::evaluateOp(GroupOp op, Values &values) {
  const HostTensor &experts = values[op.getExperts()];
  int64_t expertCount = op.getExpertCount(), rows = experts.getSize();
  HostTensor &offsets = values.addResult({expertCount + 1});
  HostTensor &order = values.addResult({rows});
  HostTensor &inverse = values.addResult({rows});
  for (int64_t row : llvm::seq(rows)) {
    int64_t expert = experts.integer(row);
    if (expert < -1 || expert >= expertCount)
      return op.emitError() << "expert " << expert << " is out of range for " << expertCount << " experts";
    order.setInteger(row, -1);
    inverse.setInteger(row, -1);
  }
  int64_t place = 0;
  for (int64_t expert : llvm::seq(expertCount)) {
    for (int64_t row : llvm::seq(rows)) {
      if (experts.integer(row) != expert)
        continue;
      order.setInteger(place, row);
      inverse.setInteger(row, place++);
    }
    offsets.setInteger(expert + 1, place);
  }
  return success();
}
