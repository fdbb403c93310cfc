//===- QuantizedProducts.cpp - products with integers as weights ------------===//
//
// A sum does not care in which order its terms come, so a lane takes consecutive terms of its columns and tokens: its
// values fill words of the weight, and its part of a token is one load. Values become floats by setting the exponent of
// a power of two around them and subtracting that power and the zero point, which is exact; the matrix instruction adds
// up a run of terms with one scale, and the scale multiplies that sum.
//
//===----------------------------------------------------------------------===//

#include "MatmulProducts.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace moec;

namespace {

using Values = GpuBlockBuilder::Values;

/// Floats whose low bits are an integer: 1024, 128 and 2^23 with room for 8, 4 and 8 bits or fewer.
constexpr int64_t exponentF16 = 0x6400, exponentBf16 = 0x4300, exponentF32 = 0x4b000000;
constexpr int64_t bothHalves = 0x00010001;

class QuantizedProducts : public MatmulProducts {
public:
  QuantizedProducts(const GpuBlockBuilder &block, const MatmulProblem &problem, const MatmulSchedule &schedule,
                    const MatmulBody &body, WarpPosition position)
      : block(block), problem(problem), schedule(schedule), body(body), position(position),
        isSingle(problem.xType.isF32()), bits(problem.quantized->bits), terms(quantizedRun(problem)),
        tokenBytes(terms * problem.xBytes), column(block.shiftRight(position.lane, 2)),
        term(block.bitAnd(position.lane, 3)) {}

  Values multiply(const StepTiles &tiles, ValueRange sums, int64_t octets) const override {
    Values next = llvm::to_vector_of<Value>(sums);
    for (int64_t run = 0; run < schedule.innerPerStep / (4 * terms); ++run) {
      SmallVector<Panel> panels;
      for (int64_t panel = 0; panel < body.panelsPerWarp; ++panel)
        panels.push_back(loadPanel(tiles, panel, run));
      for (int64_t octet = 0; octet < octets; ++octet) {
        SmallVector<Values> tokens = loadTokens(tiles.tokens, octet, run);
        for (auto [panel, loaded] : llvm::enumerate(panels))
          addProducts(loaded, tokens, MutableArrayRef(next).slice(4 * (panel * body.octetsPerWarp + octet), 4));
      }
    }
    return next;
  }

private:
  /// The weights of one run of terms: four registers for each instruction, and the scales of both columns.
  struct Panel {
    SmallVector<Values> registers;
    Value scales[2];
  };

  Panel loadPanel(const StepTiles &tiles, int64_t panel, int64_t run) const;
  Values loadWords(Value weights, int64_t panel, int64_t run, int64_t side) const;
  SmallVector<Values> loadTokens(Value tokens, int64_t octet, int64_t run) const;
  void addProducts(const Panel &panel, ArrayRef<Values> tokens, MutableArrayRef<Value> sums) const;

  /// The zero point of a column in the form that `pair` and `single` subtract.
  Value loadZeroPoint(Value slot, int64_t panel, int64_t row, int64_t side) const;
  /// Values 2 * index and 2 * index + 1 of the lane as halves of a register, and value `index` as f32.
  Value pair(ValueRange words, int64_t index, Value zeroPoint) const;
  Value single(ValueRange words, int64_t index, Value zeroPoint) const;
  Value subtractF32(Value value, Value zeroPoint) const {
    Type f32 = block.builder.getF32Type();
    Value number = block.bitcast(block.bitOr(value, exponentF32), f32);
    return block.make<arith::SubFOp>(number, block.bitcast(zeroPoint, f32));
  }
  bool isPairOfF32() const { return isSingle || (problem.xType.isBF16() && bits == 8); }

  Value scaleColumn(Value slot, int64_t panel, int64_t row, int64_t side, int64_t bytes, int64_t offset) const {
    Value inRow = block.add(block.mul(position.firstPanel, MatmulSchedule::panelWidth), column);
    int64_t first = (row * schedule.panelsPerBlock + panel) * MatmulSchedule::panelWidth + 8 * side;
    return block.at(block.at(slot, block.mul(inRow, bytes)), first * bytes + offset);
  }

  GpuBlockBuilder block;
  const MatmulProblem &problem;
  const MatmulSchedule &schedule;
  MatmulBody body;
  WarpPosition position;
  bool isSingle;
  /// Bits of a value, and terms and bytes of a token that a lane takes together.
  int64_t bits, terms, tokenBytes;
  Value column, term;
};

} // namespace

/// The words of the lane's terms in a column of a panel, the first of them in the lowest bits.
Values QuantizedProducts::loadWords(Value weights, int64_t panel, int64_t run, int64_t side) const {
  int64_t perWord = 32 / bits, words = std::max<int64_t>(1, terms / perWord);
  TileLayout layout = weightLayout(problem, schedule);
  Value panelStart = block.mul(position.firstPanel, schedule.panelStepBytes);
  Values result;
  for (int64_t word = 0; word < words; ++word) {
    Value row = block.add(block.div(block.mul(term, terms), perWord), run * 4 * terms / perWord + word);
    // Two rows of words are a row of the layout.
    Value byte = block.add(block.mul(block.bitAnd(row, 1), 64), block.mul(column, 4));
    Value offset = layout.byte(block, block.shiftRight(row, 1), block.add(byte, 32 * side));
    Value address = block.at(block.at(weights, block.add(panelStart, offset)), panel * schedule.panelStepBytes);
    Value loaded = block.load(block.builder.getI32Type(), address);
    if (terms < perWord)
      loaded = block.make<arith::ShRUIOp>(loaded, block.mul(block.bitAnd(term, perWord / terms - 1), bits * terms / 2));
    result.push_back(loaded);
  }
  return result;
}

Value QuantizedProducts::loadZeroPoint(Value slot, int64_t panel, int64_t row, int64_t side) const {
  Value value = block.i32(int64_t(1) << (bits - 1));
  if (problem.quantized->hasZeroPoints) {
    Value address = scaleColumn(slot, panel, row, side, 1, schedule.zeroPointOffset);
    value = block.make<arith::ExtUIOp>(block.builder.getI32Type(), block.load(block.builder.getI8Type(), address));
  }
  if (isPairOfF32())
    return block.bitOr(value, exponentF32);
  value = block.mul(value, bothHalves);
  // bf16 is added negative: there is no subtraction before sm_90.
  return problem.xType.isBF16() ? block.bitOr(value, (exponentBf16 | 0x8000) * bothHalves)
                                : block.bitOr(value, exponentF16 * bothHalves);
}

Value QuantizedProducts::pair(ValueRange words, int64_t index, Value zeroPoint) const {
  int64_t pairsPerWord = 16 / bits, mask = ((int64_t(1) << bits) - 1) * bothHalves;
  Value values = block.bitAnd(block.shiftRight(words[index / pairsPerWord], bits * (index % pairsPerWord)), mask);
  Type i32 = block.builder.getI32Type();
  if (isPairOfF32()) {
    Value low = subtractF32(block.bitAnd(values, 0xffff), zeroPoint);
    Value high = subtractF32(block.shiftRight(values, 16), zeroPoint);
    Value floats = block.make<vector::FromElementsOp>(VectorType::get(2, low.getType()), ValueRange{low, high});
    return block.bitcast(block.make<arith::TruncFOp>(VectorType::get(2, problem.xType), floats), i32);
  }
  auto type = VectorType::get(2, problem.xType);
  bool isBf16 = problem.xType.isBF16();
  Value number = block.bitcast(block.bitOr(values, (isBf16 ? exponentBf16 : exponentF16) * bothHalves), type);
  Value zero = block.bitcast(zeroPoint, type);
  if (!isBf16)
    return block.bitcast(block.make<arith::SubFOp>(number, zero), i32);
  Value one = block.bitcast(block.i32(0x3f803f80), type);
  return block.bitcast(block.fma(number, one, zero), i32);
}

Value QuantizedProducts::single(ValueRange words, int64_t index, Value zeroPoint) const {
  int64_t perWord = 32 / bits, inWord = index % perWord;
  Value shifted = block.shiftRight(words[index / perWord], bits * (inWord / 2) + 16 * (inWord % 2));
  return block.bitcast(subtractF32(block.bitAnd(shifted, (int64_t(1) << bits) - 1), zeroPoint),
                       block.builder.getI32Type());
}

QuantizedProducts::Panel QuantizedProducts::loadPanel(const StepTiles &tiles, int64_t panel, int64_t run) const {
  int64_t row = run * schedule.scaleRows * 4 * terms / schedule.innerPerStep;
  Panel result;
  Values values[2];
  for (int64_t side : {0, 1}) {
    Value scale = scaleColumn(tiles.scales, panel, row, side, problem.quantized->scaleBytes, 0);
    result.scales[side] = block.convert(block.load(problem.quantized->scaleType, scale), block.builder.getF32Type());
    Value zeroPoint = loadZeroPoint(tiles.scales, panel, row, side);
    Values words = loadWords(tiles.weights, panel, run, side);
    for (int64_t i = 0; i < (isSingle ? terms : terms / 2); ++i)
      values[side].push_back(isSingle ? single(words, i, zeroPoint) : pair(words, i, zeroPoint));
  }
  for (size_t i = 0; i < values[0].size(); i += 2)
    result.registers.push_back({values[0][i], values[1][i], values[0][i + 1], values[1][i + 1]});
  return result;
}

/// The two registers of each instruction, and with f32 the two of the rest that tf32 cannot hold.
SmallVector<Values> QuantizedProducts::loadTokens(Value tokens, int64_t octet, int64_t run) const {
  TileLayout layout = tokenLayout(problem);
  Value firstToken = block.mul(position.firstOctet, MatmulSchedule::octet);
  Value byte = block.add(block.mul(term, tokenBytes), run * 4 * tokenBytes);
  Value offset = block.add(block.mul(firstToken, layout.rowBytes), layout.byte(block, column, byte));
  Value address = block.at(block.at(tokens, offset), octet * MatmulSchedule::octet * layout.rowBytes);
  Type i32 = block.builder.getI32Type();
  int64_t words = tokenBytes / 4;
  Value all = block.load(VectorType::get(words, i32), address);
  Values loaded;
  for (int64_t i = 0; i < words; ++i)
    loaded.push_back(block.make<vector::ExtractOp>(all, ArrayRef<int64_t>{i}));
  SmallVector<Values> result;
  for (size_t i = 0; i < loaded.size(); i += 2) {
    result.push_back({loaded[i], loaded[i + 1]});
    if (isSingle) {
      auto [first, firstRest] = splitTf32(block, loaded[i]);
      auto [second, secondRest] = splitTf32(block, loaded[i + 1]);
      result.back() = {first, second, firstRest, secondRest};
    }
  }
  return result;
}

void QuantizedProducts::addProducts(const Panel &panel, ArrayRef<Values> tokens, MutableArrayRef<Value> sums) const {
  MatrixKind kind = isSingle ? MatrixKind::Tf32 : problem.xType.isBF16() ? MatrixKind::Bf16 : MatrixKind::F16;
  Value zero = block.f32(0);
  MatrixSums partial = {zero, zero, zero, zero};
  for (auto [weights, right] : llvm::zip_equal(panel.registers, tokens)) {
    if (isSingle)
      partial = block.multiply(kind, weights, ArrayRef(right).take_back(2), partial);
    partial = block.multiply(kind, weights, ArrayRef(right).take_front(2), partial);
  }
  for (auto [i, sum] : llvm::enumerate(sums))
    sum = block.fma(partial[i], panel.scales[i / 2], sum);
}

std::unique_ptr<MatmulProducts> moec::makeQuantizedProducts(const GpuBlockBuilder &block, const MatmulProblem &problem,
                                                            const MatmulSchedule &schedule, const MatmulBody &body,
                                                            WarpPosition position) {
  return std::make_unique<QuantizedProducts>(block, problem, schedule, body, position);
}
