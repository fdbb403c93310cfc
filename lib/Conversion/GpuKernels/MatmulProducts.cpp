//===- MatmulProducts.cpp - what a warp multiplies in one step of a matmul --===//

#include "MatmulProducts.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;

using Values = GpuBlockBuilder::Values;

namespace {

/// What the ways to multiply share: where tiles lie, and reading elements one by one.
class ProductsBase : public MatmulProducts {
public:
  ProductsBase(const GpuBlockBuilder &block, const MatmulProblem &problem, const MatmulSchedule &schedule,
               const MatmulBody &body, WarpPosition position)
      : block(block), problem(problem), schedule(schedule), body(body), position(position),
        weightTile(weightLayout(problem, schedule)), panelBytes(schedule.panelStepBytes),
        weightStart(block.mul(position.firstPanel, panelBytes)),
        tokenStart(block.mul(position.firstOctet, MatmulSchedule::octet * MatmulSchedule::stepBytes)) {}

protected:
  /// Element k of column `column` of a panel, as f32; k is less than innerPerStep.
  Value weightElement(Value weights, int64_t panel, Value column, Value k) const {
    Value row = problem.isPacked ? k : column, inRow = problem.isPacked ? column : k;
    Value offset = weightTile.byte(block, row, block.mul(inRow, problem.wBytes));
    Value start = block.at(weights, block.add(weightStart, offset));
    return block.convert(block.load(problem.wType, block.at(start, panel * panelBytes)), block.builder.getF32Type());
  }

  /// The f32 registers or pairs of 16 bits of both parts of `octet` that belong to instruction `k` of the step. Two
  /// octets, or all of the step of a single one, are loaded at once, the last of an odd number alone.
  Values loadTokens(Value tokens, int64_t octet, int64_t octets, int64_t k, SmallVectorImpl<Values> &loaded) const {
    Value lane = position.lane;
    bool isSingle = body.octetsPerWarp == 1;
    if (isSingle ? k == 0 : octet % 2 == 0) {
      Value row = block.bitAnd(lane, 7), chunk = block.shiftRight(lane, 3);
      if (!isSingle) {
        row = block.add(row, block.mul(block.shiftRight(lane, 4), MatmulSchedule::octet));
        chunk = block.add(block.bitAnd(chunk, 1), 2 * k);
      }
      Value offset = block.add(tokenStart, tokenTile.chunk(block, row, chunk));
      int64_t matrices = isSingle || octet + 1 < octets ? 4 : 2;
      Values all = block.loadMatrices(block.at(block.at(tokens, offset), octet * octetBytes), matrices, false);
      loaded.clear();
      for (int64_t i = 0; i < matrices; i += 2)
        loaded.push_back({all[i], all[i + 1]});
    }
    return loaded[isSingle ? k : octet % 2];
  }

  /// The four registers of a panel for instruction `k` of the step, where matrices can be loaded as they lie.
  Values loadPanel(Value weights, int64_t panel, int64_t k) const {
    Value lane = position.lane, row = block.bitAnd(lane, 7);
    Value first = block.bitAnd(block.shiftRight(lane, 3), 1), second = block.shiftRight(lane, 4);
    int64_t rows = 0;
    Value offset;
    if (problem.isPacked) { // rows of the panel are k, its chunks halves of the columns
      offset = weightTile.chunk(block, block.add(row, block.mul(second, 8)), first);
      rows = 16 * k;
    } else {
      offset = weightTile.chunk(block, block.add(row, block.mul(first, 8)), block.add(second, 2 * k));
    }
    Value start = block.at(weights, block.add(weightStart, offset));
    return block.loadMatrices(block.at(start, panel * panelBytes + rows * weightTile.rowBytes), 4, problem.isPacked);
  }

  static MatrixSums sumsOf(ValueRange sums, int64_t tile) {
    return {sums[4 * tile], sums[4 * tile + 1], sums[4 * tile + 2], sums[4 * tile + 3]};
  }

  GpuBlockBuilder block;
  const MatmulProblem &problem;
  const MatmulSchedule &schedule;
  MatmulBody body;
  WarpPosition position;
  TileLayout weightTile, tokenTile = tokenLayout(problem);
  int64_t panelBytes;
  Value weightStart, tokenStart;
  static constexpr int64_t octetBytes = MatmulSchedule::octet * MatmulSchedule::stepBytes;
};

/// bf16 and f16 by m16n8k16.
class Matrix16Products : public ProductsBase {
public:
  using ProductsBase::ProductsBase;

  Values multiply(const StepTiles &tiles, ValueRange sums, int64_t octets) const override {
    constexpr int64_t depth = 16;
    MatrixKind kind = problem.xType.isBF16() ? MatrixKind::Bf16 : MatrixKind::F16;
    Values next = llvm::to_vector_of<Value>(sums);
    SmallVector<Values> loaded;
    for (int64_t k = 0; k < schedule.innerPerStep / depth; ++k) {
      SmallVector<Values> panels;
      for (int64_t panel = 0; panel < body.panelsPerWarp; ++panel)
        panels.push_back(loadPanel(tiles.weights, panel, k));
      for (int64_t octet = 0; octet < octets; ++octet) {
        Values right = loadTokens(tiles.tokens, octet, octets, k, loaded);
        for (int64_t panel = 0; panel < body.panelsPerWarp; ++panel) {
          int64_t tile = panel * body.octetsPerWarp + octet;
          llvm::copy(block.multiply(kind, panels[panel], right, sumsOf(next, tile)), next.begin() + 4 * tile);
        }
      }
    }
    return next;
  }
};

/// f32 by m16n8k8 on tf32. A value of 24 bits is the sum of two of 11 bits and a rest below 2^-22 of it; of the four
/// products of such parts the smallest is as small and left out. Weights of 16 bits have one part.
class Tf32Products : public ProductsBase {
public:
  using ProductsBase::ProductsBase;

  Values multiply(const StepTiles &tiles, ValueRange sums, int64_t octets) const override {
    constexpr int64_t depth = 8;
    Values next = llvm::to_vector_of<Value>(sums);
    SmallVector<Values> loaded;
    for (int64_t k = 0; k < schedule.innerPerStep / depth; ++k) {
      SmallVector<MatrixParts> panels;
      for (int64_t panel = 0; panel < body.panelsPerWarp; ++panel)
        panels.push_back(loadWeights(tiles.weights, panel, k));
      for (int64_t octet = 0; octet < octets; ++octet) {
        MatrixParts right = splitTf32(block, loadTokens(tiles.tokens, octet, octets, k, loaded));
        for (int64_t panel = 0; panel < body.panelsPerWarp; ++panel) {
          int64_t tile = panel * body.octetsPerWarp + octet;
          MatrixSums sum = multiplyParts(block, MatrixKind::Tf32, panels[panel], right, sumsOf(next, tile));
          llvm::copy(sum, next.begin() + 4 * tile);
        }
      }
    }
    return next;
  }

private:
  MatrixParts loadWeights(Value weights, int64_t panel, int64_t k) const {
    if (!problem.isPacked && problem.wBytes == 4)
      return splitTf32(block, loadPanel(weights, panel, k));
    Values elements;
    Value column = block.shiftRight(position.lane, 2), term = block.bitAnd(position.lane, 3);
    for (int64_t half : {0, 1})
      for (int64_t side : {0, 1})
        elements.push_back(
            weightElement(weights, panel, block.add(column, 8 * side), block.add(term, 8 * k + 4 * half)));
    if (problem.wBytes == 4)
      return splitTf32(block, elements);
    MatrixParts exact;
    for (Value element : elements)
      exact.high.push_back(block.bitcast(element, block.builder.getI32Type()));
    return exact;
  }
};

/// Any types, one multiply-add at a time in f32.
class FmaProducts : public ProductsBase {
public:
  using ProductsBase::ProductsBase;

  Values multiply(const StepTiles &tiles, ValueRange sums, int64_t octets) const override {
    auto multiplyPiece = [&](Value piece, ValueRange carried) {
      return this->multiplyPiece(tiles, piece, carried, octets);
    };
    Values next =
        block.loop(block.i32(0), block.i32(MatmulSchedule::stepBytes / pieceBytes), block.i32(1), sums, multiplyPiece);
    block.keepRolled(next);
    return next;
  }

private:
  static constexpr int64_t pieceBytes = 8;

  /// The terms that `pieceBytes` of a token hold, in ascending order.
  Values multiplyPiece(const StepTiles &tiles, Value piece, ValueRange sums, int64_t octets) const {
    Values next = llvm::to_vector_of<Value>(sums);
    Value column = block.shiftRight(position.lane, 2), token = block.mul(block.bitAnd(position.lane, 3), 2);
    int64_t terms = pieceBytes / problem.xBytes;
    Values pieces;
    for (int64_t octet = 0; octet < octets; ++octet)
      for (int64_t side : {0, 1})
        pieces.push_back(tokenPiece(tiles.tokens, octet, block.add(token, side), block.mul(piece, pieceBytes)));
    for (int64_t term = 0; term < terms; ++term) {
      Value k = block.add(block.mul(piece, terms), term);
      Values left, right;
      for (int64_t panel = 0; panel < body.panelsPerWarp; ++panel)
        for (int64_t side : {0, 1})
          left.push_back(weightElement(tiles.weights, panel, block.add(column, 8 * side), k));
      for (Value elements : pieces) {
        Value element = block.make<vector::ExtractOp>(elements, ArrayRef<int64_t>{term});
        right.push_back(block.convert(element, block.builder.getF32Type()));
      }
      for (auto [i, sum] : llvm::enumerate(next)) {
        int64_t tile = i / 4, panel = tile / body.octetsPerWarp, octet = tile % body.octetsPerWarp;
        if (octet < octets)
          sum = block.fma(left[2 * panel + i % 4 / 2], right[2 * octet + i % 2], sum);
      }
    }
    return next;
  }

  Value tokenPiece(Value tokens, int64_t octet, Value token, Value byte) const {
    auto type = VectorType::get(pieceBytes / problem.xBytes, problem.xType);
    Value offset = block.add(tokenStart, tokenTile.byte(block, token, byte));
    return block.load(type, block.at(block.at(tokens, offset), octet * octetBytes));
  }
};

} // namespace

WarpPosition moec::locateWarp(const GpuBlockBuilder &block, const MatmulBody &body, Value thread, Value rows) {
  Value warp = block.div(thread, warpLanes), row = block.div(warp, body.warpsAcrossColumns);
  Value octets = block.ceilDiv(rows, MatmulSchedule::octet), share = block.ceilDiv(octets, body.warpsAcrossTokens);
  WarpPosition position;
  position.lane = block.rem(thread, warpLanes);
  position.firstPanel = block.mul(block.rem(warp, body.warpsAcrossColumns), body.panelsPerWarp);
  position.firstOctet = block.make<arith::MulIOp>(row, share);
  position.octets = block.min(share, block.sub(octets, position.firstOctet));
  return position;
}

/// The code for `octets` octets or fewer.
static Values multiplyUpTo(int64_t octets, const GpuBlockBuilder &block, const MatmulProducts &products,
                           const MatmulBody &body, const WarpPosition &position, const StepTiles &tiles,
                           ValueRange sums) {
  if (octets == body.fewestOctets)
    return products.multiply(tiles, sums, octets);
  return block.ifElse(
      block.equal(position.octets, octets), [&] { return products.multiply(tiles, sums, octets); },
      [&] { return multiplyUpTo(octets - 1, block, products, body, position, tiles, sums); });
}

Values moec::multiplyOctets(const GpuBlockBuilder &block, const MatmulProducts &products, const MatmulBody &body,
                            const WarpPosition &position, const StepTiles &tiles, ValueRange sums) {
  return multiplyUpTo(body.octetsPerWarp, block, products, body, position, tiles, sums);
}

std::pair<Value, Value> moec::splitTf32(const GpuBlockBuilder &block, Value value) {
  Type f32 = block.builder.getF32Type();
  Value number = block.bitcast(value, f32), high = block.roundToTf32(number);
  Value rest = block.make<arith::SubFOp>(number, block.bitcast(high, f32));
  return {high, block.roundToTf32(rest)};
}

MatrixParts moec::splitTf32(const GpuBlockBuilder &block, ValueRange values) {
  MatrixParts parts;
  for (Value value : values) {
    auto [high, low] = splitTf32(block, value);
    parts.high.push_back(high);
    parts.low.push_back(low);
  }
  return parts;
}

MatrixSums moec::multiplyParts(const GpuBlockBuilder &block, MatrixKind kind, const MatrixParts &a,
                               const MatrixParts &b, MatrixSums sum) {
  if (!a.low.empty())
    sum = block.multiply(kind, a.low, b.high, sum);
  if (!b.low.empty())
    sum = block.multiply(kind, a.high, b.low, sum);
  return block.multiply(kind, a.high, b.high, sum);
}

std::unique_ptr<MatmulProducts> moec::makeMatmulProducts(const GpuBlockBuilder &block, const MatmulProblem &problem,
                                                         const MatmulSchedule &schedule, const MatmulBody &body,
                                                         WarpPosition position) {
  if (problem.quantized)
    return makeQuantizedProducts(block, problem, schedule, body, position);
  switch (problem.arithmetic) {
  case MatmulArithmetic::Matrix16:
    return std::make_unique<Matrix16Products>(block, problem, schedule, body, position);
  case MatmulArithmetic::Tf32:
    return std::make_unique<Tf32Products>(block, problem, schedule, body, position);
  case MatmulArithmetic::Fma:
    return std::make_unique<FmaProducts>(block, problem, schedule, body, position);
  }
  llvm_unreachable("unknown arithmetic");
}
