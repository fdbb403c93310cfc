//===- NormOps.cpp - reference evaluation of normalisation ------------------===//

#include "OpEvaluators.h"

#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::nn;
using namespace moec::reference;

/// Calls `visit` with the position of the first element of each row along the last axis.
static void forEachRow(const HostTensor &x, function_ref<void(int64_t first, int64_t extent)> visit) {
  int64_t extent = x.getShape().back();
  for (int64_t row : llvm::seq(extent == 0 ? 0 : x.getSize() / extent))
    visit(row * extent, extent);
}

LogicalResult reference::evaluateOp(SoftmaxOp op, Values &values) {
  const HostTensor &x = values[op.getX()];
  HostTensor &out = values.addResult(x.getShape());
  forEachRow(x, [&](int64_t first, int64_t extent) {
    double largest = x.real(first), sum = 0.0;
    for (int64_t i : llvm::seq(first, first + extent))
      largest = std::fmax(largest, x.real(i));
    for (int64_t i : llvm::seq(first, first + extent))
      sum += std::exp(x.real(i) - largest);
    for (int64_t i : llvm::seq(first, first + extent))
      out.setReal(i, std::exp(x.real(i) - largest) / sum);
  });
  return success();
}

/// (x - mean) / sqrt(variance + eps) * weight + bias, or with a mean of 0 if it is not subtracted.
static void normalize(const HostTensor &x, const HostTensor *weight, const HostTensor *bias, double eps,
                      bool subtractMean, HostTensor &out) {
  forEachRow(x, [&](int64_t first, int64_t extent) {
    double mean = 0.0, variance = 0.0;
    for (int64_t i : llvm::seq(extent))
      mean += subtractMean ? x.real(first + i) / extent : 0.0;
    for (int64_t i : llvm::seq(extent))
      variance += (x.real(first + i) - mean) * (x.real(first + i) - mean) / extent;
    for (int64_t i : llvm::seq(extent)) {
      double value = (x.real(first + i) - mean) / std::sqrt(variance + eps);
      out.setReal(first + i, value * (weight ? weight->real(i) : 1.0) + (bias ? bias->real(i) : 0.0));
    }
  });
}

LogicalResult reference::evaluateOp(RmsNormOp op, Values &values) {
  const HostTensor &x = values[op.getX()];
  normalize(x, values.find(op.getWeight()), nullptr, op.getEps().convertToDouble(), /*subtractMean=*/false,
            values.addResult(x.getShape()));
  return success();
}

LogicalResult reference::evaluateOp(LayerNormOp op, Values &values) {
  const HostTensor &x = values[op.getX()];
  normalize(x, values.find(op.getWeight()), values.find(op.getBias()), op.getEps().convertToDouble(),
            /*subtractMean=*/true, values.addResult(x.getShape()));
  return success();
}
