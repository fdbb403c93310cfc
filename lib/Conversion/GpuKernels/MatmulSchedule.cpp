//===- MatmulSchedule.cpp - how a grouped matmul is cut for a GPU -----------===//

#include "MatmulCost.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace moec;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

static MatmulArithmetic chooseArithmetic(Type x, Type w, bool isQuantized, const step::GpuMachine &machine) {
  if ((x == w || isQuantized) && x.getIntOrFloatBitWidth() == 16)
    return MatmulArithmetic::Matrix16;
  // Narrow weights and integers are exact as tf32. Matrix instructions take half as many tf32 values, and several
  // times.
  bool isFaster = !machine.plainF32 && machine.matrixProducts / 2.0 / tf32Passes(w) > machine.plainProducts;
  return x.isF32() && (isQuantized || isFaster) ? MatmulArithmetic::Tf32 : MatmulArithmetic::Fma;
}

MatmulProblem::MatmulProblem(moe::GroupedMatmulOp op, const step::GpuMachine &machine) : op(op) {
  auto w = cast<ShapedType>(op.getW().getType());
  xType = cast<ShapedType>(op.getX().getType()).getElementType();
  wType = w.getElementType();
  xBytes = xType.getIntOrFloatBitWidth() / 8;
  wBytes = wType.getIntOrFloatBitWidth() / 8;
  experts = w.getDimSize(0);
  inner = op.getInner();
  isPacked = op.isPacked();
  resultColumns = op.getResultColumns();
  panelsPerResult = op.getActivation().isGated() ? 2 : 1;
  panels = panelsPerResult * ceilDiv(resultColumns, MatmulSchedule::panelWidth);
  panelBytes = MatmulSchedule::panelWidth * w.getDimSize(2) * wBytes;
  arithmetic = chooseArithmetic(xType, wType, op.getQuantized().has_value(), machine);
  if (!op.getQuantized())
    return;
  int64_t block = op.getQuantized()->getBlock(), blocks = op.getQuantized()->getBlockCount(inner);
  Type scaleType = cast<ShapedType>(op.getWScales().getType()).getElementType();
  quantized = {.bits = op.getQuantized()->getBits(),
               .block = block,
               .blocks = blocks,
               .scaleType = scaleType,
               .scaleBytes = scaleType.getIntOrFloatBitWidth() / 8,
               .hasZeroPoints = op.getWZeroPoints() != nullptr};
}

int64_t moec::quantizedRun(const MatmulProblem &problem) {
  constexpr int64_t chunkBytes = 16, lanes = 4;
  int64_t longest = chunkBytes / problem.xBytes;
  return problem.quantized->blocks > 1 ? std::min(longest, problem.quantized->block / lanes) : longest;
}

int64_t MatmulProblem::innerPerStep() const { return MatmulSchedule::stepBytes / xBytes; }

int64_t MatmulProblem::steps() const { return std::max<int64_t>(1, ceilDiv(inner, innerPerStep())); }

int64_t MatmulProblem::panelStepBytes() const {
  int64_t elements = MatmulSchedule::panelWidth * innerPerStep();
  return quantized ? elements * quantized->bits / 8 : elements * wBytes;
}

MatmulSchedule::MatmulSchedule(const MatmulProblem &problem, const step::GpuMachine &machine)
    : innerPerStep(problem.innerPerStep()), steps(problem.steps()), panelStepBytes(problem.panelStepBytes()) {
  MatmulCost cost(problem, machine);
  MatmulCut cut = cost.chooseCut();
  panelsPerBlock = cut.panels;
  columnBlocks = ceilDiv(problem.panels, panelsPerBlock);
  stepsPerChunk = ceilDiv(steps, cut.chunks);
  chunks = ceilDiv(steps, stepsPerChunk);
  if (problem.quantized)
    chooseScales(problem);
  weightBytes = panelsPerBlock * panelStepBytes;
  if (cost.isPersistent({panelsPerBlock, chunks}, lowestTile))
    persistentBlocks = cost.residentBlocks();
  chooseBodies(problem, machine);
  chooseHeights(problem, cost);
  tilesPerGroup = cost.chooseTilesPerGroup(panelsPerBlock, heights.back().tokens);
}

void MatmulSchedule::chooseScales(const MatmulProblem &problem) {
  const MatmulProblem::Quantization &quantized = *problem.quantized;
  stepsPerScale = quantized.blocks == 1 ? steps : std::max<int64_t>(1, quantized.block / innerPerStep);
  scaleRows = quantized.blocks == 1 ? 1 : std::max<int64_t>(1, innerPerStep / quantized.block);
  zeroPointOffset = scaleRows * panelsPerBlock * panelWidth * quantized.scaleBytes;
  scaleSlotBytes = zeroPointOffset + (quantized.hasZeroPoints ? scaleRows * panelsPerBlock * panelWidth : 0);
  // While a slot is filled, older ones are read by the steps whose copies have landed.
  int64_t ahead = std::min(mostStages, std::max<int64_t>(2, steps)) - 1;
  scaleSlots = quantized.blocks == 1 ? 1 : llvm::PowerOf2Ceil(1 + ceilDiv(ahead, stepsPerScale));
}

void MatmulSchedule::chooseBodies(const MatmulProblem &problem, const step::GpuMachine &machine) {
  constexpr int64_t reservedPerBlock = 1024;
  int64_t share = machine.sharedBytesPerProcessor / blocksPerProcessor - reservedPerBlock;
  int64_t budget = std::min(machine.sharedBytesPerBlock, share) / 128 * 128 - scaleRingBytes();
  // With chunks the sums take twice the registers; integers take those of their values, scales and zero points.
  int64_t mostTokens = chunks > 1 && panelsPerBlock == 8 ? 64 : 128;
  if (problem.quantized)
    mostTokens /= 2;
  // What a block keeps from tile to tile leaves too few for the parts of f32.
  if (persistentBlocks > 0 && problem.arithmetic == MatmulArithmetic::Tf32 && tf32Passes(problem.wType) == 3)
    mostTokens = 64;
  sharedBytes = 0;
  for (int64_t tokens : {8, 16, 32, 64, 128}) {
    if (tokens > mostTokens)
      break;
    MatmulBody body;
    body.tokens = tokens;
    body.warpsAcrossTokens = tokens >= 64 ? 2 : 1;
    body.warpsAcrossColumns = threads / 32 / body.warpsAcrossTokens;
    body.panelsPerWarp = panelsPerBlock / body.warpsAcrossColumns;
    body.octetsPerWarp = tokens / octet / body.warpsAcrossTokens;
    int64_t fewest = bodies.empty() ? 1 : bodies.back().tokens / octet + 1;
    body.fewestOctets = fewest / body.warpsAcrossTokens;
    body.stages = std::min({mostStages, budget / stageBytes(tokens), std::max<int64_t>(2, steps)});
    sharedBytes =
        std::max({sharedBytes, scaleRingBytes() + body.stages * stageBytes(tokens), tokens * resultPitch(problem)});
    bodies.push_back(body);
  }
  sharedBytes = llvm::alignTo(sharedBytes, 128);
}

void MatmulSchedule::chooseHeights(const MatmulProblem &problem, const MatmulCost &cost) {
  constexpr int64_t mostRows = int64_t(1) << 20;
  heights = {{mostRows, lowestTile}};
  for (int64_t rows = 1; rows <= mostRows; rows *= 2) {
    int64_t groups = std::min(rows, problem.experts);
    auto isBetter = [&](int64_t height, int64_t than) {
      double cycles = cost.launchCycles({panelsPerBlock, 1}, rows, groups, height);
      double otherCycles = cost.launchCycles({panelsPerBlock, 1}, rows, groups, than);
      // Experts have more rows or fewer: where that costs nothing there is room for twice the average, so that few
      // read their weights again.
      return cycles < otherCycles || (cycles == otherCycles && than < 2 * ceilDiv(rows, groups));
    };
    int64_t best = heights.back().tokens;
    for (const MatmulBody &body : bodies)
      if (body.tokens > best && isBetter(body.tokens, best))
        best = body.tokens;
    if (best == heights.back().tokens)
      continue;
    heights.back().rows = rows - 1;
    heights.push_back({mostRows, best});
  }
  if (chunks > 1) {
    splitRows = std::min<int64_t>(2 * lowestTile, heights.front().rows);
    splitHeight = lowestTile;
  }
}

static Value constantLike(OpBuilder &builder, Location loc, Value value, int64_t number) {
  return arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(value.getType(), number));
}

/// The first choice whose bound `rows` does not exceed; the last has none.
static Value chooseByRows(OpBuilder &builder, Location loc, Value rows, ArrayRef<std::pair<int64_t, int64_t>> choices) {
  Value chosen = constantLike(builder, loc, rows, choices.back().second);
  for (auto [bound, choice] : llvm::reverse(choices.drop_back())) {
    Value within =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle, rows, constantLike(builder, loc, rows, bound));
    chosen = arith::SelectOp::create(builder, loc, within, constantLike(builder, loc, rows, choice), chosen);
  }
  return chosen;
}

Value MatmulSchedule::buildHeight(OpBuilder &builder, Location loc, Value rows) const {
  SmallVector<std::pair<int64_t, int64_t>> choices;
  for (Height height : heights)
    choices.push_back({height.rows, height.tokens});
  return chooseByRows(builder, loc, rows, choices);
}

Value MatmulSchedule::buildHeightLog2(OpBuilder &builder, Location loc, Value rows) const {
  SmallVector<std::pair<int64_t, int64_t>> choices;
  for (Height height : heights)
    choices.push_back({height.rows, llvm::Log2_64(height.tokens)});
  return chooseByRows(builder, loc, rows, choices);
}

Value MatmulSchedule::buildSplit(OpBuilder &builder, Location loc, Value rows) const {
  return chooseByRows(builder, loc, rows, {{splitRows, chunks}, {0, 1}});
}
