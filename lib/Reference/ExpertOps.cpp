//===- ExpertOps.cpp - reference evaluation of experts and their pieces -----===//

#include "OpEvaluators.h"

#include <cmath>

using namespace mlir;
using namespace moec;
using namespace moec::moe;
using namespace moec::reference;

static double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
static double gelu(double x) { return 0.5 * x * (1.0 + std::erf(x * M_SQRT1_2)); }
static double geluTanh(double x) {
  return 0.5 * x * (1.0 + std::tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x)));
}
static double relu(double x) { return x < 0.0 ? 0.0 : x; }

/// Plain kinds ignore `linear`.
double reference::activate(ActivationAttr activation, double gate, double linear) {
  double alpha = activation.getAlpha().convertToDouble(), beta = activation.getBeta().convertToDouble();
  double limit = activation.getLimit().convertToDouble();
  if (activation.isGated()) {
    gate = gate > limit ? limit : gate;
    linear = linear > limit ? limit : linear < -limit ? -limit : linear;
  }
  switch (activation.getKind()) {
  case ActivationKind::Identity:
    return gate;
  case ActivationKind::Relu:
    return relu(gate);
  case ActivationKind::Relu2:
    return relu(gate) * relu(gate);
  case ActivationKind::Silu:
    return gate * sigmoid(gate);
  case ActivationKind::Gelu:
    return gelu(gate);
  case ActivationKind::GeluTanh:
    return geluTanh(gate);
  case ActivationKind::Swiglu:
    return gate * sigmoid(alpha * gate) * (linear + beta);
  case ActivationKind::Geglu:
    return gelu(gate) * (linear + beta);
  case ActivationKind::GegluTanh:
    return geluTanh(gate) * (linear + beta);
  case ActivationKind::Reglu:
    return relu(gate) * (linear + beta);
  }
  llvm_unreachable("all kinds are handled");
}

/// x W[e]^T + b[e] for canonical weights [E, N, K].
static SmallVector<double> multiply(ArrayRef<double> x, const HostTensor &weight, const HostTensor *bias,
                                    int64_t expert) {
  SmallVector<double> result;
  for (int64_t column : llvm::seq(weight.getDim(1))) {
    double sum = bias ? bias->real({expert, column}) : 0.0;
    for (int64_t k : llvm::seq(weight.getDim(2)))
      sum += x[k] * weight.real({expert, column, k});
    result.push_back(sum);
  }
  return result;
}

/// Applies the activation to the columns of a product; a gated one finds gate and linear values by its layout.
static SmallVector<double> activateColumns(ActivationAttr activation, ArrayRef<double> columns) {
  SmallVector<double> result;
  int64_t count = activation.isGated() ? columns.size() / 2 : columns.size();
  for (int64_t i : llvm::seq(count)) {
    switch (activation.getLayout()) {
    case GateLayout::Concatenated:
      result.push_back(activate(activation, columns[i], columns[count + i]));
      break;
    case GateLayout::Interleaved:
      result.push_back(activate(activation, columns[2 * i], columns[2 * i + 1]));
      break;
    default:
      result.push_back(activate(activation, columns[i], 0.0));
    }
  }
  return result;
}

LogicalResult reference::evaluateOp(ExpertsOp op, Values &values) {
  const HostTensor &x = values[op.getX()], &experts = values[op.getExperts()], &gates = values[op.getGates()];
  const HostTensor &w1 = values[op.getW1()], &w2 = values[op.getW2()], *w3 = values.find(op.getW3());
  const HostTensor *b1 = values.find(op.getB1()), *b2 = values.find(op.getB2()), *b3 = values.find(op.getB3());
  ActivationAttr activation = op.getActivation();
  bool weightInput = op.getWeightOn() == WeightOn::Input;
  HostTensor &y = values.addResult({x.getDim(0), w2.getDim(1)});
  for (int64_t token : llvm::seq(x.getDim(0))) {
    SmallVector<double> sum(w2.getDim(1), 0.0);
    for (int64_t slot : llvm::seq(experts.getDim(1))) {
      int64_t expert = experts.integer({token, slot});
      if (expert < -1 || expert >= w1.getDim(0))
        return op.emitError() << "expert " << expert << " is out of range for " << w1.getDim(0) << " experts";
      if (expert == -1)
        continue;
      double gate = gates.real({token, slot});
      SmallVector<double> row;
      for (int64_t k : llvm::seq(x.getDim(1)))
        row.push_back(x.real({token, k}) * (weightInput ? gate : 1.0));
      SmallVector<double> inner = multiply(row, w1, b1, expert);
      if (w3)
        for (auto [value, linear] : llvm::zip_equal(inner, multiply(row, *w3, b3, expert)))
          value = activate(activation, value, linear);
      else
        inner = activateColumns(activation, inner);
      for (auto [total, value] : llvm::zip_equal(sum, multiply(inner, w2, b2, expert)))
        total += value * (weightInput ? 1.0 : gate);
    }
    for (auto [column, value] : llvm::enumerate(sum))
      y.setReal({token, static_cast<int64_t>(column)}, value);
  }
  return success();
}

namespace {

/// The weight of a product, plain, packed or quantised.
class ProductWeight {
public:
  ProductWeight(GroupedMatmulOp op, Values &values)
      : weight(values[op.getW()]), scales(values.find(op.getWScales())), zeroPoints(values.find(op.getWZeroPoints())),
        bias(values.find(op.getBias())), quantized(op.getQuantized().value_or(QuantizationAttr())) {}

  /// One column of the product; `column` counts stored columns, panels padded.
  double multiply(ArrayRef<double> x, int64_t expert, int64_t column) const {
    double sum = bias ? bias->real({expert, column}) : 0.0;
    for (auto [k, value] : llvm::enumerate(x))
      sum += value * element(expert, column, k);
    return sum;
  }

private:
  double element(int64_t expert, int64_t column, int64_t k) const {
    if (weight.getRank() == 3)
      return weight.real({expert, column, k});
    int64_t panel = column / 16;
    column %= 16;
    if (!quantized)
      return weight.real({expert, panel, k, column});
    int64_t bits = quantized.getBits(), perWord = quantized.getValuesPerWord(), i = k % perWord;
    int64_t block = quantized.getBlock() ? k / quantized.getBlock() : 0, zero = int64_t(1) << (bits - 1);
    if (zeroPoints)
      zero = zeroPoints->integer({expert, panel, block, column}) & 0xff;
    int64_t word = weight.integer({expert, panel, k / perWord, column}) & 0xffffffff;
    int64_t value = word >> (bits * (i / 2) + 16 * (i % 2)) & ((int64_t(1) << bits) - 1);
    return (value - zero) * scales->real({expert, panel, block, column});
  }

  const HostTensor &weight;
  const HostTensor *scales, *zeroPoints, *bias;
  QuantizationAttr quantized;
};

} // namespace

LogicalResult reference::evaluateOp(GroupedMatmulOp op, Values &values) {
  const HostTensor &x = values[op.getX()], &w = values[op.getW()];
  const HostTensor *offsets = values.find(op.getOffsets()), *order = values.find(op.getOrder());
  const HostTensor *scale = values.find(op.getScale());
  ProductWeight product(op, values);
  ActivationAttr activation = op.getActivation();
  int64_t rows = order ? order->getDim(0) : x.getDim(0);
  HostTensor &out = values.addResult({rows, op.getResultColumns()});
  for (int64_t expert : llvm::seq(w.getDim(0))) {
    int64_t begin = offsets ? offsets->integer(expert) : 0, end = offsets ? offsets->integer(expert + 1) : rows;
    for (int64_t place : llvm::seq(begin, end)) {
      int64_t source = order ? order->integer(place) : place;
      SmallVector<double> row;
      for (int64_t k : llvm::seq(x.getDim(1)))
        row.push_back(x.real({source / static_cast<int64_t>(op.getRowsPerToken()), k}) *
                      (scale ? scale->real(source) : 1.0));
      SmallVector<double> columns;
      if (activation.getLayout() == GateLayout::Panels) {
        for (int64_t i : llvm::seq(op.getResultColumns())) {
          int64_t gate = i / 16 * 32 + i % 16;
          columns.push_back(
              activate(activation, product.multiply(row, expert, gate), product.multiply(row, expert, gate + 16)));
        }
      } else {
        for (int64_t column : llvm::seq<int64_t>(op.getColumns()))
          columns.push_back(product.multiply(row, expert, column));
        columns = activateColumns(activation, columns);
      }
      for (auto [column, value] : llvm::enumerate(columns))
        out.setReal({place, static_cast<int64_t>(column)}, value);
    }
  }
  return success();
}

LogicalResult reference::evaluateOp(CombineOp op, Values &values) {
  const HostTensor &y = values[op.getY()], &inverse = values[op.getInverse()], *gates = values.find(op.getGates());
  int64_t slots = op.getSlots();
  HostTensor &out = values.addResult({inverse.getDim(0) / slots, y.getDim(1)});
  for (int64_t token : llvm::seq(out.getDim(0))) {
    for (int64_t column : llvm::seq(out.getDim(1))) {
      double sum = 0.0;
      for (int64_t row : llvm::seq(token * slots, (token + 1) * slots))
        if (int64_t place = inverse.integer(row); place != -1)
          sum += (gates ? gates->real(row) : 1.0) * y.real({place, column});
      out.setReal({token, column}, sum);
    }
  }
  return success();
}
