//===- MatmulRows.cpp - matrix products and einsum -----------------------------===//
//
// All of them label the dimensions of their operands and leave the rest to TensorEmitter::contract, whose loops are
// batch, rows, columns, reduction. A weight, or its linalg.transpose, stays an operand of its own.
//
//===----------------------------------------------------------------------===//

#include "Rows.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "moec/Dialect/Moe/Moe.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace moec;

using Extents = Binder::Extents;
using Labels = SmallVector<int64_t>;

namespace {
/// A tensor and a label for each of its dimensions.
struct Labelled {
  Value tensor;
  Labels labels;
};
} // namespace

//===----------------------------------------------------------------------===//
// Labels
//===----------------------------------------------------------------------===//

/// Drops dimensions of extent 1 that broadcast against another operand's.
static void dropOnes(Binder &b, Labelled &operand, const Labelled &other) {
  Labels kept, dropped;
  for (auto [axis, label] : llvm::enumerate(operand.labels)) {
    const auto *found = llvm::find(other.labels, label);
    bool isOne = IndexArithmetic::isConstant(b.emit.extent(operand.tensor, axis), 1);
    bool drops = isOne && found != other.labels.end() &&
                 !IndexArithmetic::isConstant(b.emit.extent(other.tensor, found - other.labels.begin()), 1);
    if (drops)
      dropped.push_back(axis);
    else
      kept.push_back(label);
  }
  if (!dropped.empty())
    operand = {b.emit.dropAxes(operand.tensor, dropped), kept};
}

static FailureOr<Value> contract(Binder &b, Labelled lhs, Labelled rhs, ArrayRef<int64_t> result) {
  dropOnes(b, lhs, rhs);
  dropOnes(b, rhs, lhs);
  return b.emit.contract(lhs.tensor, lhs.labels, rhs.tensor, rhs.labels, result);
}

//===----------------------------------------------------------------------===//
// MatMul and Gemm
//===----------------------------------------------------------------------===//

/// The product in the compute type, with ONNX's rules for vectors and leading dimensions.
static FailureOr<Value> matmul(Binder &b, bool transposeLeft, bool transposeRight) {
  constexpr int64_t inner = -1, row = -2, column = -3;
  SmallVector<Value> operands = {b.input(0), b.input(1)};
  int64_t leftRank = b.rank(0), rightRank = b.rank(1);
  if (leftRank == 0 || rightRank == 0)
    return b.error() << "expected tensors of rank 1 or more, found a scalar";
  if (leftRank > 2 && rightRank > 2 && failed(b.emit.broadcast(operands, /*trailing=*/2)))
    return failure();
  int64_t batch = std::max<int64_t>(std::max(leftRank, rightRank) - 2, 0);
  auto batchLabels = [&](int64_t rank) {
    return llvm::to_vector(llvm::seq<int64_t>(std::min(batch, batch - rank + 2), batch));
  };
  Labelled left{operands[0], batchLabels(leftRank)}, right{operands[1], batchLabels(rightRank)};
  Labels result = llvm::to_vector(llvm::seq<int64_t>(0, batch));
  if (leftRank > 1) {
    left.labels.push_back(transposeLeft ? inner : row);
    result.push_back(row);
  }
  left.labels.push_back(transposeLeft && leftRank > 1 ? row : inner);
  if (rightRank == 1) {
    right.labels.push_back(inner);
  } else {
    right.labels.push_back(transposeRight ? column : inner);
    right.labels.push_back(transposeRight ? inner : column);
    result.push_back(column);
  }
  return contract(b, left, right, result);
}

static LogicalResult lowerMatMul(Binder &b) {
  FailureOr<Value> product = matmul(b, false, false);
  if (failed(product))
    return failure();
  return b.result(0, b.emit.convertElements(*product, b.element(0)));
}

static LogicalResult lowerFusedMatMul(Binder &b) {
  if (failed(b.require("transBatchA", 0)) || failed(b.require("transBatchB", 0)))
    return failure();
  double alpha = b.real("alpha", 1);
  FailureOr<Value> product = matmul(b, b.integer("transA", 0) != 0, b.integer("transB", 0) != 0);
  if (failed(product))
    return failure();
  if (alpha == 1)
    return b.result(0, b.emit.convertElements(*product, b.element(0)));
  return b.result(0, b.emit.map(*product, b.element(0), false, [&](ScalarBody &s, ValueRange v) {
    return s.mul(v[0], s.constant(alpha, v[0].getType()));
  }));
}

static LogicalResult lowerGemm(Binder &b) {
  double alpha = b.real("alpha", 1), beta = b.real("beta", 1);
  if (b.rank(0) != 2 || b.rank(1) != 2)
    return b.error() << "expected matrices, found " << b.type(0) << " and " << b.type(1);
  if (!b.isFloat(0) && (alpha != 1 || beta != 1))
    return b.error() << "expected alpha and beta to be 1 for integers";
  FailureOr<Value> product = matmul(b, b.integer("transA", 0) != 0, b.integer("transB", 0) != 0);
  if (failed(product))
    return failure();
  bool adds = b.has(2) && beta != 0;
  if (!adds && alpha == 1)
    return b.result(0, b.emit.convertElements(*product, b.element(0)));
  SmallVector<Value> operands = {*product};
  if (adds)
    operands.push_back(b.input(2));
  auto scale = [](ScalarBody &s, Value v, double factor) {
    return factor == 1 ? v : s.mul(v, s.constant(factor, v.getType()));
  };
  return b.result(b.emit.elementwise(operands, b.element(0), false, [&](ScalarBody &s, ValueRange v) {
    Value scaled = scale(s, v[0], alpha);
    return adds ? s.add(scaled, scale(s, v[1], beta)) : scaled;
  }));
}

//===----------------------------------------------------------------------===//
// Einsum
//===----------------------------------------------------------------------===//

/// Labels of a term: letters by their code, dimensions of an ellipsis by 256 and up, counted from the right.
static FailureOr<Labels> parseTerm(Binder &b, StringRef term, std::optional<int64_t> rank, int64_t ellipsisRank) {
  Labels labels;
  int64_t letters = llvm::count_if(term, llvm::isAlpha);
  for (size_t place = 0; place < term.size(); ++place) {
    if (llvm::isAlpha(term[place])) {
      if (!rank && llvm::is_contained(labels, term[place]))
        return b.error() << "equation: label " << term[place] << " is repeated in the result";
      labels.push_back(term[place]);
      continue;
    }
    if (!term.drop_front(place).starts_with("..."))
      return b.error() << "equation: unexpected character in term " << term;
    place += 2;
    for (int64_t left = rank ? *rank - letters : ellipsisRank; left > 0; --left)
      labels.push_back(255 + left);
  }
  if (rank && static_cast<int64_t>(labels.size()) != *rank)
    return b.error() << "equation: term " << term << " does not fit rank " << *rank;
  return labels;
}

/// An operand whose labels differ: of dimensions of one label the diagonal.
static FailureOr<Labelled> takeDiagonals(Binder &b, const Labelled &operand) {
  Labels labels;
  Extents sizes;
  for (auto [label, size] : llvm::zip_equal(operand.labels, b.emit.extents(operand.tensor))) {
    auto known = llvm::find(labels, label);
    if (known == labels.end()) {
      labels.push_back(label);
      sizes.push_back(size);
      continue;
    }
    FailureOr<Value> common = b.emit.unify(sizes[known - labels.begin()], size, "equation: a repeated label");
    if (failed(common))
      return failure();
    sizes[known - labels.begin()] = *common;
  }
  if (labels.size() == operand.labels.size())
    return operand;
  Type element = cast<RankedTensorType>(operand.tensor.getType()).getElementType();
  Value diagonal = b.emit.generate(sizes, element, [&](ScalarBody &s, ValueRange indices) {
    SmallVector<Value> places;
    for (int64_t label : operand.labels)
      places.push_back(indices[llvm::find(labels, label) - labels.begin()]);
    return s.widen(tensor::ExtractOp::create(s.builder, operand.tensor, places));
  });
  return Labelled{diagonal, labels};
}

/// The labels of the result if the equation does not give them: those that occur once, in order.
static Labels impliedResult(ArrayRef<Labelled> operands) {
  Labels all, result;
  for (const Labelled &operand : operands)
    llvm::append_range(all, operand.labels);
  for (int64_t label : all)
    if (label > 255 ? !llvm::is_contained(result, label) : llvm::count(all, label) == 1)
      result.push_back(label);
  llvm::sort(result, [](int64_t a, int64_t b) { return (a > 255) != (b > 255) ? a > 255 : (a > 255 ? a > b : a < b); });
  return result;
}

/// Sums over labels that only this operand has.
static void sumPrivateLabels(Binder &b, Labelled &operand, function_ref<bool(int64_t)> isNeeded) {
  Labels axes, kept;
  for (auto [axis, label] : llvm::enumerate(operand.labels))
    (isNeeded(label) ? kept : axes).push_back(isNeeded(label) ? label : static_cast<int64_t>(axis));
  if (axes.empty())
    return;
  auto zero = [](ScalarBody &s, Type type) { return s.constant(0, type); };
  auto add = [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); };
  operand = {b.emit.reduce(operand.tensor, axes, false, zero, add), kept};
}

/// Contracts the operands from left to right.
static FailureOr<Value> contractAll(Binder &b, SmallVector<Labelled> operands, ArrayRef<int64_t> result) {
  auto isNeededBeyond = [&](size_t from, int64_t label) {
    return llvm::is_contained(result, label) || llvm::any_of(ArrayRef(operands).drop_front(from), [&](auto &other) {
             return llvm::is_contained(other.labels, label);
           });
  };
  Labelled sum = operands.front();
  sumPrivateLabels(b, sum, [&](int64_t label) { return isNeededBeyond(1, label); });
  for (size_t i = 1; i < operands.size(); ++i) {
    Labelled next = operands[i];
    sumPrivateLabels(
        b, next, [&](int64_t label) { return llvm::is_contained(sum.labels, label) || isNeededBeyond(i + 1, label); });
    Labels kept;
    for (int64_t label : llvm::concat<int64_t>(sum.labels, next.labels))
      if (isNeededBeyond(i + 1, label) && !llvm::is_contained(kept, label))
        kept.push_back(label);
    if (i + 1 == operands.size())
      kept = Labels(result);
    FailureOr<Value> product = contract(b, sum, next, kept);
    if (failed(product))
      return failure();
    sum = {*product, kept};
  }
  Labels order;
  for (int64_t label : result)
    order.push_back(llvm::find(sum.labels, label) - sum.labels.begin());
  return b.emit.transpose(sum.tensor, order);
}

static LogicalResult lowerEinsum(Binder &b) {
  std::string equation;
  for (char c : b.string("equation", ""))
    if (c != ' ')
      equation += c;
  auto [terms, output] = StringRef(equation).split("->");
  SmallVector<StringRef> inputs;
  terms.split(inputs, ',');
  if (inputs.size() != b.inputCount())
    return b.error() << "equation: expected " << b.inputCount() << " terms, found " << inputs.size();
  SmallVector<Labelled> operands;
  int64_t ellipsisRank = 0;
  for (auto [i, term] : llvm::enumerate(inputs)) {
    FailureOr<Labels> labels = parseTerm(b, term, b.rank(i), 0);
    if (failed(labels))
      return failure();
    ellipsisRank = std::max<int64_t>(ellipsisRank, llvm::count_if(*labels, [](int64_t label) { return label > 255; }));
    operands.push_back({b.input(i), *labels});
  }
  Labels result = impliedResult(operands);
  if (StringRef(equation).contains("->")) {
    FailureOr<Labels> given = parseTerm(b, output, std::nullopt, ellipsisRank);
    if (failed(given))
      return failure();
    result = *given;
  }
  for (int64_t label : result)
    if (llvm::none_of(operands, [&](const Labelled &operand) { return llvm::is_contained(operand.labels, label); }))
      return b.error() << "equation: a label of the result occurs in no input";
  for (Labelled &operand : operands) {
    FailureOr<Labelled> distinct = takeDiagonals(b, operand);
    if (failed(distinct))
      return failure();
    operand = *distinct;
  }
  FailureOr<Value> product = contractAll(b, operands, result);
  if (failed(product))
    return failure();
  return b.result(0, b.emit.convertElements(*product, b.element(0)));
}

//===----------------------------------------------------------------------===//
// Quantised weights
//===----------------------------------------------------------------------===//

// The weight [N, blocks, bytes of a block] is [N, K] values after the last block is cut to K; the expression is
// evaluated when the file is written.
static LogicalResult lowerMatMulNBits(Binder &b) {
  int64_t columns = b.integer("N", 0), inner = b.integer("K", 0), bits = b.integer("bits", 4);
  int64_t block = b.integer("block_size", 0);
  if (failed(b.require("weight_prepacked", 0)))
    return failure();
  if (b.has(4))
    return b.error() << "input 4 (g_idx) is not supported";
  if (bits != 2 && bits != 4 && bits != 8)
    return b.error() << "attribute bits: expected 2, 4 or 8, found " << bits;
  if (columns < 1 || inner < 1 || block < 1)
    return b.error() << "expected positive N, K and block_size";
  if (b.has(3) && !b.isUnsigned(3))
    return b.error() << "input 3: expected packed zero points, found " << b.type(3);
  int64_t blocks = llvm::divideCeil(inner, block), bytes = blocks * block * bits / 8;
  int64_t pointBytes = llvm::divideCeil(blocks * bits, 8);
  auto matrix = [&](unsigned i, int64_t width) -> FailureOr<Value> {
    if (!b.type(i).hasStaticShape() || b.type(i).getNumElements() != columns * width)
      return b.error() << "input " << i << ": expected " << columns << " x " << width << " elements, found "
                       << b.type(i);
    return b.emit.reshape(b.input(i), {b.index.constant(columns), b.index.constant(width)});
  };
  FailureOr<Value> q = matrix(1, bytes), scales = matrix(2, blocks);
  FailureOr<Value> points = b.has(3) ? matrix(3, pointBytes) : FailureOr<Value>(Value());
  if (failed(q) || failed(scales) || failed(points))
    return failure();
  auto type = RankedTensorType::get({columns, blocks * block}, b.element(0));
  Value weight = moe::DequantizeOp::create(b.emit.builder, type, *q, *scales, *points, bits, block);
  weight = b.emit.sliceAxis(weight, 1, b.index.constant(0), b.index.constant(inner));
  Labels left = llvm::to_vector(llvm::seq<int64_t>(0, b.rank(0))), result = left;
  result.back() = b.rank(0);
  FailureOr<Value> product = b.emit.contract(b.input(0), left, weight, {result.back(), left.back()}, result);
  if (failed(product))
    return failure();
  if (!b.has(5))
    return b.result(0, b.emit.convertElements(*product, b.element(0)));
  return b.result(b.emit.elementwise({*product, b.input(5)}, b.element(0), false,
                                     [](ScalarBody &s, ValueRange v) { return s.add(v[0], v[1]); }));
}

ArrayRef<Row> moec::matmulRows() {
  static const Row rows[] = {
      {"Einsum", 12, 28, 1, lowerEinsum},
      {"Gemm", 13, 28, 2, lowerGemm},
      {"MatMul", 13, 28, 2, lowerMatMul},
      {"FusedMatMul", 1, 1, 2, lowerFusedMatMul, "com.microsoft"},
      {"MatMulNBits", 1, 1, 3, lowerMatMulNBits, "com.microsoft"},
  };
  return rows;
}
