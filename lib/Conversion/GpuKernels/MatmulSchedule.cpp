//===- MatmulSchedule.cpp - how a grouped matmul is cut for a GPU -----------===//

#include "MatmulSchedule.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace moec;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

static MatmulArithmetic chooseArithmetic(Type x, Type w, bool isQuantized) {
  if ((x == w || isQuantized) && x.getIntOrFloatBitWidth() == 16)
    return MatmulArithmetic::Matrix16;
  // Narrow weights and integers are exact as tf32.
  if (x.isF32())
    return MatmulArithmetic::Tf32;
  return MatmulArithmetic::Fma;
}

MatmulProblem::MatmulProblem(moe::GroupedMatmulOp op) : op(op) {
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
  arithmetic = chooseArithmetic(xType, wType, op.getQuantized().has_value());
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

MatmulSchedule::MatmulSchedule(const MatmulProblem &problem, const step::GpuMachine &machine) {
  innerPerStep = stepBytes / problem.xBytes;
  steps = std::max<int64_t>(1, ceilDiv(problem.inner, innerPerStep));
  chooseColumns(problem, machine);
  panelStepBytes = panelWidth * innerPerStep * problem.wBytes;
  if (problem.quantized) {
    panelStepBytes = panelWidth * innerPerStep * problem.quantized->bits / 8;
    chooseScales(problem);
  }
  weightBytes = panelsPerBlock * panelStepBytes;
  chooseBodies(problem, machine);
  chooseHeights(problem, machine);
}

void MatmulSchedule::chooseColumns(const MatmulProblem &problem, const step::GpuMachine &machine) {
  constexpr int64_t fewestSteps = 8, mostChunks = 8;
  // The fewest experts that a launch is tuned for: those of one token. Contiguous rows do not tell how many that are.
  int64_t usual = problem.experts >= 32 ? 6 : 2;
  int64_t active = std::min<int64_t>(problem.experts, std::max<int64_t>(usual, problem.op.getRowsPerToken()));
  auto blocks = [&](int64_t width) { return active * ceilDiv(problem.panels, width); };
  bool isGated = problem.panelsPerResult == 2;
  panelsPerBlock = isGated || 4 * blocks(8) >= 3 * machine.processors ? 8 : 4;
  columnBlocks = ceilDiv(problem.panels, panelsPerBlock);

  chunks = 1;
  if (4 * blocks(panelsPerBlock) < 3 * machine.processors)
    chunks = std::min(ceilDiv(machine.processors, blocks(panelsPerBlock)),
                      std::clamp<int64_t>(steps / fewestSteps, 1, mostChunks));
  stepsPerChunk = ceilDiv(steps, chunks);
  chunks = ceilDiv(steps, stepsPerChunk);
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
    body.stages = std::min({mostStages, budget / stageBytes(tokens), std::max<int64_t>(2, steps)});
    sharedBytes =
        std::max({sharedBytes, scaleRingBytes() + body.stages * stageBytes(tokens), tokens * resultPitch(problem)});
    bodies.push_back(body);
  }
  sharedBytes = llvm::alignTo(sharedBytes, 128);
}

/// Multiply-adds of a processor in a cycle.
static double productsPerCycle(const MatmulProblem &problem, const step::GpuMachine &machine) {
  switch (problem.arithmetic) {
  case MatmulArithmetic::Matrix16:
    return machine.matrixProducts;
  case MatmulArithmetic::Tf32:
    return machine.matrixProducts / 2.0 / (problem.wType.isF32() ? 3 : 2);
  case MatmulArithmetic::Fma:
    return machine.plainProducts;
  }
  llvm_unreachable("unknown arithmetic");
}

/// How long the busiest processor computes or loads if the rows fall on the experts evenly. Memory beyond the cache is
/// left out: any height reads the same bytes of it.
double MatmulSchedule::estimateCycles(const MatmulProblem &problem, const step::GpuMachine &machine, int64_t rows,
                                      int64_t height) const {
  constexpr double startCycles = 2000;
  int64_t groups = std::min(rows, problem.experts), rowsPerGroup = ceilDiv(rows, groups);
  int64_t filled = std::min(height, rowsPerGroup);
  auto body = llvm::find_if(bodies, [&](const MatmulBody &body) { return body.tokens >= filled; });
  double products = panelsPerBlock * panelWidth * body->tokens * innerPerStep;
  double compute = products / productsPerCycle(problem, machine);
  double load = double(weightBytes + filled * stepBytes) / machine.l2BytesPerCycle;
  int64_t blocks = groups * ceilDiv(rowsPerGroup, height) * columnBlocks;
  return ceilDiv(blocks, machine.processors) * (steps * std::max(compute, load) + startCycles);
}

void MatmulSchedule::chooseHeights(const MatmulProblem &problem, const step::GpuMachine &machine) {
  constexpr int64_t lowest = 32, mostRows = int64_t(1) << 20;
  heights = {{mostRows, lowest}};
  for (int64_t rows = 1; rows <= mostRows; rows *= 2) {
    int64_t best = heights.back().tokens;
    for (const MatmulBody &body : bodies)
      if (body.tokens > best &&
          estimateCycles(problem, machine, rows, body.tokens) < estimateCycles(problem, machine, rows, best))
        best = body.tokens;
    if (best == heights.back().tokens)
      continue;
    heights.back().rows = rows - 1;
    heights.push_back({mostRows, best});
  }
  if (chunks > 1) {
    splitRows = std::min<int64_t>(2 * lowest, heights.front().rows);
    splitHeight = lowest;
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
