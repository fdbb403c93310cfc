//===- AttentionOps.cpp - reference evaluation of attention -----------------===//

#include "OpEvaluators.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace moec;
using namespace moec::nn;
using namespace moec::reference;

/// `index` where dimensions of extent 1 repeat.
static SmallVector<int64_t> broadcast(const HostTensor &tensor, ArrayRef<int64_t> index) {
  SmallVector<int64_t> clamped(index);
  for (auto [position, extent] : llvm::zip_equal(clamped, tensor.getShape()))
    position = extent == 1 ? 0 : position;
  return clamped;
}

LogicalResult reference::evaluateOp(RotaryOp op, Values &values) {
  const HostTensor &x = values[op.getX()], &cos = values[op.getCos()], &sin = values[op.getSin()];
  int64_t pairs = cos.getDim(2);
  HostTensor &out = values.addResult(x.getShape());
  out = x;
  forEachIndex({x.getDim(0), x.getDim(1), x.getDim(2), pairs}, [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> first(index), second(index);
    first[3] = op.getInterleaved() ? 2 * index[3] : index[3];
    second[3] = op.getInterleaved() ? 2 * index[3] + 1 : index[3] + pairs;
    int64_t angle[] = {cos.getDim(0) == 1 ? 0 : index[0], index[2], index[3]};
    double a = x.real(first), b = x.real(second), c = cos.real(angle), s = sin.real(angle);
    out.setReal(first, a * c - b * s);
    out.setReal(second, b * c + a * s);
  });
  return success();
}

/// The score of one query and one of `keys` keys; −inf where the query does not see the key.
static double computeScore(AttentionOp op, Values &values, ArrayRef<int64_t> query, int64_t key, int64_t keys) {
  const HostTensor &q = values[op.getQ()], &k = values[op.getK()], *mask = values.find(op.getMask());
  int64_t batch = query[0], head = query[1], position = query[2];
  int64_t last = position + keys - q.getDim(2), window = op.getWindow();
  double hidden = -std::numeric_limits<double>::infinity();
  if ((op.getCausal() && key > last) || (window > 0 && key <= last - window))
    return hidden;
  double score = 0.0, softcap = op.getSoftcap().convertToDouble();
  for (int64_t d : llvm::seq(q.getDim(3)))
    score += q.real({batch, head, position, d}) * k.real({batch, head / (q.getDim(1) / k.getDim(1)), key, d});
  score *= op.getScale().convertToDouble();
  if (softcap > 0.0)
    score = softcap * std::tanh(score / softcap);
  if (!mask)
    return score;
  int64_t at = mask->offset(broadcast(*mask, {batch, head, position, key}));
  if (mask->isFloat())
    return score + mask->real(at);
  return mask->integer(at) ? score : hidden;
}

LogicalResult reference::evaluateOp(AttentionOp op, Values &values) {
  const HostTensor &q = values[op.getQ()], &k = values[op.getK()], &v = values[op.getV()];
  const HostTensor *sinks = values.find(op.getSinks()), *length = values.find(op.getLength());
  int64_t keys = length ? length->integer(0) : k.getDim(2);
  if (keys < 0 || keys > k.getDim(2))
    return op.emitError() << "length " << keys << " is out of range for room for " << k.getDim(2) << " keys";
  HostTensor &out = values.addResult({q.getDim(0), q.getDim(1), q.getDim(2), v.getDim(3)});
  double hidden = -std::numeric_limits<double>::infinity();
  forEachIndex(q.getShape().drop_back(), [&](ArrayRef<int64_t> query) {
    int64_t batch = query[0], head = query[1], group = head / (q.getDim(1) / k.getDim(1));
    SmallVector<double> weights;
    double largest = hidden;
    for (int64_t key : llvm::seq(keys))
      largest = std::fmax(largest, weights.emplace_back(computeScore(op, values, query, key, keys)));
    if (llvm::all_of(weights, [&](double score) { return score == hidden; })) {
      for (int64_t d : llvm::seq(op.getEmptyIsNan() && !sinks ? v.getDim(3) : 0))
        out.setReal({batch, head, query[2], d}, std::numeric_limits<double>::quiet_NaN());
      return;
    }
    if (sinks)
      largest = std::fmax(largest, sinks->real(head));
    double sum = sinks ? std::exp(sinks->real(head) - largest) : 0.0;
    for (double &weight : weights)
      sum += weight = std::exp(weight - largest);
    if (std::isnan(sum) && op.getNanToZero())
      return;
    for (int64_t d : llvm::seq(v.getDim(3))) {
      double value = 0.0;
      for (auto [key, weight] : llvm::enumerate(weights))
        if (weight != 0.0)
          value += weight / sum * v.real({batch, group, static_cast<int64_t>(key), d});
      out.setReal({batch, head, query[2], d}, value);
    }
  });
  return success();
}

LogicalResult reference::evaluateOp(KvAppendOp op, Values &values) {
  const HostTensor &state = values[op.getState()], &added = values[op.getNewPositions()];
  const HostTensor *starts = op.getStarts() ? &values[op.getStarts()] : nullptr;
  auto startOf = [&](int64_t sequence) {
    return starts ? starts->integer(sequence) : values[op.getPosition()].integer(0);
  };
  for (int64_t sequence : llvm::seq(added.getDim(0)))
    if (int64_t start = startOf(sequence); start < 0 || start + added.getDim(2) > state.getDim(2))
      return op.emitError() << "positions " << start << " to " << start + added.getDim(2)
                            << " are out of range for room for " << state.getDim(2);
  HostTensor &out = values.addResult(state.getShape());
  out = state;
  forEachIndex(added.getShape(), [&](ArrayRef<int64_t> index) {
    SmallVector<int64_t> target(index);
    target[2] += startOf(index[0]);
    out.copyElement(out.offset(target), added, added.offset(index));
  });
  return success();
}
